"""The counts of a run, and the line about them with which every run over pictures ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.cli.errors import told
from shamisa_cli.cli.output import counted
from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring.gate import GateStatus, gate_status

if TYPE_CHECKING:
    from shamisa_cli.core.cluster.part_number import PartNumber

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
        """Yield the records, errors with their remedies, counting each and advancing a progress bar by it."""
        for found in records:
            record = found if found.error is None else replace(found, error=told(found.error))
            self.statuses[gate_status(record)] += 1
            if record.score is not None:
                self.scores[record.path] = record.score
            elif record.error is not None:
                self.messages.append(record.error.message)
            advance(1)
            yield record

    def line(
        self,
        *,
        cached: int,
        reused: int,
        left_out: Mapping[str, int],
        places: Mapping[str, Path | None],
        part: PartNumber | None,
    ) -> str:
        """The closing line of the run.

        Args:
            cached, reused: numbers of images whose results were cached, and in the file of an earlier run.
            left_out: kind → number of files in folders that were not tried.
            places, part: as in `closing_line`.
        """
        counts = {
            "unreadable": self.statuses["unreadable"],
            "from the cache": cached,
            "reused from an earlier run": reused,
            "left out": sum(left_out.values()),
        }
        done = "scored", len(self.scores), self.statuses.total()
        return closing_line(*done, counts, since=self.started, places=places, part=part)


def closing_line(
    verb: str,
    done: int,
    total: int,
    counts: Mapping[str, int],
    *,
    since: float,
    places: Mapping[str, Path | None],
    noun: str = "picture",
    part: PartNumber | None = None,
) -> str:
    """One line: how many images were done, unreadable, left out and cached, how long it took, where the results are.

    Args:
        verb: what was done, such as "scored".
        done, total: numbers of images, called by `noun`.
        counts: what else is to be said → number of images; zeros are not said.
        since: reading of the monotonic clock at the start, in seconds.
        places: kind of result → file or folder; None for one that was not written.
        part: which part of all images these are; None: they are all.
    """
    all_of_them = counted(total, noun) + (f" of part {part.index} of {part.count}" if part is not None else "")
    said = f"{done:,} of {all_of_them} {verb}" if done < total else f"{all_of_them} {verb}"
    notes = [f"{count:,} {what}" for what, count in counts.items() if count]
    said += f" ({', '.join(notes)})" if notes else ""
    said += f" in {duration(time.monotonic() - since)}"
    written = [f"{kind} in {place}" for kind, place in places.items() if place is not None]
    return f"{said}; {', '.join(written)}." if written else f"{said}."


def duration(seconds: float) -> str:
    """A duration for people, such as "0.8 s", "42 s" or "3 min 5 s"."""
    if seconds < TENTHS_BELOW:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    return f"{minutes:,} min {rest} s" if minutes else f"{rest} s"
