"""Results of `shamisa compare`: judged, drawn and written as they arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.cli.console import Console
from shamisa_cli.cli.reporters.base import ComparisonReporter, ComparisonRun
from shamisa_cli.cli.run_tally import closing_line
from shamisa_cli.core.relational.folder_pairs import FolderPairs, describe_unpaired
from shamisa_cli.core.relational.gate import ComparisonGate
from shamisa_cli.core.relational.records import Candidate

if TYPE_CHECKING:
    from shamisa_cli.core.arrays import Pixels
    from shamisa_cli.core.relational.comparison import Watch
    from shamisa_cli.core.relational.page_images import ComparisonImages


def copies_for(reporter: ComparisonReporter) -> AbstractContextManager[ComparisonImages | None]:
    """Copies of the pictures, for a format that shows them."""
    if not reporter.illustrated:
        return nullcontext()
    from shamisa_cli.core.relational.page_images import ComparisonImages

    return ComparisonImages()


def drawing(maps: Path | None, images: ComparisonImages | None, pairs: Sequence[tuple[Path, Path]]) -> Watch | None:
    """Maps and copies, drawn one after the other of each comparison; None if neither is wanted."""
    if maps is None:
        return images
    from shamisa_cli.core.relational.figures import ComparisonMapWriter

    draw = ComparisonMapWriter(maps, [candidate for _, candidate in pairs])

    def both(candidate: Candidate, first: Pixels, second: Pixels) -> None:
        draw(candidate, first, second)
        if images is not None:
            images(candidate, first, second)

    return both


def report_comparisons(
    compared: Generator[Candidate, None, None],
    run: ComparisonRun,
    reporter: ComparisonReporter,
    output: Path | None,
    count: int,
    console: Console,
) -> Counter[str]:
    """Judge and write the candidates as they arrive, then say what failed and what has no partner; their statuses."""
    tally = _Tally(run.gate)
    beside = reporter.streams and output is None
    with (
        closing(run.gate.apply(compared)) as records,
        console.results(output) as stream,
        console.progress("Comparing", count, beside_results=beside) as advance,
    ):
        reporter.write(_watched(records, tally, advance), run, stream)
    statuses = tally.statuses
    console.warn_of_discarded(tally.unread)
    if run.gate.judges:
        rest = f", {statuses['error']:,} not compared" if statuses["error"] else ""
        console.hint(f"{run.gate.describe(tally.failures, statuses.total())}{rest}.")
    for phrase in (describe_unpaired(run.added, "added"), describe_unpaired(run.removed, "removed")):
        if phrase:
            console.hint(f"{phrase}.")
    return statuses


def comparison_line(
    statuses: Counter[str], found: FolderPairs, *, since: float, places: Mapping[str, Path | None]
) -> str:
    """The closing line of a run of comparisons; the arguments are as in `closing_line`."""
    failed = statuses["error"]
    counts = {"not compared": failed, "without a partner": len(found.added) + len(found.removed)}
    total = statuses.total()
    return closing_line("compared", total - failed, total, counts, since=since, places=places)


@dataclass(frozen=True)
class _Tally:
    """Counts of the candidates so far.

    Attributes:
        gate: whose failures are counted.
        statuses: of each status.
        failures: of each condition of the gate.
        unread: why candidates were not compared.
    """

    gate: ComparisonGate
    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)

    def count(self, candidate: Candidate) -> None:
        self.statuses[candidate.status] += 1
        self.failures.update(self.gate.failures([candidate]))
        if candidate.error is not None:
            self.unread.append(candidate.error.message)


def _watched(records: Iterator[Candidate], tally: _Tally, advance: Callable[[int], None]) -> Iterator[Candidate]:
    for record in records:
        tally.count(record)
        advance(1)
        yield record
