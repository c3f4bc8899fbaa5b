"""Comparisons for CI systems, in the formats of `score`: JUnit XML, GitHub annotations and SARIF."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TextIO

from shamisa_cli.cli.reporters.base import ComparisonRun, Reporter
from shamisa_cli.core.records import ImageRecord, Run
from shamisa_cli.core.relational.gate import ComparisonGate
from shamisa_cli.core.relational.records import Candidate


def as_written_by(reporter: Reporter) -> Callable[[Iterable[Candidate], ComparisonRun, TextIO], None]:
    """A writer of comparisons in a format of single images; each candidate is one, with its findings."""

    def write(candidates: Iterable[Candidate], run: ComparisonRun, stream: TextIO) -> None:
        records = (_record(candidate, run.gate) for candidate in candidates)
        reporter.write(records, Run(run.model, gated=run.gate.judges), stream)

    return write


def _record(candidate: Candidate, gate: ComparisonGate) -> ImageRecord:
    return ImageRecord(
        candidate.path,
        candidate.score,
        width=candidate.width,
        height=candidate.height,
        status=candidate.status,
        error=candidate.error,
        findings=gate.findings(candidate),
    )
