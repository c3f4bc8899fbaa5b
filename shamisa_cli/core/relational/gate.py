"""The gate of comparisons: which candidates fail, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.records import GateFinding
from shamisa_cli.core.relational.records import Candidate


@dataclass(frozen=True)
class ComparisonGate:
    """Conditions that candidates must meet.

    Attributes:
        min_score: minimum score, -100…100; None: no minimum.
        max_difference: largest difference, 0…100; None: no limit.
        skip_unreadable: whether candidates that cannot be compared cause only a warning.

    Raises:
        SettingError: a limit is not within its range.
    """

    min_score: float | None = None
    max_difference: float | None = None
    skip_unreadable: bool = False

    def __post_init__(self) -> None:
        if self.min_score is not None and not -100 <= self.min_score <= 100:
            raise SettingError(f"The minimum score is {self.min_score:g}; it must be a number from -100 to 100.")
        if self.max_difference is not None and not 0 <= self.max_difference <= 100:
            raise SettingError(f"The largest difference is {self.max_difference:g}; it must be a number from 0 to 100.")

    @property
    def judges(self) -> bool:
        """Whether any candidate could fail."""
        return self.min_score is not None or self.max_difference is not None

    def findings(self, candidate: Candidate) -> tuple[GateFinding, ...]:
        """Conditions that a candidate does not meet."""
        if candidate.score is None or candidate.difference is None:
            message = candidate.error.message if candidate.error is not None else "It was not compared."
            return (GateFinding("unreadable", "warn" if self.skip_unreadable else "error", message),)
        found = []
        score, difference, reference = candidate.score, candidate.difference, candidate.reference
        if self.min_score is not None and not candidate.same_framing:
            message = f"does not have the framing of {reference}, so its score says little"
            found.append(GateFinding("framing", "error", message))
        elif self.min_score is not None and score < self.min_score:
            message = f"scores {score:.1f} against {reference}, below the minimum of {self.min_score:g}"
            found.append(GateFinding("min-score", "error", message))
        if self.max_difference is not None and difference > self.max_difference:
            message = f"differs from {reference} by {difference:.1f}, above the largest difference of "
            found.append(GateFinding("max-difference", "error", f"{message}{self.max_difference:g}"))
        return tuple(found)

    def apply(self, candidates: Generator[Candidate, None, None]) -> Generator[Candidate, None, None]:
        """Set the status of candidates as they arrive; closing this closes `candidates`."""
        with closing(candidates):
            for candidate in candidates:
                fails = candidate.score is not None and bool(self.findings(candidate))
                yield replace(candidate, status="failed") if fails else candidate

    def failures(self, candidates: Iterable[Candidate]) -> Counter[str]:
        """How many of the candidates that were compared do not meet each condition."""
        compared = (candidate for candidate in candidates if candidate.score is not None)
        return Counter(finding.rule for candidate in compared for finding in self.findings(candidate))

    def describe(self, failures: Counter[str], total: int | None = None) -> str:
        """How many fail and why, such as "1 of 3 below the minimum of -5, 1 that cannot be aligned".

        Args:
            failures: of each condition.
            total: number of all candidates; None: not said.
        """
        conditions = {}
        if self.min_score is not None:
            conditions["min-score"] = f"below the minimum of {self.min_score:g}"
        if self.max_difference is not None:
            conditions["max-difference"] = f"above the largest difference of {self.max_difference:g}"
        of = "" if total is None else f" of {total:,}"
        if not failures.total():
            return f"0{of} {' or '.join(conditions.values())}"
        conditions["framing"] = "that cannot be aligned"
        first, *others = ((failures[rule], phrase) for rule, phrase in conditions.items() if failures[rule])
        return ", ".join([f"{first[0]:,}{of} {first[1]}", *(f"{count:,} {phrase}" for count, phrase in others)])
