"""`shamisa score`: score the quality of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.cli import gate_options, inputs, options, ray_jobs
from shamisa_cli.cli.console import Console, check_output
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.cli.reporters import REPORTERS
from shamisa_cli.cli.reporters.text import TEXT
from shamisa_cli.cli.settings import was_typed
from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.records import ImageRecord, JobResult, Run
from shamisa_cli.core.scoring.gate import GateStatus, apply_gate, gate_status, gate_summary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.scoring.pipeline import Watch
    from shamisa_cli.core.scoring.thumbnails import Thumbnails

RESULTS = "Results"
TABLE = "parquet"

Format = StrEnum("Format", [*REPORTERS, TABLE])  # type: ignore[misc]  # mypy wants a literal; the table is the one list


class Sort(StrEnum):
    """Orders of the results."""

    SCORE = "score"
    PATH = "path"


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
    min_score: gate_options.MinScore = None,
    baseline: gate_options.BaselineFile = None,
    max_drop: gate_options.MaxDrop = None,
    update_baseline: gate_options.UpdateBaseline = False,
    files_from: options.FilesFrom = None,
    shard: options.ShardText = None,
    recursive: options.Recursive = True,
    view_size: options.ViewSizeText = "model",
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    skip_unreadable: options.SkipUnreadable = False,
    model: options.ModelName = DEFAULT_MODEL,
    probe: options.ProbeName = None,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    runtime: options.RuntimeName = options.Runtime.AUTO,
    jobs: options.Jobs = None,
    ray: options.RayAddress = None,
    cache: options.UseCache = True,
    cache_dir: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_MEGABYTES,
) -> None:
    """Score pictures from 0 to 100; higher looks better.

    Exit codes:
    0  success
    1  a picture failed the gate: it scores below --min-score, or fell by more than --max-drop
    2  error: unknown option, no input found, no such model
    3  some pictures could not be read, and none failed the gate (see --skip-unreadable)
    """
    if ray is not None:
        ray_jobs.run_ray_job(context, "scores", ray)
    console = Console()
    part = inputs.part_number(shard)
    target = None if output is None else inputs.output_file(Path(output), part)
    _check_destinations(output, target, format, html, maps)
    chosen = format or _format_of(target)
    if chosen == TABLE:
        _check_table(target, pictures=html is not None or maps is not None, is_sorted=was_typed(context, "sort"))
    reporter = REPORTERS.get(chosen, TEXT)
    order = sort or (Sort.SCORE if reporter.worst_first else None)
    view = inputs.view_size(view_size)
    gated = gate_options.open_gate(
        context,
        min_score=min_score,
        max_drop=max_drop,
        baseline=baseline,
        update=update_baseline,
        skip_unreadable=skip_unreadable,
    )
    found = inputs.survey_inputs(paths, files_from, recursive, part)
    files = found.paths

    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.scoring.pipeline import describe_run, score_files
    from shamisa_cli.core.scoring.resumable import score_to_file
    from shamisa_cli.core.scoring.score_table import read_scores
    from shamisa_cli.core.scoring.thumbnails import Thumbnails

    loaded = load_model(model, probe=probe, offline=offline, device=device, runtime=runtime.value, on_demand=cache)
    run = describe_run(loaded, view, gated=gated.gate.judges, left_out=found.left_out)
    gated.require_same(run, loaded)
    statuses: Counter[GateStatus] = Counter()
    scores: dict[str, float] = {}
    if chosen == TABLE and target is not None:
        with console.progress("Scoring", len(files)) as advance:
            result = score_to_file(
                loaded, files, target, view_size=view, jobs=jobs, max_pixels=max_pixels, advance=advance
            )
        records = apply_gate(read_scores(target), gated.gate)
        _report_table(_watched(records, statuses, scores, lambda _pictures: None), target, result, console)
    else:
        thumbnails = None if html is None else Thumbnails()
        watch = _watch(loaded, files, maps, thumbnails)
        on_page: list[ImageRecord] = []
        beside = reporter.streams and order is None and target is None
        with (
            inputs.open_cache(cache, cache_dir, cache_size, console) as known,
            closing(
                score_files(loaded, files, jobs=jobs, view_size=view, max_pixels=max_pixels, watch=watch, cache=known)
            ) as scored,
            closing(apply_gate(scored, gated.gate)) as records,
            thumbnails or nullcontext(),
            console.results(target) as stream,
            console.progress("Scoring", len(files), beside_results=beside) as advance,
        ):
            watched = _watched(records, statuses, scores, advance)
            kept = watched if thumbnails is None else _kept(watched, on_page)
            reporter.write(_arranged(kept, order), run, stream)
            if html is not None and thumbnails is not None:
                _write_page(html, on_page, run, thumbnails)
    gated.keep(scores, run, loaded, console)
    if run.gated and (target is not None or not reporter.concludes):
        console.hint(f"{gate_summary(statuses, gated=True)}.")
    raise typer.Exit(
        exit_code(failed=statuses["failed"], unreadable=statuses["unreadable"], skip_unreadable=skip_unreadable)
    )


def _check_destinations(
    output: str | None, target: Path | None, format: str | None, html: Path | None, maps: Path | None
) -> None:
    """Raise SettingError if a file or folder cannot be written under the name that was given for it."""
    if target is not None:
        if target != Path(output or "") and format not in (None, TABLE):
            raise SettingError(f"{output} is a folder of parts ({TABLE}). Leave out --format, or name a file.")
        check_output(target)
    if html is not None:
        _check_page(html, target)
    if maps is not None and maps.exists() and not maps.is_dir():
        raise SettingError(f"{maps} is a file; --maps must name a folder.")


def _report_table(records: Iterable[ImageRecord], target: Path, result: JobResult, console: Console) -> None:
    """Say which images of a finished table could not be read, and how many rows it has."""
    console.warn_of_unreadable([record.error.message for record in records if record.error is not None])
    console.hint(f"Wrote {result.rows:,} pictures to {target} ({result.reused:,} reused from an earlier run).")


def _format_of(output: Path | None) -> str:
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    return suffix if suffix in (*REPORTERS, TABLE) else "text"


def _check_table(output: Path | None, *, pictures: bool, is_sorted: bool) -> None:
    if output is None:
        raise SettingError(f"--format {TABLE} needs a file; name one with --output.")
    if pictures:
        raise SettingError(f"--html and --maps cannot be combined with {TABLE} output.")
    if is_sorted:
        raise SettingError(f"--sort cannot be combined with {TABLE} output, which keeps the input order.")


def _check_page(html: Path, output: Path | None) -> None:
    check_output(html, "--html")
    if output is not None and html.resolve() == output.resolve():
        raise SettingError(f"--html and --output name the same file, {html}. Give each its own.")


def _watch(model: Model, files: list[Path], maps: Path | None, thumbnails: Thumbnails | None) -> Watch | None:
    """Combine what uses an image while its pixels are in memory: thumbnails and maps; None without either."""
    from shamisa_cli.core.scoring.heatmap import MapWriter

    watches: list[Watch] = [] if thumbnails is None else [thumbnails.add]
    if maps is not None:
        watches.append(MapWriter(model, maps, files, watch=None if thumbnails is None else thumbnails.add_map))

    def watch(record: ImageRecord, pixels: npt.NDArray[np.uint8]) -> None:
        for each in watches:
            each(record, pixels)

    return watch if watches else None


def _write_page(html: Path, records: list[ImageRecord], run: Run, thumbnails: Thumbnails) -> None:
    from shamisa_cli.cli.reporters.html import write_html

    with replacing(html) as temporary, temporary.open("w", encoding="utf-8", newline="") as page:
        write_html(records, run, thumbnails, page)


def _kept(records: Iterable[ImageRecord], into: list[ImageRecord]) -> Iterator[ImageRecord]:
    for record in records:
        into.append(record)
        yield record


def _watched(
    records: Iterable[ImageRecord],
    statuses: Counter[GateStatus],
    scores: dict[str, float],
    advance: Callable[[int], None],
) -> Iterator[ImageRecord]:
    for record in records:
        statuses[gate_status(record)] += 1
        if record.score is not None:
            scores[record.path] = record.score
        advance(1)
        yield record


def _arranged(records: Iterable[ImageRecord], order: Sort | None) -> Iterable[ImageRecord]:
    if order is None:
        return records
    if order is Sort.PATH:
        return sorted(records, key=lambda record: record.path)
    return sorted(records, key=lambda record: (record.score is None, record.score or 0.0, record.path))
