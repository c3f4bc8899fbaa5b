"""Width of edges, in pixels, from how much a known blur lowers them.

An edge blurred with σ has the slope c / σ; blurred once more with σ₀ it has c / √(σ² + σ₀²). The ratio R of the slopes
gives σ = σ₀ / √(R² - 1), whatever the edge's contrast (Zhuo and Sim, Pattern Recognition 44, 2011).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

REBLUR = 1.0
"""σ₀ in pixels."""
LEAST_SLOPE = 5.0
"""Grey levels per pixel; lower edges are not measured."""
SLOPES_OF_NOISE = 6.0
"""Edges must rise this many times the noise's deviation per pixel."""
LEAST_EDGES = 24
WIDEST = 2.2
"""Pixels; the ratio hardly differs from 1 beyond, and the image is reduced by two and measured again."""
DOMINANT = 1.5
"""An edge counts for a direction if its slope there is this many times the slope across."""

MARGIN = 2
"""Pixels at a tile's border that are not measured."""
REACH = 4
"""Pixels by which a tile is continued for the blur."""
TAPS = np.exp(-(np.arange(-REACH, REACH + 1, dtype=np.float64) ** 2) / (2 * REBLUR**2))
TAPS = (TAPS / TAPS.sum()).astype(np.float32)


def edge_widths(tile: Plane, noise: float) -> tuple[float | None, float | None]:
    """Blur σ in pixels of the sharper edges of a tile (H, W), across columns and across rows; None with few edges.

    Args:
        tile: luma.
        noise: deviation of the noise, in grey levels.
    """
    least = 2 * max(LEAST_SLOPE, SLOPES_OF_NOISE * noise)
    # NumPy is slow on short rows. So planes are flat from here on: neighbours in a column are `row` places apart, and
    # what lies between two rows of the tile, 2 × REACH places, is computed with them and left out by `_places`.
    row = tile.shape[1] + 2 * REACH
    around = _continued(tile).reshape(-1)
    plain = around[REACH * (row + 1) : -REACH * (row + 1)]
    inside, *ends = _places(*tile.shape)
    steps = (1, row)
    rises = [_rises(plain, step, MARGIN * row, len(inside)) for step in steps]
    edges = [
        np.flatnonzero(inside & _tops(rise, step, end) & (rise > least) & (rise > DOMINANT * across))
        for rise, across, step, end in zip(rises, rises[::-1], steps, ends, strict=True)
    ]
    if max(len(places) for places in edges) < LEAST_EDGES:
        return None, None
    blurred = _blurred(_blurred(around, row), 1)
    across_columns, across_rows = (
        _width(rise[places], np.abs(blurred[places + MARGIN * row + step] - blurred[places + MARGIN * row - step]))
        for rise, places, step in zip(rises, edges, steps, strict=True)
    )
    return across_columns, across_rows


def _continued(tile: Plane) -> Plane:
    """The tile with `REACH` pixels more on all sides, its border repeated; `np.pad` takes three times as long."""
    height, width = tile.shape
    around = np.empty((height + 2 * REACH, width + 2 * REACH), np.float32)
    middle = around[REACH:-REACH]
    middle[:, REACH:-REACH] = tile
    middle[:, :REACH], middle[:, -REACH:] = tile[:, :1], tile[:, -1:]
    around[:REACH], around[-REACH:] = middle[:1], middle[-1:]
    return around


def _blurred(plane: Plane, step: int) -> Plane:
    """The plane (n,) through `TAPS`, `step` places apart: (n - 2 × REACH × step,)."""
    count = len(plane) - 2 * REACH * step
    blurred: Plane = TAPS[REACH] * plane[REACH * step :][:count]
    for away in range(1, REACH + 1):
        pair = plane[(REACH - away) * step :][:count] + plane[(REACH + away) * step :][:count]
        pair *= TAPS[REACH + away]
        blurred += pair
    return blurred


def _rises(plane: Plane, step: int, start: int, count: int) -> Plane:
    """By how much a plane (n,) rises or falls from `step` places before to `step` after each of `count` places."""
    rise: Plane = plane[start + step :][:count] - plane[start - step :][:count]
    return np.abs(rise, out=rise)


def _tops(rise: Plane, step: int, ends: Mask) -> Mask:
    """Where rises (n,) are no lower than `step` places before and after, and at the ends."""
    tops = ends.copy()
    inner = rise[step:-step]
    tops[step:-step] |= (inner >= rise[: -2 * step]) & (inner >= rise[2 * step :])
    return tops


@lru_cache(maxsize=16)
def _places(height: int, width: int) -> tuple[Mask, Mask, Mask]:
    """Which flat places of a tile (H, W) are measured, and which are a row's, or a column's, first and last."""
    inside, row_ends, column_ends = np.zeros((3, height - 2 * MARGIN, width + 2 * REACH), dtype=bool)
    inside[:, MARGIN : width - MARGIN] = True
    row_ends[:, [MARGIN, width - MARGIN - 1]] = True
    column_ends[[0, -1]] = True
    return inside.reshape(-1), row_ends.reshape(-1), column_ends.reshape(-1)


def _width(rises: Plane, again: Plane) -> float | None:
    """Blur σ in pixels of edges by their rises (n,), and these once more after the blur; None for few of them."""
    if len(rises) < LEAST_EDGES:
        return None
    # The median, from a sort: NumPy's own takes many times as long for so few values.
    ratio = np.sort(rises / np.maximum(again, 2e-3))
    sharp = float(ratio[(len(ratio) - 1) // 2] + ratio[len(ratio) // 2]) / 2
    return float(REBLUR / np.sqrt(max(sharp * sharp - 1, 1e-3)))
