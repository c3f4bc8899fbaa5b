"""Results for people: a table, the distribution of the scores, a summary, and images that could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.fitted_table import GAP, shortened
from shamisa_cli.cli.output import counted, plain_table, print_block, rich_on
from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.cli.reporters.distribution import histogram, quality_style, sparkline
from shamisa_cli.core.records import ErrorRecord, ImageRecord, Run, Summary, summarise
from shamisa_cli.core.remarks.remark import ABOUT, ARTEFACTS, NOISY
from shamisa_cli.core.scoring.gate import GateStatus, describe_findings, gate_status, gate_summary, worst_first


class HasError(Protocol):
    """A record that may hold an error."""

    @property
    def error(self) -> ErrorRecord | None:
        """The error; None if there was none."""


MAX_ROWS = 200
"""Largest table of candidates on a terminal; of more only the first and last are shown."""
FIRST_ROWS, LAST_ROWS = 50, 10
OTHER_LINES = 8
"""Lines of a screen that the table leaves for its heading, the summary and the prompt."""
FEWEST_ROWS = 6
MAX_PROBLEMS = 20

SCORE_CELLS = 5
BAR_CELLS = 20
SHORTEST_PATH, CLEAR_PATH = 16, 26
"""Characters of a name that are kept in any case, and before sizes and bars are shown."""
LEAST_DEFECTS = 30
"""Characters that defects get before the names of pictures are shortened."""
FEWEST_DEFECTS = 12
"""Characters that defects need."""
GROUP = "Group"
NOTABLE_DEFECT = 0.5
"""Least severity, of 4, of a defect that is named."""
NAMED_DEFECTS = 2
NOTABLE_AT_FULL_SIZE = 1.5
"""Least severity of a fault at 100 % that is named: at 100 % few photographs are faultless."""
MEASURED_AT_FULL_SIZE = (NOISY, ARTEFACTS)
"""Remarks that are named with their severity at 100 %."""
HISTOGRAM_FROM = 5
"""Number of scored images from which a distribution is shown."""
MARKS = {"passed": ("  ", ""), "warned": ("! ", "bold yellow"), "failed": ("✗ ", "bold red"), "unreadable": ("  ", "")}
"""Marks before an image's name, where there is a gate."""


def write_text(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:
    """Write the report once all records have arrived; colours and limits apply on a terminal only."""
    records = list(records)
    console = rich_on(stream)
    for block in _blocks(records, run, console):
        print_block(console, block)


def _blocks(records: Sequence[ImageRecord], run: Run, console: Console) -> Iterable[RenderableType]:
    scored = [record for record in records if record.score is not None]
    unread = [record for record in records if record.score is None]
    summary = run.summary or summarise(records)
    scores = [record.score for record in scored if record.score is not None]
    rows = max(FEWEST_ROWS, console.height - OTHER_LINES)
    is_long = console.is_terminal and len(scored) > rows
    if scored:
        yield from _table_and_note(scored, run, console, rows if is_long else len(scored))
        yield ""
    if len(scored) >= HISTOGRAM_FROM and not is_long and run.summary is None:
        yield from histogram(scores, console.width)
        yield ""
    yield _summary_line(summary, sparkline(scores) if is_long else None)
    if run.summary is not None:
        yield Text(f" {counted(len(records), 'picture')} selected", "dim")
    if run.gated:
        yield _gate_line(summary)
        yield from _findings([record for record in worst_first(records) if record.score is not None], console)
    yield from warning_lines([record.described_warnings for record in scored], console)
    if unread:
        yield ""
        yield from unreadable_table(unread, console, "scored")
    yield _model_line(run)


def _table_and_note(scored: Sequence[ImageRecord], run: Run, console: Console, rows: int) -> Iterable[RenderableType]:
    """The table in at most `rows` rows: the first two thirds of them, and the last third."""
    if len(scored) <= rows:
        yield _table(scored, run, console)
        return
    last = rows // 3
    first = rows - last - 1
    yield _table([*scored[:first], None, *scored[-last:]], run, console)
    yield Text(f" {len(scored) - first - last:,} are not shown. All: pipe into less, or -o scores.csv", "dim")


def _table(rows: Sequence[ImageRecord | None], run: Run, console: Console) -> Table:
    shown = _columns([row for row in rows if row is not None], console.width)
    table = plain_table()
    table.add_column(" Picture", no_wrap=True)
    table.add_column("Score", justify="right", no_wrap=True)
    if shown.bars:
        table.add_column("", no_wrap=True)
    if shown.defects:
        table.add_column("Defects", no_wrap=True)
    if shown.groups:
        table.add_column(GROUP, no_wrap=True)
    if shown.sizes:
        table.add_column("Size", justify="right", style="dim", no_wrap=True)
    for row in rows:
        table.add_row(*(_cells(row, run, shown) if row is not None else [" ⋮"]))
    return table


@dataclass(frozen=True)
class _Columns:
    """Columns that there is room for; `path` is the width of the names, `defects` that of the defects or 0."""

    path: int
    bars: bool
    defects: int
    groups: bool
    sizes: bool


def _columns(records: Sequence[ImageRecord], width: int) -> _Columns:
    """Divide the width of a terminal: names that can be told apart, the reasons of a score, sizes, bars."""
    groups = max(len(_group(record)) for record in records)
    sizes = max(len(_size(record)) for record in records)
    wanted = max(len(", ".join(_defects(record))) for record in records)
    names = max(len(record.path) for record in records) + len(" ! ")
    spare = width - SCORE_CELLS - GAP - SHORTEST_PATH
    spare -= max(groups, len(GROUP)) + GAP if groups else 0
    defects = min(wanted, LEAST_DEFECTS, spare - GAP)
    defects = defects if defects >= min(wanted, FEWEST_DEFECTS) else 0
    spare -= defects + GAP if defects else 0
    path = SHORTEST_PATH + max(0, min(spare, names - SHORTEST_PATH, CLEAR_PATH - SHORTEST_PATH))
    spare -= path - SHORTEST_PATH
    with_sizes = sizes > 0 and spare >= sizes + GAP
    spare -= sizes + GAP if with_sizes else 0
    with_bars = spare >= BAR_CELLS + GAP
    spare -= BAR_CELLS + GAP if with_bars else 0
    longer = max(0, min(spare, names - path))
    defects += min(spare - longer, wanted - defects) if defects else 0
    path += longer
    return _Columns(path, with_bars, defects, groups > 0, with_sizes)


def _cells(record: ImageRecord, run: Run, columns: _Columns) -> list[Text]:
    assert record.score is not None
    mark, mark_style = MARKS[gate_status(record)] if run.gated else ("", "")
    path = Text.assemble(" ", (mark, mark_style), shortened(printable(record.path), columns.path - 1 - len(mark)))
    style = quality_style(record.score)
    further = (
        (columns.bars, _bar(record.score, style)),
        (columns.defects > 0, Text(_fitting(_defects(record), columns.defects))),
        (columns.groups, Text(_group(record))),
        (columns.sizes, Text(_size(record))),
    )
    return [path, Text(f"{record.score:.1f}", f"bold {style}"), *(text for shown, text in further if shown)]


def _bar(score: float, style: str) -> Text:
    halves = round(score / 100 * 2 * BAR_CELLS)
    full, half = divmod(halves, 2)
    rest = BAR_CELLS - full - half
    return Text.assemble(("━" * full + "╸" * half, style), ("─" * rest, "bright_black"))


def _fitting(phrases: Sequence[str], width: int) -> str:
    """As many phrases as fit into `width` characters, or the first words of the first; "…" for the others."""
    whole = ", ".join(phrases)
    words = phrases[0].split() if phrases else []
    shorter = [", ".join([*phrases[:shown], "…"]) for shown in range(len(phrases) - 1, 0, -1)]
    shorter += phrases[:1]
    shorter += [" ".join([*words[:shown], "…"]) for shown in range(len(words) - 1, 0, -1)]
    return next((text for text in (whole, *shorter) if len(text) <= width), "…")


def _defects(record: ImageRecord) -> list[str]:
    """Remarks, the strongest defects that no remark speaks of ("blur 2.1"), those at 100 %, and doubts.

    A question mark comes first where the score cannot be relied on.
    """
    said = {ABOUT[remark] for remark in record.remarks}
    unsaid = [defect for defect in (record.defects or {}).items() if defect[0] not in said]
    found = sorted(unsaid, key=lambda defect: -defect[1])[:NAMED_DEFECTS]
    found = [defect for defect in found if defect[1] >= NOTABLE_DEFECT]
    at_full_size = record.at_full_size.phrases if record.at_full_size else []
    found += [fault for fault in at_full_size if fault[1] >= NOTABLE_AT_FULL_SIZE]
    named = [f"{name} {severity:.1f}" for name, severity in found]
    remarks = [remark for remark in record.remarks if remark not in MEASURED_AT_FULL_SIZE]
    phrases = [*remarks, *named, *record.reliability_reasons]
    return [f"? {phrases[0]}", *phrases[1:]] if record.reliability_reasons else phrases


def _group(record: ImageRecord) -> str:
    """The group of an image that is not alone, with a star for the best of it: "3 ★"."""
    place = record.group
    return "" if place is None or place.size == 1 else f"{place.number}{' ★' if place.best else ''}"


def _size(record: ImageRecord) -> str:
    return f"{record.width}×{record.height}" if record.width and record.height else ""


def _summary_line(summary: Summary, distribution: Text | None = None) -> Text:
    line = Text(f" {counted(summary.count, 'picture')}", "bold")
    if summary.errors:
        line.append(f", {summary.count - summary.errors:,} scored")
    if distribution is not None:
        line.append("  ").append_text(distribution)
    numbers = {
        "mean": summary.mean, "median": summary.median, "lowest": summary.lowest, "highest": summary.highest,
    }  # fmt: skip
    for name, value in numbers.items():
        if value is not None:
            line.append("  ·  ", "dim").append(f"{name} ", "not bold").append(f"{value:.1f}", quality_style(value))
    return line


def _gate_line(summary: Summary) -> Text:
    statuses: Counter[GateStatus] = Counter()
    unread = summary.errors - summary.excused
    statuses.update({"failed": summary.failed, "warned": summary.warned + summary.excused, "unreadable": unread})
    passed = not statuses.total()
    statuses["passed"] = summary.count - statuses.total()
    mark, style = ("✓", "bold green") if passed else ("✗", "bold red") if statuses["failed"] else ("!", "bold yellow")
    return Text(f" {mark} {gate_summary(statuses, gated=True)}", style)


def _findings(judged: Sequence[ImageRecord], console: Console) -> Iterable[RenderableType]:
    shown = judged[:MAX_PROBLEMS] if console.is_terminal else judged
    for record in shown:
        mark, style = MARKS[gate_status(record)]
        yield Text.assemble("   ", (mark, style), printable(describe_findings(record)))
    if len(shown) < len(judged):
        yield Text(
            f"   and {len(judged) - len(shown):,} more. For all of them use --format csv, or pipe the output.", "dim"
        )


def warning_lines(sentences: Iterable[str], console: Console) -> Iterable[RenderableType]:
    """An empty line and one for each image that is odd, once; `sentences` may be empty, as of most images."""
    odd = list(dict.fromkeys(filter(None, sentences)))
    shown = odd[:MAX_PROBLEMS] if console.is_terminal else odd
    if odd:
        yield ""
    for sentence in shown:
        yield Text.assemble((" ! ", "yellow"), printable(sentence))
    if len(shown) < len(odd):
        yield Text(f"   and {len(odd) - len(shown):,} more. For all of them use --format json.", "dim")


def unreadable_table(unread: Sequence[HasError], console: Console, doing: str) -> Iterable[RenderableType]:
    """Table of images that could not be `doing` (such as "scored"), each with the reason."""
    yield Text(f" {counted(len(unread), 'picture')} could not be {doing}", "bold yellow")
    shown = unread[:MAX_PROBLEMS] if console.is_terminal else unread
    reasons = Table.grid(padding=(0, 2, 0, 1))
    for record in shown:
        assert record.error is not None
        # The message names the file.
        reasons.add_row(
            Text(f"  {record.error.kind}", "yellow"), Text(printable(record.error.message), overflow="fold")
        )
    yield reasons
    if len(shown) < len(unread):
        yield Text(
            f"   and {len(unread) - len(shown):,} more. For all of them use --format csv, or pipe the output.", "dim"
        )


def _model_line(run: Run) -> Text:
    view_size = (run.model.preprocessing or {}).get("view_size")
    view = "scored at full size" if view_size is None else f"scaled down to {view_size} px"
    return Text(f"\n {printable(run.model.name)} ({printable(run.model.revision)}), pictures {view}", "dim")


TEXT = Reporter(write_text, worst_first=True, concludes=True)
