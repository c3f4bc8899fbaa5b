"""What fit-probe and evaluate share: the options that name a table of human scores, and how figures are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

from shamisa_cli.cli.console import Console, printable

HUMAN_SCORES = "Human scores"
FIGURE_NAMES = ("SRCC", "PLCC", "KRCC", "RMSE")
UNDEFINED = "–"

MOS_HELP = "A CSV file with a line of column names; pictures are relative to its folder."
MosFile = Annotated[Path, typer.Option("--mos", metavar="FILE", rich_help_panel=HUMAN_SCORES, help=MOS_HELP)]
OptionalMosFile = Annotated[
    Path | None,
    typer.Option(
        "--mos", metavar="FILE", rich_help_panel=HUMAN_SCORES, show_default="needed but for --gmad", help=MOS_HELP
    ),
]
ImageColumn = Annotated[
    str, typer.Option(metavar="NAME", rich_help_panel=HUMAN_SCORES, help="The column that names the pictures.")
]
MosColumn = Annotated[
    str, typer.Option(metavar="NAME", rich_help_panel=HUMAN_SCORES, help="The column of mean opinion scores.")
]
SubsetColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=HUMAN_SCORES,
        show_default="none",
        help="A column by which results are broken down.",
    ),
]
LowerIsBetter = Annotated[
    bool,
    typer.Option(
        "--lower-is-better",
        rich_help_panel=HUMAN_SCORES,
        show_default="off",
        help="The scores count impairment (DMOS): lower looks better.",
    ),
]


def write_figures(stream: TextIO, rows: Sequence[Sequence[str]], note: str) -> None:
    """A table of agreement for a person: a name, the number of pictures, and the four figures in each row."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    console = RichConsole(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        # A pipe has no width: nothing is shortened or wrapped.
        console = RichConsole(file=stream, highlight=False, markup=False, emoji=False, width=100_000)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1))
    table.add_column(" Pictures", overflow="fold")
    for heading in ("Count", *FIGURE_NAMES):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, *cells in rows:
        table.add_row(Text(f" {printable(name)}"), *cells)
    console.print(table, soft_wrap=not console.is_terminal)
    console.print(Text(f"\n {printable(note)}", "dim"), soft_wrap=True)


def figure_with_interval(value: float, interval: tuple[float, float]) -> str:
    """A figure and its interval with three decimals; a dash where undefined."""
    if not math.isfinite(value):
        return UNDEFINED
    low, high = (f"{end:.3f}" if math.isfinite(end) else UNDEFINED for end in interval)
    return f"{value:.3f} [{low}, {high}]"


def warn_of_unreadable(console: Console, unreadable: Sequence[tuple[str, str]]) -> None:
    """Name the pictures that are left out, each with the reason; of very many the first."""
    console.warn_of_unreadable([f"{path}: {reason}" for path, reason in unreadable])


def too_few(readable: int, count: int, needed: int) -> str:
    """What is said when too few pictures of a table could be read."""
    return (
        f"{readable} of the {count} pictures could be read, and at least {needed} are needed. "
        f"Check the names in the table: they are relative to its folder."
    )
