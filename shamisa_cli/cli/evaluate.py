"""`shamisa evaluate`: how well a model, as it is, agrees with human scores."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from shamisa_cli.cli import cross_report, human_scores, options, protocol_report
from shamisa_cli.cli.console import Console, check_output
from shamisa_cli.cli.errors import outcome
from shamisa_cli.core.errors import InputNotFoundError, SettingError
from shamisa_cli.core.models.resolver import DEFAULT_MODEL

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.probe.evaluation import Evaluation
    from shamisa_cli.core.probe.mos import MosTable
    from shamisa_cli.core.scoring.cache import Cache
    from shamisa_cli.core.scoring.records import ImageRecord

SCHEMA = 1
RESULTS = "Results"


class Format(StrEnum):
    """Forms of the result."""

    TEXT = "text"
    JSON = "json"


def evaluate(
    tables: Annotated[
        list[Path] | None,
        typer.Argument(metavar="TABLES...", show_default=False, help="With --cross: CSV files of human scores."),
    ] = None,
    mos: human_scores.OptionalMosFile = None,
    image_column: human_scores.ImageColumn = "image",
    mos_column: human_scores.MosColumn = "mos",
    group_column: human_scores.GroupColumn = None,
    reference_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=human_scores.HUMAN_SCORES,
            show_default="none",
            help="A column that names each picture's undistorted reference: fit on how far the features of the two lie "
            "apart. Its groups are never split.",
        ),
    ] = None,
    subset_column: human_scores.SubsetColumn = None,
    lower_is_better: human_scores.LowerIsBetter = False,
    protocol: Annotated[
        human_scores.Protocol,
        typer.Option(
            rich_help_panel=human_scores.PROTOCOL,
            help="paper: fit anew on random splits, as fit-probe --protocol paper does, and keep no regressor; "
            "default: the model as it is, or with --cross or --reference-column as fit-probe does.",
        ),
    ] = human_scores.Protocol.DEFAULT,
    cross: Annotated[
        bool,
        typer.Option(
            "--cross",
            rich_help_panel=human_scores.PROTOCOL,
            show_default="off",
            help="Fit on each of TABLES, and test on every other whole.",
        ),
    ] = False,
    dmos: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=human_scores.PROTOCOL,
            show_default="none",
            help="One of TABLES whose scores alone count impairment (DMOS). May be given several times.",
        ),
    ] = None,
    splits: human_scores.Splits = 10,
    logistic: Annotated[
        bool | None,
        typer.Option(
            "--logistic/--no-logistic",
            rich_help_panel=RESULTS,
            show_default="logistic; for the splits of one table as in fit-probe",
            help="PLCC and RMSE after a 4-parameter logistic from the model's scale to the table's.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=RESULTS, help="Seed of the intervals or splits.")] = 0,
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
) -> None:
    """Correlate a model's scores with human scores, with 95 % bootstrap intervals.

    Nothing is fitted to the pictures but the logistic mapping. --protocol paper, --cross and --reference-column fit
    regressors on the model's features instead, to see what these are worth, and keep none (docs/protocols.md).

    Exit codes: 0 fine; 2 nothing could be done; 3 some pictures could not be read.
    """
    console = Console()
    if output is not None:
        check_output(output)

    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.probe.evaluation import evaluate as judge
    from shamisa_cli.core.probe.mos import read_mos_table

    files = _tables_named(mos, tables, cross)
    if cross or reference_column or protocol is human_scores.Protocol.PAPER:
        settings = protocol_report.Settings(protocol, splits, seed, logistic, lower_is_better, jobs)
        columns = protocol_report.Columns(image_column, mos_column, group_column, subset_column, reference_column)
        prepared = cross_report.prepare(files, columns, settings, dmos or [], cross=cross, console=console)
        loaded = load_model(model, offline=offline, device=device, runtime=runtime.value)
        with options.open_cache(cache, cache_dir, cache_size, console) as known:
            report = prepared(loaded, known)
        with console.results(output) as stream:
            if format is Format.JSON:
                _write_json(stream, report.document)
            else:
                report.write(stream)
        raise typer.Exit(outcome(failed=0, unreadable=len(report.errors), skip_unreadable=skip_unreadable))

    if group_column is not None:
        raise SettingError("--group-column keeps groups together in random splits: give --protocol paper with it.")
    mos = files[0]
    logistic = logistic is not False
    table = read_mos_table(mos, image_column=image_column, mos_column=mos_column, subset_column=subset_column)
    loaded = load_model(model, probe=probe, offline=offline, device=device, runtime=runtime.value, on_demand=cache)
    with options.open_cache(cache, cache_dir, cache_size, console) as known:
        records = _scored(loaded, table, jobs, known, console)
    unreadable = [record for record in records if record.mos is None]
    readable = [row for row, record in enumerate(records) if record.mos is not None]
    table = table.take(readable)
    results = judge(
        _predictions(loaded, records, lower_is_better),
        table.mos,
        subsets=table.subsets,
        logistic=logistic,
        seed=seed,
    )
    with console.results(output) as stream:
        if format is Format.JSON:
            _write_json(stream, _document(loaded, mos, results, unreadable, logistic))
        else:
            human_scores.write_figures(stream, [_row(result) for result in results], _note(loaded, logistic))
    raise typer.Exit(outcome(failed=0, unreadable=len(unreadable), skip_unreadable=skip_unreadable))


def _tables_named(mos: Path | None, tables: list[Path] | None, cross: bool) -> list[Path]:
    """The files of human scores: one, or with --cross several."""
    if cross:
        if mos is not None:
            raise SettingError("--cross takes its tables without --mos: shamisa evaluate --cross a.csv b.csv c.csv")
        return tables or []
    if tables:
        raise SettingError(f"{tables[0]} goes with --cross; a single table of human scores is named by --mos.")
    if mos is None:
        raise SettingError("Name a table of human scores with --mos FILE, or several with --cross FILE FILE ...")
    return [mos]


def _write_json(stream: TextIO, document: Mapping[str, Any]) -> None:
    stream.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _scored(
    model: Model, table: MosTable, jobs: int | None, cache: Cache | None, console: Console
) -> list[ImageRecord]:
    from shamisa_cli.core.probe.mos import MIN_ROWS, too_few
    from shamisa_cli.core.scoring.pipeline import score_files

    records = []
    with (
        closing(score_files(model, table.paths, jobs=jobs, cache=cache)) as scoring,
        console.progress("Scoring", len(table)) as advance,
    ):
        for record in scoring:
            records.append(record)
            advance(1)
    human_scores.warn_of_unreadable(
        console, [(record.path, record.error.message) for record in records if record.error is not None]
    )
    readable = sum(record.mos is not None for record in records)
    if readable < MIN_ROWS:
        raise InputNotFoundError(too_few(readable, len(table)))
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
    model: Model, mos: Path, results: Sequence[Evaluation], unreadable: Sequence[ImageRecord], logistic: bool
) -> dict[str, Any]:
    from shamisa_cli.core.probe.metrics import CONFIDENCE
    from shamisa_cli.core.scoring.pipeline import describe_run

    return {
        "schema": SCHEMA,
        "model": describe_run(model, "model").model.to_json(),
        "mos": str(mos),
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
