"""`shamisa score`: score the quality of images."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shamisa_cli.cli import destinations, gate_options, inputs, options, ray_jobs, selection_options
from shamisa_cli.cli.commands.scoring_run import ScoringRun, Shown, Sort
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.destinations import TABLE
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.cli.reporters import REPORTERS
from shamisa_cli.cli.reporters.text import TEXT
from shamisa_cli.cli.settings import was_typed
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.scoring.selection import Selection

RESULTS = "Results"
Format = StrEnum("Format", [*REPORTERS, TABLE])  # type: ignore[misc]  # mypy wants a literal; the table is the one list


def score(
    context: typer.Context,
    paths: options.PathsArgument = None,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            envvar="SHAMISA_FORMAT",
            rich_help_panel=RESULTS,
            show_default="by the suffix of --output, else text",
            help="text for people; json; jsonl and csv, one row per picture, written as soon as it is scored; "
            "junit, github (annotations and a job summary) and sarif for CI; parquet, a table that can be resumed.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel=RESULTS,
            show_default="stdout",
            help="Write to a file, which appears when it is complete. A .parquet file continues where a run stopped.",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            rich_help_panel=RESULTS,
            show_default="none",
            help="Also write an HTML report that can be filtered and sorted; one file, for any browser, "
            "with the maps if --maps is given.",
        ),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(
            "--maps",
            metavar="DIR",
            rich_help_panel=RESULTS,
            show_default="none",
            help="Also write a map (PNG) for each picture of where it gains and loses points.",
        ),
    ] = None,
    sort: Annotated[
        Sort | None,
        typer.Option(
            "--sort",
            envvar="SHAMISA_SORT",
            rich_help_panel=RESULTS,
            show_default="score for text, otherwise input order",
            help="score puts the lowest first. A sorted jsonl or csv is written at the end.",
        ),
    ] = None,
    top: selection_options.Top = None,
    bottom: selection_options.Bottom = None,
    below: selection_options.Below = None,
    above: selection_options.Above = None,
    groups: selection_options.FindGroups = False,
    similarity: selection_options.Similarity = selection_options.SIMILARITY,
    burst_gap: selection_options.BurstGap = selection_options.BURST_GAP,
    min_score: gate_options.MinScore = None,
    baseline: gate_options.BaselineFile = None,
    max_drop: gate_options.MaxDrop = None,
    max_faults: gate_options.MaxFaults = None,
    forbid: gate_options.Forbidden = None,
    strict: gate_options.Strict = False,
    update_baseline: gate_options.UpdateBaseline = False,
    files_from: options.FilesFrom = None,
    shard: options.ShardText = None,
    recursive: options.Recursive = True,
    exclude: options.Exclude = None,
    since: options.Since = None,
    allow_empty: options.AllowEmpty = False,
    view_size: options.ViewSizeText = "model",
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_memory: options.MaxMemory = None,
    skip_unreadable: options.SkipUnreadable = False,
    model: options.ModelName = DEFAULT_MODEL,
    probe: options.ProbeName = None,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    runtime: options.RuntimeName = options.Runtime.AUTO,
    jobs: options.Jobs = None,
    quiet: options.Quiet = False,
    ray: options.RayAddress = None,
    cache: options.UseCache = True,
    cache_dir: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_MEGABYTES,
) -> None:
    """Score pictures from 0 to 100; higher looks better.

    On a terminal, the table of many pictures shows the worst and the best; --format, --sort and the options of
    "Selection" choose what is printed. The gate, --html and the summary are about all pictures. After Ctrl-C, run the
    same command again: cached results are not computed again.

    Exit codes:
    0  success
    1  a picture failed the gate: --min-score, --max-drop, --max-fault, --forbid or a rule
    2  error: unknown option, no input found, no such model
    3  some pictures could not be read, and none failed the gate (see --skip-unreadable)
    """
    inputs.limit_memory(max_memory)
    if ray is not None:
        ray_jobs.run_ray_job(context, "scores", ray)
    console = Console(quiet=quiet, discard=quiet and format is None and output is None)
    part = inputs.part_number(shard)
    target = None if output is None else inputs.output_file(Path(output), part)
    destinations.check(output, target, format, html, maps, part)
    selection = Selection(top, bottom, below, above)
    chosen = format or inputs.format_of(target, (*REPORTERS, TABLE))
    if chosen == TABLE:
        changed = was_typed(context, "sort") or selection.limits or groups
        destinations.check_table(target, pictures=html is not None or maps is not None, changed=changed)
    reporter = REPORTERS.get(chosen, TEXT)
    destinations.check_selection(chosen, selection, is_whole=reporter.is_whole)
    view = inputs.view_size(view_size)
    gated = gate_options.open_gate(
        context,
        min_score=min_score,
        max_drop=max_drop,
        max_faults=max_faults,
        forbid=forbid,
        baseline=baseline,
        update=update_baseline,
        skip_unreadable=skip_unreadable,
        strict=strict,
    )
    by_name = gated.goes_by_names
    found = inputs.survey_inputs(
        paths, files_from, recursive, console, exclude=exclude, since=since, allow_empty=allow_empty, every_name=by_name
    )
    job = inputs.divide(gated.judged(found), part, target, console)

    from shamisa_cli.core.culling.groups import GroupSettings
    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.scoring.pipeline import describe_run

    loaded = load_model(model, probe=probe, offline=offline, device=device, runtime=runtime.value, on_demand=cache)
    run = describe_run(loaded, view, gated=gated.gate.judges, left_out=found.left_out, grouped=groups)
    gated.require_same(run, loaded, console)
    work = ScoringRun(loaded, job.paths, run, gated.gate, console, view, jobs, max_pixels)
    cached = reused = 0
    if chosen == TABLE and target is not None:
        reused = work.write_table(target, job.record)
    else:
        shown = Shown(
            reporter,
            order=sort or (Sort.SCORE if reporter.worst_first else None),
            best_first=sort is None and top is not None and bottom is None,
            selection=selection,
            groups=GroupSettings(duplicate=similarity, gap=burst_gap) if groups else None,
        )
        with inputs.open_cache(cache, cache_dir, cache_size, console) as known:
            work.report(shown, target, html=html, maps=maps, cache=known)
            cached = inputs.cache_hits(known)
    tally = work.tally
    gated.conclude(tally, run, loaded, console, said=target is None and reporter.concludes)
    places = {"results": target, "report": html, "maps": maps}
    console.hint(tally.line(cached=cached, reused=reused, left_out=run.left_out, places=places, part=part))
    failed, unreadable = tally.statuses["failed"], tally.statuses["unreadable"]
    raise typer.Exit(exit_code(failed=failed, unreadable=unreadable, skip_unreadable=skip_unreadable))
