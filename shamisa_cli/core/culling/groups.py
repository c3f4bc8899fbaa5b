"""Groups of similar images: near-duplicates by their features alone, frames of a burst also by their capture times."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Features
from shamisa_cli.core.errors import SettingError, item_error
from shamisa_cli.core.images.capture_time import capture_time
from shamisa_cli.core.images.real_paths import RealPaths
from shamisa_cli.core.records import GroupPlace, ImageRecord
from shamisa_cli.core.scoring.sketches import read_sketches

BLOCK = 1024
"""Rows compared with all others at once: 4 MB per 1,000 images."""
CLEARLY_LESS = 1.0
"""Steps of severity 0…4."""
LEAST_SHARE_OF_PIXELS = 0.9


@dataclass(frozen=True)
class GroupSettings:
    """Conditions under which two images belong to one group; `benchmarks/groups.py` measures the thresholds.

    Attributes:
        duplicate: least cosine similarity of the features, 0…1, of two near-duplicates, whenever they were taken.
        burst: least similarity of consecutive frames of a burst.
        gap: longest time between consecutive frames of a burst, in seconds; 0: capture times are not used.

    Raises:
        SettingError: a value is out of its range.
    """

    duplicate: float = 0.85
    burst: float = 0.4
    gap: float = 2.0

    def __post_init__(self) -> None:
        for name, value in (("near-duplicates", self.duplicate), ("burst frames", self.burst)):
            if not 0 <= value <= 1:
                raise SettingError(f"The least similarity of {name} is {value:g}; it must be from 0 to 1.")
        if not 0 <= self.gap < float("inf"):
            raise SettingError(f"The longest gap in a burst is {self.gap:g} seconds; it must be 0 or more.")


def group_records(
    records: Iterable[ImageRecord],
    settings: GroupSettings | None = None,
    *,
    taken: Callable[[Path], datetime | None] = capture_time,
) -> list[ImageRecord]:
    """Give each scored image its place in its group; images without a score or a sketch have none.

    Two images that meet the conditions are in one group, and so is everything either is grouped with. Names of one file
    have one place, and are no duplicates of each other. The result has the order of `records`. Takes n² comparisons:
    10,000 images take seconds, 100,000 some ten minutes.

    Args:
        records: made with `score_files(..., sketches=True)`.
        settings: the conditions; None: the default ones.
        taken: capture time of a file, None if unknown, as it also is where the function raises an error; without a time
            zone, it is local time where others have one.
    """
    settings = settings or GroupSettings()
    records = list(records)
    names = _names_of_files(records)
    indices = [alike[0] for alike in names]
    rows = read_sketches([records[index].sketch or b"" for index in indices])
    times = _times([Path(records[index].path) for index in indices], taken) if settings.gap else []
    similar = chain(_duplicates(rows, settings.duplicate), _burst_frames(rows, times, settings))
    grouped = list(records)
    for number, members in enumerate(_components(len(indices), similar), 1):
        best = members[best_of([records[indices[member]] for member in members])]
        for member in members:
            place = GroupPlace(number, len(members), member == best)
            for index in names[member]:
                grouped[index] = replace(records[index], group=place)
    return grouped


def _names_of_files(records: Sequence[ImageRecord]) -> list[list[int]]:
    """For each file that can be grouped, the indices of its records: of several where links lead to it.

    Records of one name are of several pictures: in memory, or in a file that was written again.
    """
    real_paths, occurrences = RealPaths(), Counter[str]()
    found: dict[tuple[str, bytes, int], list[int]] = {}
    for index, record in enumerate(records):
        if record.score is not None and record.sketch is not None:
            key = real_paths.of(Path(record.path)), record.sketch, occurrences[record.path]
            found.setdefault(key, []).append(index)
            occurrences[record.path] += 1
    return list(found.values())


def best_of(records: Sequence[ImageRecord]) -> int:
    """Index of the best of some similar images: the highest score of those without a fault that another does not have.

    A score does not see what shows only at 100 %, such as missed focus and noise. So an image falls behind another,
    of about its size or larger, whose worst fault at 100 % is less by `CLEARLY_LESS`. The first of equals is the best.
    """
    faults = sorted(
        (_pixels(record), record.at_full_size.worst) for record in records if record.at_full_size is not None
    )
    sizes = [pixels for pixels, _ in faults]
    least = list(accumulate((worst for _, worst in reversed(faults)), min))[::-1]  # of each and all larger ones

    def is_clean(record: ImageRecord) -> bool:
        # A reduced copy is sharp and clean at its own 100 %.
        larger = bisect_left(sizes, LEAST_SHARE_OF_PIXELS * _pixels(record))
        return record.at_full_size is None or least[larger] > record.at_full_size.worst - CLEARLY_LESS

    return max(range(len(records)), key=lambda index: (is_clean(records[index]), records[index].score or 0.0, -index))


def _pixels(record: ImageRecord) -> int:
    return (record.width or 0) * (record.height or 0)


def _times(paths: Sequence[Path], taken: Callable[[Path], datetime | None]) -> list[datetime | None]:
    """The capture times, which can be compared with each other."""
    times = [_time(path, taken) for path in paths]
    zoned = [time.tzinfo is not None for time in times if time is not None]
    return times if all(zoned) or not any(zoned) else list(map(_with_zone, times))


def _time(path: Path, taken: Callable[[Path], datetime | None]) -> datetime | None:
    try:
        time = taken(path)
    except Exception as error:
        item_error(path, error)  # raises what is about the whole run
        return None
    return time if isinstance(time, datetime) else None


def _with_zone(time: datetime | None) -> datetime | None:
    try:
        return time.astimezone() if time is not None and time.tzinfo is None else time
    except (OverflowError, ValueError, OSError):  # the first and last days of the calendar may have none
        return None


def _duplicates(rows: Features, least: float) -> Iterator[NDArray[np.int64]]:
    """For each image that others are similar to, its index and those of later ones."""
    for start in range(0, len(rows), BLOCK):
        similar = np.triu(rows[start : start + BLOCK] @ rows[start:].T >= least, 1)
        for first in np.flatnonzero(similar.any(axis=1)).tolist():
            yield start + np.append(np.flatnonzero(similar[first]), first)


def _burst_frames(
    rows: Features, times: Sequence[datetime | None], settings: GroupSettings
) -> Iterator[NDArray[np.int64]]:
    """Pairs of consecutive frames. A frame may be compared with the one before the last, should that be a bad one."""
    order = sorted((time, index) for index, time in enumerate(times) if time is not None)
    for position, (time, index) in enumerate(order):
        for earlier_time, earlier in order[max(0, position - 2) : position]:
            near = (time - earlier_time).total_seconds() <= settings.gap
            if near and float(rows[index] @ rows[earlier]) >= settings.burst:
                yield np.array([earlier, index])


def _components(count: int, connected: Iterable[NDArray[np.int64]]) -> list[list[int]]:
    """Connected components of a graph of `count` nodes, in the order of their first nodes.

    Args:
        count: number of nodes.
        connected: sets of nodes that are in one component each.
    """
    first = np.arange(count)  # of the component of each node
    for nodes in connected:
        found = np.unique(first[nodes])
        if len(found) > 1:
            first[np.isin(first, found[1:])] = found[0]
    members: dict[int, list[int]] = {}
    for node, lowest in enumerate(first.tolist()):
        members.setdefault(lowest, []).append(node)
    return list(members.values())
