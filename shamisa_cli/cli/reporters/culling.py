"""Decisions of a cull as a table for people, JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from rich.text import Text

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.fitted_table import Column, fitted_table
from shamisa_cli.cli.output import CsvTable, counted, print_block, rich_on, write_json
from shamisa_cli.cli.reporters.distribution import quality_style
from shamisa_cli.cli.reporters.text import warning_lines
from shamisa_cli.core.records import SCHEMA
from shamisa_cli.core.scoring.score_columns import score_row, table_columns

if TYPE_CHECKING:
    from shamisa_cli.core.culling.decisions import CullRule, Decision

STYLES = {"keep": "bold green", "reject": "bold red", "unreadable": "bold yellow"}
SHORTEST_PATH, LEAST_REASON = 16, 28
OTHER_LINES = 8
"""Lines of a screen that the table leaves for its heading, the totals, what is done, and the prompt."""
FEWEST_ROWS = 6

Writer = Callable[[Sequence["Decision"], "CullRule", TextIO], None]


def write_decisions_text(decisions: Sequence[Decision], rule: CullRule, stream: TextIO) -> None:  # noqa: ARG001
    """Write one line per image, groups together and the best of each first, then the totals.

    On a terminal the middle of more than a screenful is left out.
    """
    console = rich_on(stream)
    ordered = sorted(decisions, key=_place)
    rows = max(FEWEST_ROWS, console.height - OTHER_LINES)
    left_out = len(ordered) - rows + 1 if console.is_terminal and len(ordered) > rows else 0
    first = 2 * rows // 3
    lines = [_cells(each) for each in ordered]
    if left_out:
        lines[first : first + left_out] = [[Text(" ⋮"), *[Text("")] * 4]]
    verdicts, scores, stars, names, reasons = zip(*lines, strict=True) if lines else [()] * 5
    columns = (
        Column(" Decision", verdicts),
        Column("Score", scores, justify="right"),
        Column("Stars", [str(text) for text in stars], importance=2),
        Column("Picture", [str(text) for text in names], least=SHORTEST_PATH),
        Column("Reason", [str(text) for text in reasons], "left", "dim", LEAST_REASON, importance=1),
    )
    print_block(console, fitted_table(columns, console.width))
    if left_out:
        print_block(console, Text(f" {left_out:,} are not shown. All: pipe into less, or -o decisions.csv", "dim"))
    console.print()
    console.print(_totals(decisions), soft_wrap=not console.is_terminal)
    for line in warning_lines([each.record.described_warnings for each in ordered], console):
        print_block(console, line)


def _cells(decision: Decision) -> list[Text]:
    """Decision, score, stars (of images that are kept), name and reason."""
    record = decision.record
    score = "" if record.score is None else f"{record.score:.1f}"
    stars = "★" * (decision.stars or 0) if decision.verdict == "keep" else ""
    return [
        Text(f" {decision.verdict}", STYLES[decision.verdict]),
        Text(score, quality_style(record.score or 0.0)),
        Text(stars),
        Text(printable(record.path)),
        Text(printable(decision.reason)),
    ]


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
    names = [column.name for column in table_columns(grouped=True)]
    table.writerow(["verdict", "reason", "stars", *names])
    for decision in decisions:
        row = score_row(decision.record)
        table.writerow([decision.verdict, decision.reason, decision.stars, *(row.get(name) for name in names)])


WRITERS: dict[str, Writer] = {
    "text": write_decisions_text,
    "json": write_decisions_json,
    "csv": write_decisions_csv,
}
