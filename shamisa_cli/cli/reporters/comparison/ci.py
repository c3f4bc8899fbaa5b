"""Comparisons for CI systems, in the formats of `score`: JUnit XML, GitHub annotations and SARIF."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TextIO

from shamisa_cli.cli.reporters.base import ComparisonRun, Reporter
from shamisa_cli.core.records import GateFinding, ImageRecord, Run
from shamisa_cli.core.relational.gate import ComparisonGate
from shamisa_cli.core.relational.records import Candidate


def as_written_by(reporter: Reporter) -> Callable[[Iterable[Candidate], ComparisonRun, TextIO], None]:
    """A writer of comparisons in a format of single images; each candidate is one, with its findings.

    So is an image without a partner, with a warning, or failed if that fails the run.
    """

    def write(candidates: Iterable[Candidate], run: ComparisonRun, stream: TextIO) -> None:
        records = (_record(candidate, run.gate) for candidate in candidates)
        reporter.write(chain(records, _alone(run)), Run(run.model, gated=run.gate.judges or run.strict_pairs), stream)

    return write


def _alone(run: ComparisonRun) -> Iterator[ImageRecord]:
    """Records of the images without a partner."""
    reasons = {"has no reference with its name": run.added, "has no candidate with its name": run.removed}
    for reason, paths in reasons.items():
        for path in paths:
            finding = GateFinding("no-partner", "error" if run.strict_pairs else "warn", reason)
            yield ImageRecord(str(path), None, status="failed" if run.strict_pairs else "ok", findings=(finding,))


def _record(candidate: Candidate, gate: ComparisonGate) -> ImageRecord:
    return ImageRecord(
        candidate.path,
        candidate.score,
        width=candidate.width,
        height=candidate.height,
        status=candidate.status,
        error=candidate.error,
        findings=gate.findings(candidate),
        warnings=(*candidate.warnings, *(f"was compared with {each}" for each in _odd_reference(candidate))),
    )


def _odd_reference(candidate: Candidate) -> Iterator[str]:
    """Phrase on an odd reference, going on from "compared with"; none for most."""
    if candidate.reference_warnings:
        yield f"{candidate.reference}, which {'; '.join(candidate.reference_warnings)}"
