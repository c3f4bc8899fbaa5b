"""Decisions of a cull as a table for people, JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from rich.text import Text

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.output import CsvTable, plain_table, print_block, rich_on, write_json
from shamisa_cli.cli.reporters.distribution import quality_style
from shamisa_cli.cli.reporters.text import counted, shortened
from shamisa_cli.core.records import SCHEMA
from shamisa_cli.core.scoring.score_columns import COLUMNS, GROUP_COLUMNS, score_row

if TYPE_CHECKING:
    from shamisa_cli.core.culling.decisions import CullRule, Decision

STYLES = {"keep": "bold green", "reject": "bold red", "unreadable": "bold yellow"}
FIXED_CELLS = 34
"""Columns of a row besides the path and the reason."""
SHORTEST_PATH, LONGEST_REASON = 16, 40

Writer = Callable[[Sequence["Decision"], "CullRule", TextIO], None]


def write_decisions_text(decisions: Sequence[Decision], rule: CullRule, stream: TextIO) -> None:  # noqa: ARG001
    """Write one line per image, groups together and the best of each first, then the totals."""
    console = rich_on(stream)
    room = max(SHORTEST_PATH, console.width - FIXED_CELLS)
    with_reasons = room - LONGEST_REASON >= SHORTEST_PATH
    room -= LONGEST_REASON if with_reasons else 0
    table = plain_table()
    table.add_column(" Decision", no_wrap=True)
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("Stars", no_wrap=True)
    table.add_column("Picture", no_wrap=True)
    if with_reasons:
        table.add_column("Reason", no_wrap=True, style="dim")
    for decision in sorted(decisions, key=_place):
        record = decision.record
        score = Text("" if record.score is None else f"{record.score:.1f}", quality_style(record.score or 0.0))
        table.add_row(
            Text(f" {decision.verdict}", STYLES[decision.verdict]),
            score,
            "★" * (decision.stars or 0),
            shortened(printable(record.path), room),
            *([shortened(printable(decision.reason), LONGEST_REASON)] if with_reasons else []),
        )
    print_block(console, table)
    console.print()
    console.print(_totals(decisions), soft_wrap=not console.is_terminal)


def _place(decision: Decision) -> tuple[bool, float, int, float]:
    record = decision.record
    number = 0 if record.group is None else record.group.number
    return record.score is None, number, not (record.group and record.group.best), -(record.score or 0.0)


def _totals(decisions: Sequence[Decision]) -> Text:
    counts = {name: sum(decision.verdict == name for decision in decisions) for name in STYLES}
    said = f" {counted(len(decisions), 'picture')}: {counts['keep']:,} to keep, {counts['reject']:,} to reject"
    if counts["unreadable"]:
        said += f", {counts['unreadable']:,} unreadable"
    groups = {each.record.group.number for each in decisions if each.record.group and each.record.group.size > 1}
    if groups:
        said += f"; {counted(len(groups), 'group')} of similar pictures"
    return Text(said, "bold")


def write_decisions_json(decisions: Sequence[Decision], rule: CullRule, stream: TextIO) -> None:
    """Write one document: the rule, and the images in input order."""
    conditions = {"keep_best": rule.keep_best, "below": rule.below, "best_of_groups": rule.best_of_groups}
    images = [decision.to_json() for decision in decisions]
    write_json({"schema": SCHEMA, "rule": conditions, "images": images}, stream)


def write_decisions_csv(decisions: Sequence[Decision], rule: CullRule, stream: TextIO) -> None:  # noqa: ARG001
    """Write the decision, its reason and the stars, then the columns of `score`."""
    table = CsvTable(stream)
    names = [column.name for column in (*COLUMNS, *GROUP_COLUMNS)]
    table.writerow(["verdict", "reason", "stars", *names])
    for decision in decisions:
        row = score_row(decision.record)
        table.writerow([decision.verdict, decision.reason, decision.stars, *(row.get(name) for name in names)])


WRITERS: dict[str, Writer] = {
    "text": write_decisions_text,
    "json": write_decisions_json,
    "csv": write_decisions_csv,
}
