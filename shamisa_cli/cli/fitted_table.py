"""A table that fits a terminal: the least important columns are left out, and names are shortened, but no number is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, chop_cells
from rich.table import Table
from rich.text import Text

from shamisa_cli.cli.output import plain_table

GAP = 3
"""Spaces between two columns."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: its heading.
        cells: one for each row.
        justify: alignment of heading and cells.
        style: of all cells.
        least: number of columns of the terminal that it needs; None: as many as its widest cell. Wider cells are
            shortened, or wrapped between words.
        wraps: whether wider cells are wrapped instead of shortened in the middle.
        importance: columns of the least importance are left out first; None: never.
    """

    heading: str
    cells: Sequence[str | Text]
    justify: Literal["left", "right", "center"] = "left"
    style: str = ""
    least: int | None = None
    wraps: bool = False
    importance: int | None = None

    @property
    def widest(self) -> int:
        """Width of its widest text."""
        return max(cell_len(str(text)) for text in (self.heading, *self.cells))

    @property
    def needed(self) -> int:
        """Least width."""
        return self.widest if self.least is None else min(self.widest, self.least)


def fitted_table(columns: Sequence[Column], width: int) -> Table:
    """A table in at most `width` columns of a terminal, where the columns that are never left out have room there."""
    kept = list(columns)
    while _total([column.needed for column in kept]) > width:
        droppable = [column for column in kept if column.importance is not None]
        if not droppable:
            break
        kept.remove(min(droppable, key=lambda column: column.importance or 0))
    spare = width - _total([column.needed for column in kept])
    table = plain_table()
    shown: list[list[str | Text]] = []
    for column in kept:
        cells = column.needed + max(0, min(spare, column.widest - column.needed))
        spare -= cells - column.needed
        table.add_column(
            column.heading, justify=column.justify, style=column.style, no_wrap=not column.wraps, max_width=cells
        )
        shown.append([cell if column.wraps else _within(cell, cells) for cell in column.cells])
    for row in zip(*shown, strict=True):
        table.add_row(*row)
    return table


def fits(columns: Sequence[Column], width: int) -> bool:
    """Whether the columns that are never left out have room in `width` columns of a terminal."""
    return _total([column.needed for column in columns if column.importance is None]) <= width


def shortened(text: str, cells: int) -> str:
    """Shorten `text` to at most `cells` columns by an ellipsis in the middle, nearer to the start."""
    if cell_len(text) <= cells:
        return text
    head = (cells - 1) // 3
    start = chop_cells(text, head)[0] if head else ""
    end = chop_cells(text[::-1], cells - 1 - head)[0][::-1]
    return f"{start}…{end}"


def _within(cell: str | Text, cells: int) -> str | Text:
    return cell if isinstance(cell, Text) else shortened(cell, cells)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
