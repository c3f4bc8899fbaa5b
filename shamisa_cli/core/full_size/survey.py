"""One pass over all pixels: where there is detail, how flat parts waver, an 8-pixel grid, squares, and other traces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Vector
from shamisa_cli.core.full_size.copies import count_displaced, places_with, telling_step
from shamisa_cli.core.full_size.squares import Area, count_plain, plain_areas, repeated_lines
from shamisa_cli.core.full_size.wavelets import wavelet_trace
from shamisa_cli.core.quantiles import quantiles

Luma = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]

BLOCK = 32
"""Side in pixels of the blocks of all maps."""
PLAIN_ROWS = (7, 23)
APART = 16
"""Rows of a strip that are searched for areas of one colour, and their distance: two cross each square of 32 pixels."""
CELL = 8
"""Side of a cell of JPEG's grid."""
CLIPPED_STEP = 12
"""Grey levels; larger steps between neighbours are edges, which say nothing about a grid."""
PART = 2048
"""Columns whose clipped steps are added at a time."""

LEAST_STEP = 0.5
"""Grey levels added to the usual step, below which no grid is visible."""


@dataclass(frozen=True)
class Survey:
    """Maps of an image in blocks of `BLOCK` pixels, (rows, columns), and the strength of an 8-pixel grid.

    Attributes:
        mean: of the luma.
        fine: mean absolute diagonal difference, I(y, x) - I(y, x+1) - I(y+1, x) + I(y+1, x+1).
        coarse: the same of the image reduced by two.
        repeated: share of columns, and of rows where those are fewer, that repeat the one before.
        squares: number of areas of one single colour, 17 to 256 pixels wide, where they are as high.
        displaced: number of parts that are copies of what is beside them.
        wavelets: trace of wavelet compression; at most .05 in photographs that were not coded so.
        grid: how much larger steps between neighbours are at every eighth column and row than beside them, as a share
            of the usual step; 0 without a grid, about 1 in strongly compressed JPEGs.
    """

    mean: Map
    fine: Map
    coarse: Map
    grid: float
    repeated: float
    squares: int
    displaced: int
    wavelets: float


def survey_pixels(luma: Luma) -> Survey | None:
    """Survey an image's luma (H, W) in strips; None if it is smaller than four blocks in a direction."""
    rows, columns = luma.shape[0] // BLOCK, luma.shape[1] // BLOCK
    if min(rows, columns) < 4:
        return None
    width = columns * BLOCK
    mean, fine, coarse = (np.empty((rows, length), np.int16) for length in (width, luma.shape[1] - 1, width // 2 - 1))
    across = np.zeros(luma.shape[1] - 1)
    most = np.full(luma.shape[1], CLIPPED_STEP, np.int16)  # a row: NumPy takes four times as long for a scalar
    down = np.zeros(rows * BLOCK)
    squares, before = 0, set[Area]()
    step, compared = telling_step(luma), []
    for row in range(rows):
        top = row * BLOCK
        strip = luma[top : top + BLOCK + 1].astype(np.int16)
        full = strip[:BLOCK, :width]
        # A column's sum fits into 16 bits: 32 rows of at most 510, or 16 of at most 2040.
        full.sum(axis=0, dtype=np.int16, out=mean[row])
        steps = strip[:, 1:] - strip[:, :-1]
        np.abs(steps[1:] - steps[:-1]).sum(axis=0, dtype=np.int16, out=fine[row])
        compared.append(places_with(step, steps[:BLOCK], top))
        for line in PLAIN_ROWS:
            plain = plain_areas(strip[line], steps[line])
            above = luma[max(0, top + line - APART) : top + line]
            squares, before = squares + count_plain(above, plain & before), plain
        across += np.minimum(np.abs(steps[:BLOCK:2]), most[1:]).sum(axis=0, dtype=np.int16)
        vertical = _row_sums(np.minimum(np.abs(strip[1:] - strip[:-1]), most))
        down[top : top + len(vertical)] = vertical
        pairs = full[::2] + full[1::2]
        half = pairs[:, ::2] + pairs[:, 1::2]
        steps = half[:, 1:] - half[:, :-1]
        np.abs(steps[1:] - steps[:-1]).sum(axis=0, dtype=np.int16, out=coarse[row])
    across /= rows * BLOCK / 2
    down /= luma.shape[1]
    grid = (_grid_strength(across) + _grid_strength(down[: len(down) - 1])) / 2
    last = min(BLOCK, luma.shape[0] - (rows - 1) * BLOCK - 1)
    return Survey(
        _block_means(mean, columns, np.full(rows, BLOCK)),
        _block_means(fine, columns, np.array([BLOCK] * (rows - 1) + [last])),
        _block_means(coarse, columns, np.full(rows, 4 * (BLOCK // 2 - 1)), BLOCK // 2),
        grid,
        min(repeated_lines(across), repeated_lines(down[: len(down) - 1])),
        squares,
        count_displaced(luma, np.concatenate(compared)),
        wavelet_trace(luma),
    )


def _block_means(sums: npt.NDArray[np.int16], columns: int, heights: npt.NDArray[np.int64], side: int = BLOCK) -> Map:
    """Means (rows, columns) of blocks, from the sums (rows, W) of their columns of pixels, of which the last may lack.

    Args:
        sums: of `heights` (rows,) pixels each, or of four times as many where a sum is of four pixels.
        columns: number of blocks.
        heights: see there.
        side: width of a block in pixels.
    """
    starts = np.arange(columns) * side
    widths = np.minimum(starts + side, sums.shape[1]) - starts
    totals = np.add.reduceat(sums[:, : columns * side].astype(np.int32), starts, axis=1)
    means: Map = (totals / (widths * heights[:, None])).astype(np.float32)
    return means


def _row_sums(steps: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
    """Sums (h,) of rows of steps (h, W) up to `CLIPPED_STEP`, in parts that fit into 16 bits; widening takes longer."""
    sums = np.zeros(len(steps), np.int64)
    for start in range(0, steps.shape[1], PART):
        sums += steps[:, start : start + PART].sum(axis=1, dtype=np.int16)
    return sums


def _grid_strength(steps: Vector) -> float:
    """Excess of the mean steps (n,) between neighbours at one phase of eight over those beside them, as a share."""
    excess = steps[1:-1] - (steps[:-2] + steps[2:]) / 2
    whole = excess[: len(excess) // CELL * CELL].reshape(-1, CELL)
    usual, strongest = quantiles(whole.mean(axis=0), [0.5, 1.0])
    (step,) = quantiles(steps, [0.5])
    return max(0.0, (strongest - usual) / (step + LEAST_STEP))
