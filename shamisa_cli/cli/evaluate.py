"""`shamisa evaluate`: how well a model, as it is, agrees with human scores."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shamisa_cli.cli import dynamics, human_scores, options
from shamisa_cli.cli import gmad as duels
from shamisa_cli.cli.console import Console, check_output
from shamisa_cli.cli.errors import outcome
from shamisa_cli.core.errors import InputNotFoundError, SettingError
from shamisa_cli.core.models.resolver import DEFAULT_MODEL

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.probe.evaluation import Evaluation
    from shamisa_cli.core.scoring.cache import Cache
    from shamisa_cli.core.scoring.records import ImageRecord

SCHEMA = 1
RESULTS = "Results"


class Format(StrEnum):
    """Forms of the result."""

    TEXT = "text"
    JSON = "json"


def evaluate(
    mos: human_scores.OptionalMosFile = None,
    image_column: human_scores.ImageColumn = "image",
    mos_column: human_scores.MosColumn = "mos",
    subset_column: human_scores.SubsetColumn = None,
    lower_is_better: human_scores.LowerIsBetter = False,
    logistic: Annotated[
        bool,
        typer.Option(
            "--logistic/--no-logistic",
            rich_help_panel=RESULTS,
            help="PLCC and RMSE after a 4-parameter logistic from the model's scale to the table's.",
        ),
    ] = True,
    seed: Annotated[
        int,
        typer.Option(min=0, rich_help_panel=RESULTS, help="Seed of the intervals; with --run, of splits and --limit."),
    ] = 0,
    format: Annotated[
        Format,
        typer.Option("--format", "-f", rich_help_panel=RESULTS, help="For people, or JSON."),
    ] = Format.TEXT,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel=RESULTS,
            show_default="stdout",
            help="Write into a file, which appears when it is complete.",
        ),
    ] = None,
    skip_unreadable: options.SkipUnreadable = False,
    model: options.ModelName = DEFAULT_MODEL,
    probe: options.ProbeName = None,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    runtime: options.RuntimeName = options.Runtime.AUTO,
    jobs: options.Jobs = None,
    cache: options.UseCache = True,
    cache_dir: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_MEGABYTES,
    gmad: duels.Rival = None,
    gmad_figure: duels.Figure = None,
    gmad_levels: duels.Levels = 3,
    run: dynamics.Run = None,
    every: dynamics.Every = 1,
    limit: dynamics.Limit = None,
    paths: options.PathsArgument = None,
) -> None:
    """Correlate a model's scores with human scores, with 95 % bootstrap intervals.

    Nothing is fitted to the pictures but the logistic mapping. With --gmad, also find the pictures by which the model
    and another one are most unlike; that needs no human scores. With --run, judge the encoders of a training run
    instead, one for each checkpoint.

    Exit codes: 0 fine; 2 nothing could be done; 3 some pictures could not be read.
    """
    console = Console()
    if output is not None:
        check_output(output)
    _check_inputs(mos, paths, gmad, gmad_figure, run)

    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.probe.evaluation import evaluate as judge
    from shamisa_cli.core.probe.mos import MIN_ROWS, read_mos_table

    table = None
    if mos is not None:
        table = read_mos_table(mos, image_column=image_column, mos_column=mos_column, subset_column=subset_column)
    if run is not None:
        assert mos is not None
        assert table is not None
        settings = {"every": every, "limit": limit, "seed": seed, "device": device.value, "jobs": jobs}
        agreements = dynamics.judge_run(run, mos, table, **settings, console=console)
        with console.results(output) as stream:
            if format is Format.JSON:
                dynamics.write_json(stream, run, mos, agreements)
            else:
                dynamics.write_table(stream, agreements)
        return
    files = options.find_pictures(paths, None, recursive=True) if table is None else table.paths
    loaded = load_model(model, probe=probe, offline=offline, device=device, runtime=runtime.value, on_demand=cache)
    rival = None
    if gmad is not None:
        rival = load_model(gmad, offline=offline, device=device, runtime=runtime.value, on_demand=cache)
    with options.open_cache(cache, cache_dir, cache_size, console) as known:
        records = _scored(loaded, files, MIN_ROWS if table else 2 * gmad_levels, jobs, known, console)
        found = None
        if rival is not None:
            found = duels.compete(
                (loaded, rival),
                records,
                None if table is None else table.mos,
                levels=gmad_levels,
                jobs=jobs,
                cache=known,
                console=console,
            )
    unreadable = [record for record in records if record.mos is None]
    results: Sequence[Evaluation] = ()
    if table is not None:
        table = table.take([row for row, record in enumerate(records) if record.mos is not None])
        results = judge(
            _predictions(loaded, records, lower_is_better),
            table.mos,
            subsets=table.subsets,
            logistic=logistic,
            seed=seed,
        )
    if found is not None and gmad_figure is not None:
        duels.draw(gmad_figure, found, console)
    with console.results(output) as stream:
        if format is Format.JSON:
            document = _document(loaded, mos, results, unreadable, logistic)
            if found is not None:
                document["gmad"] = found.to_json()
            stream.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            if results:
                human_scores.write_figures(stream, [_row(result) for result in results], _note(loaded, logistic))
            if found is not None:
                duels.write_gmad(stream, found)
    raise typer.Exit(outcome(failed=0, unreadable=len(unreadable), skip_unreadable=skip_unreadable))


def _check_inputs(
    mos: Path | None, paths: Sequence[str] | None, gmad: str | None, gmad_figure: Path | None, run: Path | None
) -> None:
    """Raise SettingError when the pictures are not named once, or an option wants another one."""
    if run is not None and (mos is None or gmad is not None):
        raise SettingError("--run judges checkpoints on a table of human scores: name one with --mos, and no --gmad.")
    if gmad is None and gmad_figure is not None:
        raise SettingError("--gmad-figure draws what --gmad finds; name another model with --gmad.")
    if mos is not None and paths:
        raise SettingError("The pictures are those of the table; PATHS are for --gmad without --mos.")
    if mos is None and gmad is None:
        raise SettingError("Name a table of human scores with --mos, or another model with --gmad.")
    if gmad_figure is not None:
        check_output(gmad_figure, "--gmad-figure")


def _scored(
    model: Model, files: Sequence[Path], needed: int, jobs: int | None, cache: Cache | None, console: Console
) -> list[ImageRecord]:
    records = duels.scored(model, files, jobs, cache, console)
    human_scores.warn_of_unreadable(
        console, [(record.path, record.error.message) for record in records if record.error is not None]
    )
    readable = sum(record.mos is not None for record in records)
    if readable < needed:
        raise InputNotFoundError(human_scores.too_few(readable, len(files), needed))
    return records


def _predictions(model: Model, records: Sequence[ImageRecord], lower_is_better: bool) -> Any:
    """Predictions (n,) that rise with the human scores when model and people agree; not clipped as scores are."""
    import numpy as np

    values = np.array([record.mos for record in records if record.mos is not None], dtype=np.float64)
    same = model.probe is not None and model.probe.scale.lower_is_better == lower_is_better
    return values if same else -values


def _row(result: Evaluation) -> list[str]:
    from shamisa_cli.core.probe.protocol import FIGURES

    cells = [human_scores.figure_with_interval(*_figure(result, name)) for name in FIGURES]
    return [result.subset or "all", f"{result.agreement.count:,}", *cells]


def _figure(result: Evaluation, name: str) -> tuple[float, tuple[float, float]]:
    return getattr(result.agreement, name), getattr(result.intervals, name)


def _note(model: Model, logistic: bool) -> str:
    mapping = "PLCC and RMSE after a logistic mapping" if logistic else "no mapping"
    return f"{model.name} ({model.revision}); 95 % bootstrap intervals; {mapping}"


def _document(
    model: Model, mos: Path | None, results: Sequence[Evaluation], unreadable: Sequence[ImageRecord], logistic: bool
) -> dict[str, Any]:
    from shamisa_cli.core.probe.metrics import CONFIDENCE
    from shamisa_cli.core.scoring.pipeline import describe_run

    return {
        "schema": SCHEMA,
        "model": describe_run(model, "model").model.to_json(),
        "mos": None if mos is None else str(mos),
        "logistic": logistic,
        "confidence": CONFIDENCE,
        "results": [_result(result) for result in results],
        "errors": [
            {"path": record.path, **record.error.to_json()} for record in unreadable if record.error is not None
        ],
    }


def _result(result: Evaluation) -> dict[str, Any]:
    from shamisa_cli.core.probe.protocol import FIGURES

    entry: dict[str, Any] = {"subset": result.subset, "count": result.agreement.count}
    for name in FIGURES:
        value, interval = _figure(result, name)
        entry[name] = _number(value)
        entry[f"{name}_interval"] = [_number(end) for end in interval]
    return entry


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
