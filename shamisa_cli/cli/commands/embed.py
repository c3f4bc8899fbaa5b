"""`shamisa embed`: write an encoder's features of images into a file."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from shamisa_cli.cli import inputs, options, ray_jobs
from shamisa_cli.cli.console import Console, check_output
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.cli.reporters import embedding_map
from shamisa_cli.cli.run_tally import closing_line
from shamisa_cli.core.models.resolver import DEFAULT_MODEL


def embed(
    context: typer.Context,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .parquet, .npz or .safetensors file, which appears when it is complete.",
        ),
    ],
    paths: options.PathsArgument = None,
    shard: options.ShardText = None,
    files_from: options.FilesFrom = None,
    recursive: options.Recursive = True,
    exclude: options.Exclude = None,
    since: options.Since = None,
    allow_empty: options.AllowEmpty = False,
    view_size: options.ViewSizeText = "model",
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_memory: options.MaxMemory = None,
    skip_unreadable: options.SkipUnreadable = False,
    model: options.ModelName = DEFAULT_MODEL,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    runtime: options.RuntimeName = options.Runtime.AUTO,
    jobs: options.Jobs = None,
    quiet: options.Quiet = False,
    ray: options.RayAddress = None,
    cache: options.UseCache = True,
    cache_dir: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_MEGABYTES,
    plot: embedding_map.Plot = None,
    color_by: embedding_map.ColourBy = None,
    table: embedding_map.LabelFile = None,
    image_column: embedding_map.LabelImage = "image",
    center_by: embedding_map.CentreBy = None,
    projection: embedding_map.ProjectionOption = embedding_map.ProjectionName.TSNE,
    seed: embedding_map.Seed = 0,
) -> None:
    """Write the features of pictures to a file, for fit-probe --features and for your own tools.

    Run it again after an interruption, or with more pictures: features of unchanged pictures are kept. With --plot,
    also draw a map of the pictures for the browser.

    Exit codes:
    0  success
    2  error: unknown option, no input found, no such model
    3  some pictures could not be read (see --skip-unreadable)
    """
    inputs.limit_memory(max_memory)
    if ray is not None:
        ray_jobs.run_ray_job(context, "features", ray)
    console, started = Console(quiet=quiet), time.monotonic()
    part = inputs.part_number(shard)
    target = inputs.output_file(Path(output), part)
    check_output(target)
    view = inputs.view_size(view_size)
    drawing = None
    if plot is not None:
        drawing = embedding_map.MapSettings(plot, color_by or (), table, image_column, center_by, projection, seed)
        embedding_map.check_map(drawing)
    found = inputs.survey_inputs(
        paths, files_from, recursive, console, exclude=exclude, since=since, allow_empty=allow_empty
    )
    job = inputs.divide(found, part, target, console)
    files = list(job.paths)

    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.scoring.feature_table import check_format
    from shamisa_cli.core.scoring.pipeline import feature_cache
    from shamisa_cli.core.scoring.resumable import embed_to_file, feature_source

    check_format(target)
    loaded = load_model(model, offline=offline, device=device, runtime=runtime.value)
    with (
        inputs.open_cache(cache, cache_dir, cache_size, console) as known,
        console.progress("Embedding", len(files)) as advance,
    ):
        collected = embed_to_file(
            loaded.encoder,
            files,
            target,
            replace(feature_source(loaded, view), division=job.record),
            jobs=jobs,
            max_pixels=max_pixels,
            result_cache=feature_cache(known, loaded, view),
            advance=advance,
        )
    console.warn_of_unreadable(collected.errors)
    console.warn_of_odd(collected.warnings)
    console.warn_of_dropped(collected.dropped, target)
    if drawing is not None and files:
        embedding_map.draw_map(drawing, loaded, target, files, view, jobs=jobs, console=console)
    counts = {
        "unreadable": collected.unreadable,
        "from the cache": inputs.cache_hits(known),
        "reused from an earlier run": collected.reused,
        "left out": sum(found.left_out.values()),
    }
    places = {f"{loaded.encoder.feature_length:,} features of each": target}
    console.hint(closing_line("embedded", collected.rows, len(files), counts, since=started, places=places, part=part))
    raise typer.Exit(exit_code(failed=0, unreadable=collected.unreadable, skip_unreadable=skip_unreadable))
