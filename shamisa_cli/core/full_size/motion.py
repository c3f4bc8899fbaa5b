"""Whether detail is lost along one direction, as by motion, or along all, as out of focus."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.full_size.focus import Plane

Tiles = npt.NDArray[np.float32]

DIRECTIONS = ((0, 1), (1, 2), (1, 1), (2, 1), (1, 0), (2, -1), (1, -1), (1, -2))
"""Steps in rows and columns; each is at right angles to the one four places on."""
SHORT, LONG = 2.0, 16.0
"""Pixels, about: fine detail, which a blur removes, and coarse structure, which remains."""
OFFSETS = [
    [(step[0] * times, step[1] * times) for lag in (SHORT, LONG) for times in [max(1, round(lag / math.hypot(*step)))]]
    for step in DIRECTIONS
]
"""Rows and columns of about these distances, in each direction."""
LEAST_ENERGY = 0.5
"""Grey levels squared, added to both, so that noise and nothing do not count."""


def lost_along_one_direction(tiles: Sequence[Plane]) -> float | None:
    """Octaves by which fine detail, relative to coarse structure, is weaker along one direction than across it.

    Args:
        tiles: luma (H, W), of one size, of 64 pixels and more; None comes back for none.
    """
    if not tiles:
        return None
    stack = np.stack(tiles)
    energies = np.array([[_energy(stack, *offset) for offset in offsets] for offsets in OFFSETS])
    fine, coarse = energies.T + LEAST_ENERGY
    kept = np.log2(fine / coarse)
    return round(float(np.max(np.roll(kept, len(DIRECTIONS) // 2) - kept)), 2)


def _energy(tiles: Tiles, down: int, across: int) -> float:
    """Mean squared difference of pixels so many rows and columns apart, in tiles (n, H, W)."""
    height, width = tiles.shape[1:]
    first = tiles[:, : height - down, max(0, -across) : width - max(0, across)]
    steps = np.subtract(first, tiles[:, down:, max(0, across) : width - max(0, -across)])
    return float(np.einsum("ijk,ijk", steps, steps)) / steps.size
