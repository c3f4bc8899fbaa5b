"""Ladders of codecs as a table and a curve for people, JSON, CSV and SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, TextIO

from rich.text import Text

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.output import CsvTable, plain_table, print_block, rich_on, write_json
from shamisa_cli.cli.reporters.comparison.bars import signed
from shamisa_cli.core.records import SCHEMA

if TYPE_CHECKING:
    from shamisa_cli.core.relational.ladder import Ladder

KILOBYTE = 1000
SVG = "http://www.w3.org/2000/svg"
CURVE_CELLS = 30
OTHER_CELLS = 36
"""Width of the columns beside the curve, and of the mark of the chosen step."""
WIDTH, HEIGHT, MARGIN = 720, 440, 60
COLOURS = ("#1964be", "#b3202f", "#1d6b34")

Writer = Callable[[Sequence["Ladder"], str, float, TextIO], None]


def write_ladder_text(ladders: Sequence[Ladder], name: str, target: float, stream: TextIO) -> None:
    """Write the choice for each codec, and a bar for the score of each step."""
    console = rich_on(stream)
    print_block(console, Text(f" {printable(name)}: the smallest quality that scores {target:g} or more", "bold"))
    for ladder in ladders:
        chosen = ladder.chosen
        said = (
            "no quality reaches the target"
            if chosen is None
            else f"quality {chosen.quality}, {_size(chosen.file_bytes)}"
        )
        print_block(console, Text(f"\n {ladder.codec}: {said}", "bold"))
        table = plain_table()
        for heading in (" Quality", "Size", "Score"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        cells = max(1, min(CURVE_CELLS, console.width - OTHER_CELLS))
        for step in ladder.steps:
            bar = "━" * round(cells * (1 + step.score / 100))
            mark = " ◂" if step == ladder.chosen else ""
            table.add_row(f" {step.quality}", _size(step.file_bytes), signed(step.score), bar + mark)
        print_block(console, table)


def write_ladder_json(ladders: Sequence[Ladder], name: str, target: float, stream: TextIO) -> None:
    """Write one document."""
    document = {"schema": SCHEMA, "reference": name, "target": target}
    write_json(document | {"ladders": [ladder.to_json() for ladder in ladders]}, stream)


def write_ladder_csv(ladders: Sequence[Ladder], name: str, target: float, stream: TextIO) -> None:  # noqa: ARG001
    """Write one row per step."""
    table = CsvTable(stream)
    table.writerow(["codec", "quality", "bytes", "score", "difference", "chosen"])
    for ladder in ladders:
        for step in ladder.steps:
            known = [step.quality, step.file_bytes, step.score, step.difference]
            table.writerow([ladder.codec, *known, int(step == ladder.chosen)])


def write_ladder_svg(ladders: Sequence[Ladder], name: str, target: float, stream: TextIO) -> None:
    """Draw rate–quality curves: size on the horizontal axis, score on the vertical one, the target as a line."""
    largest = max(step.file_bytes for ladder in ladders for step in ladder.steps)
    lowest = min(target, *(step.score for ladder in ladders for step in ladder.steps))

    def place(file_bytes: float, score: float) -> tuple[float, float]:
        x = MARGIN + (WIDTH - 2 * MARGIN) * file_bytes / largest
        return round(x, 1), round(MARGIN + (HEIGHT - 2 * MARGIN) * score / min(lowest, -1), 1)

    left, right, top, bottom = MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN
    _, level = place(0, target)
    lines = [
        f'<svg xmlns="{SVG}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{left}" y="28" font-size="15">{escape(printable(name))}</text>',
        f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#68645f"/>',
        f'<path d="M{left} {level}H{right}" stroke="#68645f" stroke-dasharray="4 4"/>',
        f'<text x="{right}" y="{level - 5}" text-anchor="end" fill="#68645f">target {target:g}</text>',
        f'<text x="{left - 8}" y="{top + 4}" text-anchor="end">0</text>',
        f'<text x="{left - 8}" y="{bottom + 4}" text-anchor="end">{min(lowest, -1):.0f}</text>',
        f'<text x="{left}" y="{bottom + 20}">0</text>',
        f'<text x="{right}" y="{bottom + 20}" text-anchor="end">{_size(largest)}</text>',
        f'<text x="{left - 40}" y="{top - 14}">score</text>',
    ]
    for number, ladder in enumerate(ladders):
        colour = COLOURS[number % len(COLOURS)]
        points = [place(step.file_bytes, step.score) for step in ladder.steps]
        path = " ".join(f"{x},{y}" for x, y in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if ladder.chosen is not None:
            x, y = place(ladder.chosen.file_bytes, ladder.chosen.score)
            lines.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>')
        label = f'<text x="{right}" y="{bottom - 12 - 20 * number}" text-anchor="end" fill="{colour}">'
        lines.append(f"{label}{_described(ladder)}</text>")
    stream.write("\n".join([*lines, "</svg>", ""]))


def _described(ladder: Ladder) -> str:
    chosen = ladder.chosen
    if chosen is None:
        return f"{ladder.codec}: no quality reaches the target"
    return f"{ladder.codec}: quality {chosen.quality}, {_size(chosen.file_bytes)}"


def _size(file_bytes: int) -> str:
    return f"{file_bytes / KILOBYTE:,.1f} kB"


LADDER_WRITERS: dict[str, Writer] = {
    "text": write_ladder_text,
    "json": write_ladder_json,
    "csv": write_ladder_csv,
    "svg": write_ladder_svg,
}
