"""One pass over all pixels: where there is detail, how flat parts waver, and the strength of an 8-pixel grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Vector

Luma = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]

BLOCK = 32
"""Side in pixels of the blocks of all maps."""
CELL = 8
"""Side of a cell of JPEG's grid."""
CLIPPED_STEP = 12
"""Grey levels; larger steps between neighbours are edges, which say nothing about a grid."""

LEAST_STEP = 0.5
"""Grey levels added to the usual step, below which no grid is visible."""


@dataclass(frozen=True)
class Survey:
    """Maps of an image in blocks of `BLOCK` pixels, (rows, columns), and the strength of an 8-pixel grid.

    Attributes:
        mean: of the luma.
        fine: mean absolute diagonal difference, I(y, x) - I(y, x+1) - I(y+1, x) + I(y+1, x+1).
        coarse: the same of the image reduced by two.
        grid: how much larger steps between neighbours are at every eighth column and row than beside them, as a share
            of the usual step; 0 without a grid, about 1 in strongly compressed JPEGs.
    """

    mean: Map
    fine: Map
    coarse: Map
    grid: float


def survey_pixels(luma: Luma) -> Survey | None:
    """Survey an image's luma (H, W) in strips; None if it is smaller than four blocks in a direction."""
    rows, columns = luma.shape[0] // BLOCK, luma.shape[1] // BLOCK
    if min(rows, columns) < 4:
        return None
    mean, fine, coarse = (np.empty((rows, columns), np.float32) for _ in range(3))
    across = np.zeros(luma.shape[1] - 1)
    down = np.zeros(rows * BLOCK)
    for row in range(rows):
        top = row * BLOCK
        strip = luma[top : top + BLOCK + 1].astype(np.int16)
        full = strip[:BLOCK]
        mean[row] = _block_means(full, columns)
        steps = np.diff(strip, axis=1)
        fine[row] = _block_means(np.abs(np.diff(steps, axis=0)), columns)
        across += np.minimum(np.abs(steps[:BLOCK:2]), CLIPPED_STEP).sum(axis=0, dtype=np.int16)
        vertical = np.minimum(np.abs(np.diff(strip, axis=0)), CLIPPED_STEP).sum(axis=1)
        down[top : top + len(vertical)] = vertical
        half = full[::2, : columns * BLOCK : 2] + full[1::2, : columns * BLOCK : 2]
        half += full[::2, 1 : columns * BLOCK : 2] + full[1::2, 1 : columns * BLOCK : 2]
        coarse[row] = _block_means(np.abs(np.diff(np.diff(half, axis=1), axis=0)), columns, BLOCK // 2) / 4
    across /= rows * BLOCK / 2
    down /= luma.shape[1]
    grid = (_grid_strength(across) + _grid_strength(down[: len(down) - 1])) / 2
    return Survey(mean, fine, coarse, grid)


def _block_means(values: npt.NDArray[np.int16], columns: int, side: int = BLOCK) -> npt.NDArray[np.float64]:
    """Mean (columns,) of each block of a strip, which may lack a last row or column of pixels.

    A column's sum fits into 16 bits: 32 rows of at most 510, or 16 of at most 2040.
    """
    sums = values.sum(axis=0, dtype=np.int16).astype(np.int32)
    starts = np.arange(columns) * side
    widths = np.minimum(starts + side, len(sums)) - starts
    totals: npt.NDArray[np.float64] = np.add.reduceat(sums[: columns * side], starts) / (widths * len(values))
    return totals


def _grid_strength(steps: Vector) -> float:
    """Excess of the mean steps (n,) between neighbours at one phase of eight over those beside them, as a share."""
    excess = steps[1:-1] - (steps[:-2] + steps[2:]) / 2
    whole = excess[: len(excess) // CELL * CELL].reshape(-1, CELL)
    phases = np.sort(whole.mean(axis=0))
    return max(0.0, float(phases[-1] - np.median(phases)) / (float(np.median(steps)) + LEAST_STEP))
