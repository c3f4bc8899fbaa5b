"""Squares that are no part of a scene: pixels shown several times over, and areas of one single colour."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Vector

WINDOW = 16
"""Neighbouring lines that are compared."""
NO_STEP = 0.05
"""Share of the largest step in a window, below which a line repeats the one before."""
LEAST_STEP = 0.25
"""Grey levels; windows whose largest step is lower show nothing, such as the bars beside a film."""
ALIKE = 0.6
"""Share of the largest step that the other steps of a window have on average; in drawings some lines have far more."""
SHORTEST, LONGEST = 16, 256
"""Pixels along the side of an area of one colour; larger ones belong to drawings and to bars."""
EIGHT_TRUE = np.uint64(0x0101010101010101)
LEAST_EDGE = 8
"""Grey levels by which it stands out on both sides."""

Area = tuple[int, int, int]
"""First column, last column and luma of an area, in one row."""


def repeated_lines(steps: Vector) -> float:
    """Share of lines that repeat the one before, from the mean steps (n,) between neighbouring rows or columns."""
    windows = steps[: len(steps) // WINDOW * WINDOW].reshape(-1, WINDOW)
    largest = windows.max(axis=1)
    repeats = windows < NO_STEP * largest[:, None]
    others = np.where(repeats, 0, windows).sum(axis=1) / np.maximum(1, (~repeats).sum(axis=1))
    shown = largest > LEAST_STEP
    return float(np.mean((repeats & (others > ALIKE * largest)[:, None])[shown])) if shown.any() else 0.0


def plain_areas(levels: npt.NDArray[np.int16], steps: npt.NDArray[np.int16]) -> set[Area]:
    """Areas of one luma in a row, which end with a clear step on both sides.

    Args:
        levels: luma (W,) of the row.
        steps: (W - 1,) from each pixel to the next.
    """
    alike = steps == 0
    if not (alike[: len(alike) // 8 * 8].view(np.uint64) == EIGHT_TRUE).any():  # 15 in a row fill one of these words
        return set()
    changes = np.flatnonzero(~alike)
    found = np.flatnonzero(changes[1:] - changes[:-1] >= SHORTEST)
    before, after = changes[found], changes[found + 1]
    clear = (np.abs(steps[before]) >= LEAST_EDGE) & (np.abs(steps[after]) >= LEAST_EDGE)
    clear &= after - before <= LONGEST
    first, last = before[clear] + 1, after[clear]
    return set(zip(first.tolist(), last.tolist(), levels[first].tolist(), strict=True))


def count_plain(rows: npt.NDArray[np.uint8], areas: Iterable[Area]) -> int:
    """How many of these areas are of one luma in all of some rows (h, W)."""
    return sum(bool((rows[:, first : last + 1] == level).all()) for first, last, level in areas)
