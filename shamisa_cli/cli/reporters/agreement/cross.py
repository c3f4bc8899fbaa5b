"""Report of `evaluate --cross`: probes fitted on each of several tables of human scores, tested on all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console as RichConsole
from rich.text import Text

from shamisa_cli.cli import mos_options
from shamisa_cli.cli.console import Console, printable
from shamisa_cli.cli.fitted_table import Column, fits, fitted_table
from shamisa_cli.cli.output import counted, print_block, rich_on
from shamisa_cli.cli.reporters.agreement.protocol import (
    DIFFERENCES,
    Columns,
    Report,
    Settings,
    document_head,
    error_entries,
    json_number,
    report_one,
    warn_of,
)
from shamisa_cli.core.errors import SettingError

if TYPE_CHECKING:
    from shamisa_cli.core.fitting.protocols import CrossEvaluation
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.probe.mos_table import MosTable
    from shamisa_cli.core.scoring.cache import Cache

CROSS_FIGURES = ("srcc", "plcc")

Prepared = Callable[["Model", "Cache | None"], Report]


def prepare(
    files: Sequence[Path],
    columns: Columns,
    settings: Settings,
    dmos: Sequence[Path],
    *,
    cross: bool,
    console: Console,
) -> Prepared:
    """Read and check the tables before a model is loaded; return a function that does the rest."""
    if not cross:
        table = columns.read(files[0])
        return lambda model, cache: report_one(model, files[0], table, settings, cache, console)

    from shamisa_cli.core.fitting.protocols import data_set_names

    names = data_set_names(files)
    tables = dict(zip(names, _read_all(files, columns), strict=True))
    impaired = names if settings.lower_is_better else _names_of(dmos, files, names)
    paths = dict(zip(names, files, strict=True))
    return lambda model, cache: _across(model, paths, tables, impaired, settings, cache, console)


def _read_all(files: Sequence[Path], columns: Columns) -> list[MosTable]:
    """The tables; those without the group column are split by picture."""
    from shamisa_cli.core.probe.mos_table import column_names

    grouped = [columns.group is None or columns.group in column_names(file) for file in files]
    if not any(grouped):
        grouped = [True] * len(files)  # reading the first one says what is missing
    return [
        (columns if has_groups else replace(columns, group=None)).read(file)
        for file, has_groups in zip(files, grouped, strict=True)
    ]


def _names_of(dmos: Sequence[Path], files: Sequence[Path], names: Sequence[str]) -> list[str]:
    known = {file.resolve(): name for file, name in zip(files, names, strict=True)}
    for path in dmos:
        if path.resolve() not in known:
            raise SettingError(f"--dmos is {path}, which is not one of the tables of --cross.")
    return [known[path.resolve()] for path in dmos]


def _across(
    model: Model,
    paths: Mapping[str, Path],
    tables: Mapping[str, MosTable],
    impaired: Sequence[str],
    settings: Settings,
    cache: Cache | None,
    console: Console,
) -> Report:
    from shamisa_cli.core.fitting.protocols import evaluate_across

    run = evaluate_across(
        model,
        tables,
        settings.protocol.value,
        lower_is_better=impaired,
        splits=settings.splits,
        seed=settings.seed,
        logistic=settings.logistic is not False,
        jobs=settings.jobs,
        cache=cache,
        progress=console.progress,
    )
    warn_of(console, run.errors)
    mos_options.warn_of_doubts(console, run.warnings, reversed=False)
    return Report(
        _cross_document(model, paths, settings, run),
        lambda stream: write_cross(stream, run, _cross_note(model, settings, run)),
        sum(map(len, run.tables.values())),
        run.errors,
    )


def write_cross(stream: TextIO, run: CrossEvaluation, note: str) -> None:
    """Write a table for people for each of `CROSS_FIGURES`, or lists where a terminal has no room for tables."""
    console = rich_on(stream)
    for figure in CROSS_FIGURES:
        columns = _cross_columns(run, figure)
        if fits(columns, console.width):
            print_block(console, fitted_table(columns, console.width))
        else:
            _write_cross_list(console, run, figure)
        console.print()
    print_block(console, Text(f" {printable(note)}", "dim"))


def _cross_columns(run: CrossEvaluation, figure: str) -> list[Column]:
    """One row for each data set that probes are fitted on, one column for each that they are tested on."""
    cross = run.cross
    heading = f" {figure.upper()}: fitted on ↓ tested on →"
    rows = [
        [_cell(getattr(result.agreement, figure), result.within) for result in cross.row(name)] for name in cross.names
    ]
    return [
        Column(heading, [f" {printable(name)}" for name in cross.names], least=mos_options.SHORTEST_NAME, wraps=True),
        Column("Count", [f"{len(run.tables[name]):,}" for name in cross.names], "right", importance=0),
        *(
            Column(printable(name), cells, "right", least=len("(0.123)"))
            for name, cells in zip(cross.names, zip(*rows, strict=True), strict=True)
        ),
    ]


def _write_cross_list(console: RichConsole, run: CrossEvaluation, figure: str) -> None:
    """The figures of each row below each other, for terminals without room for the table."""
    for name in run.cross.names:
        head = (
            f" {figure.upper()}, fitted on {printable(name)} ({counted(len(run.tables[name]), 'picture')}), tested on"
        )
        print_block(console, Text(head, "bold"))
        for result in run.cross.row(name):
            text = _cell(getattr(result.agreement, figure), result.within)
            print_block(console, Text(f"   {text:>7}  {printable(result.tested_on)}"))


def _cell(value: float, within: bool) -> str:
    text = f"{value:.3f}" if math.isfinite(value) else mos_options.UNDEFINED
    return f"({text})" if within else text


def _cross_note(model: Model, settings: Settings, run: CrossEvaluation) -> str:
    protocol = "the paper's protocol" if settings.protocol is mos_options.ProtocolName.PAPER else "default protocol"
    logistic = "of the unmapped predictions" if settings.logistic is False else "after a 4-parameter logistic"
    references = any(table.references for table in run.tables.values())
    return (
        f"{model.name} ({model.revision}); {protocol}: columns are the data sets tested on, whole; "
        f"in brackets the median over {settings.splits} splits of the data set itself; "
        f"PLCC {logistic}" + (f"; {DIFFERENCES}" if references else "")
    )


def _cross_document(
    model: Model, paths: Mapping[str, Path], settings: Settings, run: CrossEvaluation
) -> dict[str, Any]:
    from shamisa_cli.core.probe.protocol import FIGURES

    cross = run.cross
    return {
        **document_head(model, settings, settings.logistic is not False),
        "tables": [
            {
                "name": name,
                "mos": str(paths[name]),
                "count": len(run.tables[name]),
                "alpha": alpha,
                "grouped": run.tables[name].groups is not None,
                "full_reference": run.tables[name].references is not None,
            }
            for name, alpha in zip(cross.names, cross.alphas, strict=True)
        ],
        "results": [
            {
                "fitted_on": result.fitted_on,
                "tested_on": result.tested_on,
                "within": result.within,
                "count": result.agreement.count,
                **{name: json_number(getattr(result.agreement, name)) for name in FIGURES},
            }
            for result in cross.results
        ],
        "errors": error_entries(run.errors),
    }
