"""The counts of a run of `score`, taken while records pass, and the line about them at its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring.gate import GateStatus, gate_status

MINUTE = 60
TENTHS_BELOW = 10
"""Seconds up to which a duration has a tenth."""


@dataclass
class RunTally:
    """Counts of one run.

    Attributes:
        statuses: number of images by the gate's outcome.
        scores: path → score 0…100.
        messages: why images could not be read.
        started: reading of the clock at the start, in seconds.
    """

    statuses: Counter[GateStatus] = field(default_factory=Counter)
    scores: dict[str, float] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def watch(self, records: Iterable[ImageRecord], advance: Callable[[int], None]) -> Iterator[ImageRecord]:
        """Yield the records, counting each and advancing a progress bar by it."""
        for record in records:
            self.statuses[gate_status(record)] += 1
            if record.score is not None:
                self.scores[record.path] = record.score
            elif record.error is not None:
                self.messages.append(record.error.message)
            advance(1)
            yield record

    def line(self, *, cached: int, reused: int, left_out: Mapping[str, int], places: Mapping[str, Path | None]) -> str:
        """One line: how many were scored, unreadable, left out and cached, how long it took, where the results are.

        Args:
            cached, reused: numbers of images whose results were cached, and in the file of an earlier run.
            left_out: kind → number of files in folders that were not tried.
            places: kind of result → file or folder; None for one that was not written.
        """
        scored = len(self.scores)
        total = self.statuses.total()
        said = f"{scored:,} of {total:,} pictures scored" if scored < total else f"{pictures(scored)} scored"
        counts = {
            "unreadable": self.statuses["unreadable"],
            "from the cache": cached,
            "reused from an earlier run": reused,
            "left out": sum(left_out.values()),
        }
        notes = [f"{count:,} {what}" for what, count in counts.items() if count]
        said += f" ({', '.join(notes)})" if notes else ""
        said += f" in {duration(time.monotonic() - self.started)}"
        written = [f"{kind} in {place}" for kind, place in places.items() if place is not None]
        return f"{said}; {', '.join(written)}." if written else f"{said}."


def pictures(count: int) -> str:
    """A number of pictures, such as "1 picture"."""
    return f"{count:,} picture" + ("" if count == 1 else "s")


def duration(seconds: float) -> str:
    """A duration for people, such as "0.8 s", "42 s" or "3 min 5 s"."""
    if seconds < TENTHS_BELOW:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    return f"{minutes:,} min {rest} s" if minutes else f"{rest} s"
