"""`shamisa embed`: the encoder's features of pictures, kept in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shamisa_cli.cli import clustered, options
from shamisa_cli.cli.console import Console, check_output
from shamisa_cli.cli.errors import outcome
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.scale.shards import Shard


def embed(
    context: typer.Context,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="A .parquet, .npz or .safetensors file; it appears when complete."
        ),
    ],
    paths: options.PathsArgument = None,
    shard: options.ShardText = None,
    files_from: options.FilesFrom = None,
    recursive: options.Recursive = True,
    view_size: options.ViewSizeText = "model",
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    skip_unreadable: options.SkipUnreadable = False,
    model: options.ModelName = DEFAULT_MODEL,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    runtime: options.RuntimeName = options.Runtime.AUTO,
    jobs: options.Jobs = None,
    ray: options.RayAddress = None,
    cache: options.UseCache = True,
    cache_dir: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_MEGABYTES,
) -> None:
    """Write the features of pictures into a file, for fit-probe --features and for your own tools.

    Run it again after an interruption, or with more pictures: those in the file that have not changed stay.

    Exit codes:
    0  fine
    2  nothing could be done: unknown option, no picture, no such model
    3  pictures could not be read (see --skip-unreadable)
    """
    if ray is not None:
        clustered.run(context, "features", ray)
    console = Console()
    part = None if shard is None else Shard.parse(shard)
    target = options.part_file(Path(output), part)
    check_output(target)
    view = options.view_size(view_size)
    files = options.find_pictures(paths, files_from, recursive, part)

    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.scoring.embeddings import check_format
    from shamisa_cli.core.scoring.pipeline import feature_shelf_of
    from shamisa_cli.core.scoring.resuming import embed_to_file, origin_of

    check_format(target)
    loaded = load_model(model, offline=offline, device=device, runtime=runtime.value)
    with (
        options.open_cache(cache, cache_dir, cache_size, console) as known,
        console.progress("Embedding", len(files)) as advance,
    ):
        collected = embed_to_file(
            loaded.encoder,
            files,
            target,
            origin_of(loaded, view),
            jobs=jobs,
            max_pixels=max_pixels,
            shelf=feature_shelf_of(known, loaded, view),
            advance=advance,
        )
    console.warn_of_unreadable([str(error) for error in collected.errors])
    console.hint(
        f"{collected.rows:,} pictures, {loaded.encoder.feature_length:,} features each, are in {target}; "
        f"{collected.reused:,} were there before."
    )
    raise typer.Exit(outcome(failed=0, unreadable=len(collected.errors), skip_unreadable=skip_unreadable))
