"""Results as people and programs read them: rich on a stream, a plain table, facts, JSON; each written once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from shamisa_cli.cli.console import printable

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
    json.dump(document, stream, indent=2, ensure_ascii=False, allow_nan=False)
    stream.write("\n")


def write_json_line(record: Mapping[str, Any], stream: TextIO) -> None:
    """Write one JSON object on a line, at once, for whoever waits for it. Raises ValueError as `write_json` does."""
    stream.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
    stream.flush()
