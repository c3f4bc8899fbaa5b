"""Results as people and programs read them: rich on a stream, a plain table, facts, JSON; each written once."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from shamisa_cli.cli.console import printable
from shamisa_cli.core.steering import steers

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""Beginnings of cells that spreadsheets compute, those of East Asian keyboards included."""
_COMMAND_OF_CI = re.compile(r"(##(?='*\[)|[\n\r]\s*(?='*::))")
"""Where an apostrophe is put so that a CI runner sees no command."""
NO_WIDTH = 100_000
"""Columns of a pipe: nothing is shortened or wrapped there."""


def rich_on(stream: TextIO) -> RichConsole:
    """Rich on a stream of results, which prints text as it is: no markup, no emoji names, no coloured numbers."""
    console = RichConsole(file=stream, highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        return console
    return RichConsole(file=stream, highlight=False, markup=False, emoji=False, width=NO_WIDTH)


def print_block(console: RichConsole, block: RenderableType) -> None:
    """Print a table or a text, which is wrapped on a terminal only."""
    console.print(block, soft_wrap=not console.is_terminal)


def plain_table() -> Table:
    """A table without a frame, with a line under its bold headings; columns and rows are to be added."""
    return Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1))


def write_facts(rows: Sequence[tuple[str, str]], stream: TextIO) -> None:
    """Write a fact on each line: its name in bold, in a column as wide as the longest, and what it is."""
    console = rich_on(stream)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        console.print(Text.assemble((f" {name:<{width}}  ", "bold"), printable(value)), soft_wrap=True)


def write_json(document: Mapping[str, Any], stream: TextIO) -> None:
    """Write one JSON document, indented. Raises ValueError for a number that JSON does not have."""
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False).iterencode(document):
        stream.write(_inert_json(piece))
    stream.write("\n")


def write_json_line(record: Mapping[str, Any], stream: TextIO) -> None:
    """Write one JSON object on a line, at once, for whoever waits for it. Raises ValueError as `write_json` does."""
    stream.write(_inert_json(json.dumps(record, ensure_ascii=False, allow_nan=False)) + "\n")
    stream.flush()


def _inert_json(text: str) -> str:
    """JSON that reads as the same, without what could steer a terminal or a CI runner."""
    shown = text.replace("##[", r"#\u0023[")
    if shown.isascii() and "\x7f" not in shown:
        return shown
    return "".join(
        f"\\u{ord(each):04x}" if each not in "\n\r" and steers(each) and not "\ud800" <= each <= "\udfff" else each
        for each in shown
    )


class CsvTable:
    """Rows of CSV (RFC 4180) in which no cell is a formula for a spreadsheet.

    A text that begins with one of `FORMULA_STARTS` gets an apostrophe before it, and so does one that has apostrophes
    before such a character: whoever reads it takes one apostrophe away. The commands of CI runners `##[` anywhere, and
    `::` after a line break, are parted in the same way: `##'[`. A first cell that begins with `::`, a command
    for CI runners, is quoted. On a terminal, control characters are shown as escapes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = printable if stream.isatty() else str
        self._plain = csv.writer(stream, lineterminator="\n")
        self._quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)

    def writerow(self, row: Sequence[object]) -> None:
        """Write one row; None is an empty field."""
        cells = [self._shown(_inert_cell(cell)) if isinstance(cell, str) else cell for cell in row]
        is_command = bool(cells) and str(cells[0]).lstrip().startswith("::")
        has_return = any("\r" in cell for cell in cells if isinstance(cell, str))  # which Python's writer leaves bare
        (self._quoted if is_command or has_return else self._plain).writerow(
            ["" if cell is None else cell for cell in cells]
        )


def _inert_cell(text: str) -> str:
    broken = _COMMAND_OF_CI.sub(r"\1'", text)
    return f"'{broken}" if broken.lstrip("'").startswith(FORMULA_STARTS) else broken


def counted(count: int, noun: str) -> str:
    """A number with its noun, such as "1 picture" and "1,200 pictures"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
