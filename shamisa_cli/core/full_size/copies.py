"""Displaced parts: where an image repeats, pixel by pixel, what is beside it, as wrongly placed blocks do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Fingerprints = npt.NDArray[np.uint64]

LEFT, WIDTH, HEIGHT = 3, 8, 3
"""The window of pixels around a place whose copies are searched: columns before it, all columns, and rows."""
LEAST_STEP, WITHOUT_STEP = 2, 64
"""Grey levels; flat parts are alike without being copies."""
SHARE, MOST_PLACES = 0.01, 200_000
"""Share of the pixels that are compared, and their number in large images."""
BAND = 512
"""Rows whose windows are hashed at a time, so that an image that lies turned in memory is not copied as a whole."""
SAMPLED = 29
"""Every so many rows show how frequent steps are."""
LONGEST = 32
"""Pixels up to which a displacement is looked for, in both directions."""
GRID = 8
"""Displacements by JPEG's cells are none: neighbouring cells may have the same coefficients."""
AROUND, LEAST_DETAIL, LEAST_BENDS = (4, 8), 0.7, 0.3
"""Rows and columns on each side, and share of pixels there that differ from the next; in text and drawings, which
repeat shapes, fewer do. And share where the step changes by more than 1; out of focus, slopes repeat each other."""
CELL = 64
"""Places so near each other with one displacement are one part."""

_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_NUMBER = np.uint64(2**24 - 1)
"""Bits of a fingerprint that are replaced by the number of its place, to sort both at once."""


def telling_step(luma: Luma) -> int:
    """The step from a pixel to the next at which places are compared: the largest that enough pixels of (H, W) have.

    A copy has the same steps as its original, so both are compared, however few places are.
    """
    rows = luma[SAMPLED // 2 :: SAMPLED].astype(np.int16)
    steps = (rows[:, 1:] - rows[:, :-1]).ravel()
    numbers = np.bincount(steps[(steps >= LEAST_STEP) & (steps < WITHOUT_STEP)], minlength=WITHOUT_STEP)
    enough = np.flatnonzero(numbers >= min(SHARE, MOST_PLACES / luma.size) * max(1, len(steps)))
    return int(enough[-1]) if len(enough) else LEAST_STEP


def places_with(step: int, steps: npt.NDArray[np.int16], top: int) -> Places:
    """Flat indices, into an image (H, W), of pixels from which there is one `step`.

    Args:
        step: grey levels.
        steps: (h, W - 1) from each pixel to the next, in the rows from `top` on.
        top: see `steps`.
    """
    found: Places = np.flatnonzero(steps == step)
    found += found // steps.shape[1] + top * (steps.shape[1] + 1)
    return found


def _fingerprints(luma: Luma, places: Places) -> Fingerprints:
    """A hash (n,) of the first and last row of the window around each place, all in ascending order."""
    width, found = luma.shape[1], np.empty(len(places), np.uint64)
    ends = np.searchsorted(places, np.arange(0, len(luma) + BAND, BAND) * width)
    for band, (first, last) in enumerate(pairwise(ends.tolist())):
        top = max(0, band * BAND - 1)
        around = np.ascontiguousarray(luma[top : (band + 1) * BAND + 2]).reshape(-1)
        words = np.lib.stride_tricks.as_strided(around[:WIDTH].view(np.uint64), (around.size - WIDTH + 1,), (1,))
        corners = places[first:last] - (top + 1) * width - LEFT
        hashed = words[corners] * _ODD[0]
        hashed ^= hashed >> np.uint64(29)
        hashed += words[corners + (HEIGHT - 1) * width]
        found[first:last] = hashed * _ODD[1]
    return found


def count_displaced(luma: Luma, places: Places) -> int:
    """How many parts of an image (H, W) are copies of parts beside them, from places in ascending order."""
    height, width = luma.shape
    places = places[(places >= width + LEFT) & (places < (height - 1) * width - WIDTH)]
    ordered = (_fingerprints(luma, places) & ~_NUMBER) | np.arange(len(places), dtype=np.uint64)
    ordered.sort()
    same = np.flatnonzero((ordered[1:] & ~_NUMBER) == (ordered[:-1] & ~_NUMBER))
    one, other = (places[(ordered[same + side] & _NUMBER).astype(np.int64)] for side in (0, 1))
    (top, left), (bottom, right) = (np.divmod(place, width) for place in (one, other))
    down, across = bottom - top, right - left
    near = (np.abs(down) <= LONGEST) & (np.abs(across) <= LONGEST) & (down != 0) & (across != 0)
    near &= (down % GRID != 0) | (across % GRID != 0)
    if not near.any():
        return 0
    top, left, down, across = (values[near] for values in (top, left, down, across))
    parts = np.stack([top // CELL, left // CELL, down, across], axis=1)
    return len(np.unique(parts[_detailed(luma, top, left)], axis=0))


def _detailed(luma: Luma, top: Places, left: Places) -> npt.NDArray[np.bool_]:
    """Whether (n,) the pixels around places differ from the next in their row, and not as a soft slope does."""
    (down, across), (height, width) = AROUND, luma.shape
    rows = np.clip(top[:, None, None] + np.arange(-down, down + 1)[:, None], 0, height - 1)
    columns = np.clip(left[:, None, None] + np.arange(-across, across + 1), 0, width - 1)
    steps = np.diff(luma[rows, columns].astype(np.int16), axis=2)
    bends = np.abs(np.diff(steps, axis=2)) > 1
    lively: npt.NDArray[np.bool_] = (steps != 0).mean(axis=(1, 2)) > LEAST_DETAIL
    detailed: npt.NDArray[np.bool_] = lively & (bends.mean(axis=(1, 2)) > LEAST_BENDS)
    return detailed
