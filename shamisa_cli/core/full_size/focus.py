"""Width of edges, in pixels, from how much a known blur lowers them.

An edge blurred with σ has the slope c / σ; blurred once more with σ₀ it has c / √(σ² + σ₀²). The ratio R of the slopes
gives σ = σ₀ / √(R² - 1), whatever the edge's contrast (Zhuo and Sim, Pattern Recognition 44, 2011).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]

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
TAPS = np.exp(-(np.arange(-4, 5, dtype=np.float64) ** 2) / (2 * REBLUR**2))
TAPS = (TAPS / TAPS.sum()).astype(np.float32)


def edge_widths(tile: Plane, noise: float) -> tuple[float | None, float | None]:
    """Blur σ in pixels of the sharper edges of a tile (H, W), across columns and across rows; None with few edges.

    Args:
        tile: luma.
        noise: deviation of the noise, in grey levels.
    """
    least = 2 * max(LEAST_SLOPE, SLOPES_OF_NOISE * noise)
    blurred = _blurred(_blurred(tile, 0), 1)
    rises, again = ([_rises(plane, axis) for axis in (1, 0)] for plane in (tile, blurred))
    return _width(rises[0], rises[1], again[0], least, 1), _width(rises[1], rises[0], again[1], least, 0)


def _blurred(tile: Plane, axis: int) -> Plane:
    """The tile (H, W) through `TAPS` along an axis, its border repeated."""
    reach, side = len(TAPS) // 2, tile.shape[axis]
    around = _bordered(tile, reach, axis)
    blurred: Plane = TAPS[reach] * tile
    for away in range(1, reach + 1):
        pair = _part(around, axis, reach - away, side) + _part(around, axis, reach + away, side)
        pair *= TAPS[reach + away]
        blurred += pair
    return blurred


def _bordered(tile: Plane, reach: int, axis: int) -> Plane:
    """The tile with its first and last row or column repeated; `np.pad` takes longer than the whole blur."""
    shape = [side + 2 * reach * (each == axis) for each, side in enumerate(tile.shape)]
    around = np.empty(shape, np.float32)
    side = tile.shape[axis]
    _part(around, axis, reach, side)[...] = tile
    _part(around, axis, 0, reach)[...] = _part(tile, axis, 0, 1)
    _part(around, axis, reach + side, reach)[...] = _part(tile, axis, side - 1, 1)
    return around


def _rises(plane: Plane, axis: int) -> Plane:
    """By how much a plane (H, W) rises or falls over two pixels along an axis: twice its slope, without its margin."""
    inside = plane[:, MARGIN:-MARGIN] if axis == 0 else plane[MARGIN:-MARGIN]
    count = plane.shape[axis] - 2 * MARGIN
    rise: Plane = _part(inside, axis, MARGIN + 1, count) - _part(inside, axis, MARGIN - 1, count)
    return np.abs(rise, out=rise)


def _width(rise: Plane, across: Plane, again: Plane, least: float, axis: int) -> float | None:
    edges = (rise > least) & (rise > DOMINANT * across)
    count = rise.shape[axis]
    climbs = _part(rise, axis, 1, count - 1) >= _part(rise, axis, 0, count - 1)
    falls = _part(rise, axis, 0, count - 1) >= _part(rise, axis, 1, count - 1)
    inner = _part(edges, axis, 1, count - 2)
    inner &= _part(climbs, axis, 0, count - 2)
    inner &= _part(falls, axis, 1, count - 2)
    if np.count_nonzero(edges) < LEAST_EDGES:
        return None
    # The median, from a sort: NumPy's own takes many times as long for so few values.
    ratio = np.sort(rise[edges] / np.maximum(again[edges], 2e-3))
    sharp = float(ratio[(len(ratio) - 1) // 2] + ratio[len(ratio) // 2]) / 2
    return float(REBLUR / np.sqrt(max(sharp * sharp - 1, 1e-3)))


def _part(plane: npt.NDArray[Any], axis: int, start: int, count: int) -> npt.NDArray[Any]:
    """`count` rows (axis 0) or columns (axis 1) of a plane, as a view."""
    return plane[start : start + count] if axis == 0 else plane[:, start : start + count]
