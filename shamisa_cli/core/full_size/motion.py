"""Whether detail is lost along one direction, as by motion, or along all, as out of focus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Matrix
from shamisa_cli.core.full_size.focus import Plane

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
MIDDLE = 128
"""Of the grey levels."""


def lost_along_one_direction(tiles: Sequence[npt.NDArray[np.uint8]]) -> float | None:
    """Octaves by which fine detail, relative to coarse structure, is weaker along one direction than across it.

    Args:
        tiles: luma (H, W), of one size, of 64 pixels and more; None comes back for none.
    """
    if not tiles:
        return None
    steps = _Steps.of(tiles)
    fine, coarse = np.array([[steps.energy(*offset) for offset in offsets] for offsets in OFFSETS]).T + LEAST_ENERGY
    kept = np.log2(fine / coarse)
    return round(float(np.max(np.roll(kept, len(DIRECTIONS) // 2) - kept)), 2)


@dataclass(frozen=True)
class _Steps:
    """Steps between pixels of n tiles (H, W), by Σ(a - b)² = Σa² + Σb² - 2Σab, which needs no array of them.

    Attributes:
        tiles: n.
        rows: (H, W × n) float32 luma about 0, the tiles' pixels at one place side by side, so that rows are long.
        squares: (H + 1, W + 1), sums of the squares of all pixels above and left of a place.
    """

    tiles: int
    rows: Plane
    squares: Matrix

    @classmethod
    def of(cls, tiles: Sequence[npt.NDArray[np.uint8]]) -> _Steps:
        """The steps between pixels of tiles (H, W) of one size."""
        stack = np.stack(tiles).astype(np.float32)
        stack -= MIDDLE  # whole numbers this small keep nearly all sums exact
        height, width = stack.shape[1:]
        squares = np.zeros((height + 1, width + 1))
        squares[1:, 1:] = np.einsum("nij,nij->ij", stack, stack)
        across = np.cumsum(squares, axis=1)
        return cls(
            len(tiles),
            np.ascontiguousarray(stack.transpose(1, 2, 0)).reshape(height, -1),
            # Along the last axis, since NumPy takes four times as long along the first.
            np.cumsum(np.ascontiguousarray(across.T), axis=1).T,
        )

    def energy(self, down: int, across: int) -> float:
        """Mean squared difference of pixels so many rows and columns apart."""
        height, width = (side - 1 for side in self.squares.shape)
        left, right = max(0, -across), max(0, across)
        first = self.rows[: height - down, left * self.tiles : (width - right) * self.tiles]
        second = self.rows[down:, right * self.tiles : (width - left) * self.tiles]
        products = np.matmul(first[:, None, :], second[:, :, None]).sum(dtype=np.float64)
        squares = self._sum(0, height - down, left, width - right) + self._sum(down, height, right, width - left)
        return float(squares - 2 * products) / first.size

    def _sum(self, top: int, bottom: int, left: int, right: int) -> float:
        """Of the squares in a rectangle of all tiles."""
        table = self.squares
        return float(table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left])
