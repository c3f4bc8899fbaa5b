"""Options that name a table of human scores, and tables of agreement, for fit-probe and evaluate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.text import Text

from shamisa_cli.cli.console import Console, printable
from shamisa_cli.cli.fitted_table import GAP, Column, fitted_table
from shamisa_cli.cli.output import print_block, rich_on

if TYPE_CHECKING:
    from shamisa_cli.core.probe.mos_table import MosTable
    from shamisa_cli.core.probe.protocol import ProtocolResult

HUMAN_SCORES = "Human scores"
PROTOCOL = "Protocol"
FIGURE_NAMES = ("SRCC", "PLCC", "KRCC", "RMSE")
UNDEFINED = "–"
SHORTEST_NAME = 12
"""Columns of a terminal for the name of a subset."""

MOS_HELP = "CSV file with column names in its first line; pictures are named relative to its folder."
MosFile = Annotated[Path, typer.Option("--mos", metavar="FILE", rich_help_panel=HUMAN_SCORES, help=MOS_HELP)]
OptionalMosFile = Annotated[
    Path | None,
    typer.Option(
        "--mos",
        metavar="FILE",
        rich_help_panel=HUMAN_SCORES,
        show_default=False,
        help=MOS_HELP,
    ),
]
ImageColumn = Annotated[
    str, typer.Option(metavar="NAME", rich_help_panel=HUMAN_SCORES, help="Column with the names of the pictures.")
]
MosColumn = Annotated[
    str, typer.Option(metavar="NAME", rich_help_panel=HUMAN_SCORES, help="Column with the mean opinion scores.")
]
SubsetColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=HUMAN_SCORES,
        show_default="none",
        help="Column by which results are broken down.",
    ),
]
LowerIsBetter = Annotated[
    bool,
    typer.Option(
        "--lower-is-better",
        rich_help_panel=HUMAN_SCORES,
        show_default="off",
        help="The scores measure impairment (DMOS): lower looks better.",
    ),
]


GroupColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=HUMAN_SCORES,
        show_default="none",
        help="Column, such as the reference photograph, whose groups are never divided by a split.",
    ),
]
SessionColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=HUMAN_SCORES,
        show_default="none",
        help="Column with the rating session or study of each score. Each gets an intercept of its own, so that "
        "quality is learned from differences inside sessions.",
    ),
]
Splits = Annotated[int, typer.Option(min=1, rich_help_panel=PROTOCOL, help="Number of random 70/10/20 splits.")]


class ProtocolName(StrEnum):
    """Evaluation protocols."""

    DEFAULT = "default"
    PAPER = "paper"


def write_figures(stream: TextIO, rows: Sequence[Sequence[str]], note: str) -> None:
    """Write a table of agreement for people; each row is a name, the number of images, and the four figures.

    Where a terminal has no room for a table, the figures of each row are below each other.
    """
    console = rich_on(stream)
    names = [f" {printable(name)}" for name, *_ in rows]
    figures = zip(("Count", *FIGURE_NAMES), zip(*(cells for _, *cells in rows), strict=True), strict=True)
    columns = [Column(heading, cells, justify="right") for heading, cells in figures]
    rest = sum(column.widest + GAP for column in columns)
    if console.width - rest >= SHORTEST_NAME:
        print_block(console, fitted_table([Column(" Pictures", names, least=SHORTEST_NAME), *columns], console.width))
    else:
        for row, name in enumerate(names):
            count, *others = (column.cells[row] for column in columns)
            console.print(Text.assemble((name, "bold"), f": {count} pictures"))
            for heading, cell in zip(FIGURE_NAMES, others, strict=True):
                console.print(Text(f"   {heading}  {cell}"))
    console.print(Text(f"\n {printable(note)}", "dim"), soft_wrap=not console.is_terminal)


def protocol_rows(result: ProtocolResult, table: MosTable) -> list[list[str]]:
    """Rows for `write_figures`: medians and spreads over the splits, on all images and then by subset."""
    from shamisa_cli.core.probe.card import format_spread
    from shamisa_cli.core.probe.protocol import FIGURES

    counts: dict[str | None, int] = {None: len(table), **Counter(table.subsets or ())}
    return [
        [subset or "all", f"{counts[subset]:,}", *(format_spread(result.spread(name, subset)) for name in FIGURES)]
        for subset in (None, *result.subset_names)
    ]


def protocol_note(result: ProtocolResult, protocol: ProtocolName, *, logistic: bool, grouped: bool) -> str:
    """Describe in a phrase how the medians of a protocol were obtained."""
    over = f"median ± interquartile range over {len(result.splits)} splits"
    if protocol is ProtocolName.DEFAULT:
        mapping = "; PLCC and RMSE after a logistic mapping" if logistic else ""
        return f"{over}, on held-out pictures{mapping}; alpha {result.alpha:.4g}"
    mapping = "after a 4-parameter logistic" if logistic else "of the unmapped predictions"
    units = "groups" if grouped else "pictures"
    return f"the paper's protocol: {over} by {units}, held out; PLCC and RMSE {mapping}; alpha {result.alpha:.4g}"


def figure_with_interval(value: float, interval: tuple[float, float]) -> str:
    """A figure and its interval with three decimals; a dash where undefined."""
    if not math.isfinite(value):
        return UNDEFINED
    low, high = (f"{end:.3f}" if math.isfinite(end) else UNDEFINED for end in interval)
    return f"{value:.3f} [{low}, {high}]"


def warn_of_unreadable(console: Console, unreadable: Sequence[tuple[str, str]]) -> None:
    """Warn of the images that are left out, each with the reason, up to a limit."""
    console.warn_of_unreadable(
        [reason if reason.startswith(path) else f"{path}: {reason}" for path, reason in unreadable]
    )


def warn_of_doubts(console: Console, warnings: Sequence[str], *, reversed: bool) -> None:
    """Print warnings about results, and the option that is missing where ratings seem to be impairments."""
    for warning in warnings:
        console.warn(warning)
    if reversed:
        console.warn(
            "The model's scores fall as the ratings rise. If lower ratings mean better pictures (DMOS), "
            "give --lower-is-better."
        )
