"""Comparisons for people: a score per candidate, and a bar for each group and axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from rich.console import Console, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.fitted_table import Column, fitted_table, shortened
from shamisa_cli.cli.output import counted, print_block, rich_on
from shamisa_cli.cli.reporters.base import ComparisonRun
from shamisa_cli.cli.reporters.comparison.bars import BETTER, FAINT, NEUTRAL, WORSE, diverging_bar, score_style, signed
from shamisa_cli.cli.reporters.text import FIRST_ROWS, LAST_ROWS, MAX_ROWS, unreadable_table, warning_lines
from shamisa_cli.core.relational.records import ENDS, FAULTS, Candidate, comparison_summary
from shamisa_cli.core.relational.wording import NOTABLE, changes, describe, placing

IN_DETAIL = 4
"""Largest number of candidates that are shown with all bars; more get one line per candidate."""
BAR_CELLS = 10
"""Width of half a bar, in columns."""
SCORE_CELLS = 10
SCORE_RANGE = 100.0
NAMED_CHANGES = 3
LEAST_CHANGES = 28
"""Columns of a terminal for the words on what changed."""
SCALES = (1.0, 2.0, 4.0, 8.0)
"""Possible ranges of the bars, in intensity; all bars of one run share a range."""
SHORTEST_PATH = 16
AGAINST = "  against  "
WITH_BOTH_ENDS, WITH_BARS = 79, 58
"""Columns of a terminal from which changes are shown with words for both ends, and with bars."""

Row = tuple[str, str, float, str, str]
"""Words for the two ends, a signed value, and the colours of the two ends."""


def write_comparison_text(candidates: Iterable[Candidate], run: ComparisonRun, stream: TextIO) -> None:
    """Lay everything out once all candidates have come; colours and limits apply on a terminal only."""
    console = rich_on(stream)
    for block in _blocks(list(candidates), run, console):
        print_block(console, block)


def _blocks(candidates: Sequence[Candidate], run: ComparisonRun, console: Console) -> Iterator[RenderableType]:
    compared = [candidate for candidate in candidates if candidate.score is not None]
    unread = [candidate for candidate in candidates if candidate.score is None]
    full = _scale(compared)
    if len(compared) <= IN_DETAIL:
        for candidate in compared:
            yield from _detail(candidate, full, console)
    else:
        yield from _table_and_note(compared, console)
        yield ""
    if len(candidates) > 1:
        yield _summary_line(candidates)
    failed = [candidate for candidate in compared if candidate.status == "failed"]
    for candidate in failed:
        said = "; ".join(finding.message for finding in run.gate.findings(candidate))
        yield Text(f" ✗ {printable(f'{candidate.path} {said}')}", "bold red")
    yield from warning_lines((said for candidate in compared for said in candidate.described_warnings), console)
    if unread:
        yield ""
        yield from unreadable_table(unread, console, "compared")
        yield ""
    bars = f", bars end at severity {full:g} of 4" if 0 < len(compared) <= IN_DETAIL else ""
    yield Text(f" {printable(run.model.name)} ({printable(run.model.revision)}){bars}", "dim")


def _detail(candidate: Candidate, full: float, console: Console) -> Iterator[RenderableType]:
    assert candidate.score is not None
    style = score_style(candidate.score)
    head = Text.assemble((f" {signed(candidate.score):>6} ", f"bold {style}"), "  ")
    in_one_line = console.width >= len(head) + len(AGAINST) + 2 * SHORTEST_PATH
    room = (console.width - len(head) - len(AGAINST)) // 2 if in_one_line else console.width - len(head) - 8
    path, reference = (shortened(printable(name), room) for name in (candidate.path, candidate.reference))
    between = AGAINST if in_one_line else f"\n{' ' * len(head)}against "
    yield head + Text.assemble((path, "bold"), (between, "dim"), (reference, "dim"))
    said = Text(describe(candidate), style)
    yield Padding(said, (0, 0, 0, len(head)), expand=False) if console.is_terminal else Text(" " * len(head)) + said
    yield ""
    yield _changes_table(candidate, full, console.width)
    yield ""


def _changes_table(candidate: Candidate, full: float, width: int) -> Table:
    """A row for each change: the words for both ends with a bar between them; less of that on a narrow terminal."""
    both, with_bars = width >= WITH_BOTH_ENDS, width >= WITH_BARS
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    ends: tuple[JustifyMethod, ...] = ("right", "left", "left", "right")
    for justify, shown in zip(ends, (both, with_bars, True, True), strict=True):
        if shown:
            table.add_column(justify=justify, no_wrap=True)
    for index, (low, high, value, low_style, high_style) in enumerate(_rows(candidate)):
        if index == len(FAULTS):
            table.add_row()
        notable = abs(value) >= NOTABLE
        style = (low_style if value < 0 else high_style) if notable else FAINT
        words = [
            Text(word, style if said and notable else "dim") for word, said in ((low, value < 0), (high, value > 0))
        ]
        number = Text(f"{signed(value, 2):>5}", f"bold {style}" if notable else "dim")
        bar = diverging_bar(value, full, BAR_CELLS, style)
        if both:
            table.add_row(Text("   ") + words[0], bar, words[1], number)
        else:
            cells = [bar, words[value >= 0]] if with_bars else [words[value >= 0]]
            table.add_row(Text("   ") + cells[0], *cells[1:], number)
    return table


def _rows(candidate: Candidate) -> list[Row]:
    """Faults first, then axes with two ends, neither of which is better in itself."""
    means = {**(candidate.groups or {}), **(candidate.axes or {})}
    two_ended = [name for name in ENDS if name not in FAULTS]
    faults = [(*ENDS[name], means[name], BETTER, WORSE) for name in FAULTS]
    return [*faults, *((*ENDS[name], means[name], NEUTRAL, NEUTRAL) for name in two_ended)]


def _scale(compared: Sequence[Candidate]) -> float:
    largest = max((abs(row[2]) for candidate in compared for row in _rows(candidate)), default=0.0)
    return next((scale for scale in SCALES if largest <= scale), SCALES[-1])


def _table_and_note(compared: Sequence[Candidate], console: Console) -> Iterator[RenderableType]:
    ordered = sorted(compared, key=lambda candidate: (candidate.score or 0.0, candidate.path))
    if console.is_terminal and len(ordered) > MAX_ROWS:
        left_out = len(ordered) - FIRST_ROWS - LAST_ROWS
        yield _table([*ordered[:FIRST_ROWS], None, *ordered[-LAST_ROWS:]], console)
        yield Text(
            f" {left_out:,} candidates are not shown. For all of them use --format csv, or pipe the output.", "dim"
        )
    else:
        yield _table(ordered, console)


def _table(rows: Sequence[Candidate | None], console: Console) -> Table:
    said = [_said(row) if row is not None else "" for row in rows]
    marks = ["✗ " if row is not None and row.status == "failed" else "" for row in rows]
    names = [" ⋮" if row is None else f" {mark}{printable(row.path)}" for row, mark in zip(rows, marks, strict=True)]
    scores = [None if row is None else row.score for row in rows]
    columns = (
        Column(" Candidate", names, least=SHORTEST_PATH),
        Column("Score", [_score(score) for score in scores], justify="right"),
        Column("Differs", ["" if row is None else f"{row.difference:.1f}" for row in rows], justify="right"),
        Column("worse    better", [_bar(score) for score in scores], justify="center", importance=1),
        Column("What changed", said, least=LEAST_CHANGES, wraps=True, importance=2),
    )
    return fitted_table(columns, console.width)


def _score(score: float | None) -> Text:
    return Text("") if score is None else Text(signed(score), f"bold {score_style(score)}")


def _bar(score: float | None) -> Text:
    return Text("") if score is None else diverging_bar(score, SCORE_RANGE, SCORE_CELLS, score_style(score))


def _said(candidate: Candidate) -> str:
    """The strongest changes in words: "more noise 3.5, blurrier 0.9"; and how it was laid over the reference."""
    said = ", ".join(f"{words} {size:.1f}" for words, size in changes(candidate)[:NAMED_CHANGES])
    return "; ".join(part for part in (said, placing(candidate)) if part)


def _summary_line(candidates: Sequence[Candidate]) -> Text:
    summary = comparison_summary(candidates)
    line = Text(f" {counted(len(candidates), 'candidate')}", "bold")
    styles = {"better": BETTER, "same": "", "unclear": NEUTRAL, "worse": WORSE}
    for verdict, style in styles.items():
        if summary[verdict]:
            line.append("  ·  ", "dim").append(f"{summary[verdict]:,} {verdict}", f"not bold {style}")
    for name, key in (("mean", "mean"), ("lowest", "min")):
        if summary[key] is not None:
            number = signed(summary[key])
            line.append("  ·  ", "dim").append(f"{name} ", "not bold").append(number, score_style(summary[key]))
    return line
