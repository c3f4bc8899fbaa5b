"""Statistics of one image that show what was done to it: traces of JPEG, noise and detail, tone and colour (ours).

The differences of two images' statistics are odd in their order, whatever they measure.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.relational.direction.bands import Plane, autocorrelation, bands, centred, colour_planes, per_block

BLOCK = 8
"""Side of JPEG's blocks in pixels."""
FREQUENCIES = tuple((u, v) for u in range(5) for v in range(5) if 1 <= u + v <= 4)
"""Of the blocks' cosine transforms, where traces of JPEG's quantisation are looked for."""
STEPS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 60)
"""Steps of quantisation that are looked for."""
FEWEST = 24
"""Coefficients beyond half a step, below which a step cannot be seen."""
SURE = 0.45
"""Mean cosine of coefficients over a step, from which they count as multiples of it."""
ZERO = 0.6
"""Coefficients up to this size count as quantised to zero."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the blocks, ordered by their contrast in a band."""
ALONE = 16.0
"""Levels by which an isolated pixel differs from all its neighbours."""
PLAIN = 0.3
"""Share of the blocks, those of the least contrast, where neighbours are alike unless there is noise."""
LITTLE = 0.05
"""Levels, added to a contrast before its logarithm: rounding to 8 bits leaves as much."""


def image_statistics(pixels: Pixels) -> NDArray[np.float32]:
    """Statistics (`COUNT`,) of sRGB (H, W, 3) uint8, whose first pixel lies on a corner of JPEG's blocks.

    Contrasts and steps are logarithms; shares lie in 0…1; tone and colour are in units of the full range.
    """
    luma, *chroma = colour_planes(pixels)
    parts = [_jpeg_traces(luma), _contrasts(luma, chroma), _tone(pixels, luma, chroma), _grain(luma)]
    return np.concatenate(parts).astype(np.float32)


def _jpeg_traces(luma: Plane) -> NDArray[np.float64]:
    """Mean log step of quantisation, how sure, shares of zeros in three ranges of frequency, and blockiness (6,)."""
    blocks = block_transform(luma)
    steps, surest = zip(*(_step(blocks[:, u, v]) for u, v in FREQUENCIES), strict=True)
    order = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
    zero = np.abs(blocks) < ZERO
    shares = [zero[:, (order >= low) & (order < high)].mean() for low, high in ((1, 4), (4, 8), (8, 15))]
    return np.array([np.mean(np.log(steps)), np.mean(surest), *shares, _blockiness(luma)])


def _step(coefficients: NDArray[np.float32]) -> tuple[float, float]:
    """The largest step that coefficients of one frequency are multiples of, 1 for none; and the best mean cosine."""
    found, surest = 1.0, 0.0
    size = np.abs(coefficients)
    for step in STEPS:
        beyond = size[size > step / 2]
        if len(beyond) < FEWEST:
            break
        likeness = float(np.cos(beyond * np.float32(2 * np.pi / step)).mean())
        surest = max(surest, likeness)
        found = step if likeness > SURE else found
    return found, surest


def block_transform(luma: Plane) -> NDArray[np.float32]:
    """Orthonormal cosine transforms (n, 8, 8) of the blocks; an image smaller than a block is continued."""
    height, width = (side // BLOCK * BLOCK for side in luma.shape)
    if not height or not width:
        luma = np.pad(luma, [(0, max(0, BLOCK - side)) for side in luma.shape], mode="edge")
        height, width = (side // BLOCK * BLOCK for side in luma.shape)
    tiles = luma[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(1, 2)
    basis = _cosines()
    return (basis @ (tiles.reshape(-1, BLOCK, BLOCK) - np.float32(128)) @ basis.T).astype(np.float32)


@functools.cache
def _cosines() -> NDArray[np.float32]:
    rows = np.cos(np.pi * np.outer(np.arange(BLOCK), 2 * np.arange(BLOCK) + 1) / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    rows[0] /= np.sqrt(2)
    basis: NDArray[np.float32] = rows.astype(np.float32)
    return basis


def _blockiness(luma: Plane) -> float:
    """Log of how much larger steps between pixels are across the edges of blocks than beside them."""
    across = beside = 0.0
    for plane in (luma, luma.T):
        jumps = np.abs(np.diff(plane, axis=1)).mean(axis=0)
        places = np.arange(BLOCK - 1, len(jumps) - 1, BLOCK)
        if len(places):
            across += float(jumps[places].mean())
            beside += float((jumps[places - 1] + jumps[places + 1]).mean()) / 2
    return float(np.log((across + 2 * LITTLE) / (beside + 2 * LITTLE)))


def _contrasts(luma: Plane, chroma: list[Plane]) -> NDArray[np.float64]:
    """Log contrasts of blocks at quantiles, of four bands of luma and two of each chroma; peakedness of the bands."""
    found: list[float] = []
    for band in bands(luma, 4):
        contrast = np.sqrt(per_block(band * band))
        found += [float(value) for value in np.log(np.quantile(contrast, QUANTILES) + LITTLE)]
        square = band * band
        found.append(float(np.log((square * square).mean() / (square.mean() ** 2 + LITTLE**4) + 1)))
    for plane in chroma:
        for band in bands(plane, 2):
            contrast = np.sqrt(per_block(band * band))
            found += [float(value) for value in np.log(np.quantile(contrast, (0.25, 0.75)) + LITTLE)]
    return np.array(found)


def _tone(pixels: Pixels, luma: Plane, chroma: list[Plane]) -> NDArray[np.float64]:
    """Mean and spread of lightness and colour, clipping, cast of bright and of all pixels, gaps in the histogram."""
    low, middle, high = np.quantile(luma, (0.01, 0.5, 0.99)) / 255
    spread = float(luma.std()) / 255
    colours = pixels.reshape(-1, 3)[:: max(1, pixels.shape[0] * pixels.shape[1] // 20_000)].astype(np.float32) / 255
    largest, smallest = colours.max(axis=1), colours.min(axis=1)
    saturation = largest - smallest
    mean = colours.mean(axis=0)
    bright = colours[luma_of(colours) >= np.quantile(luma_of(colours), 0.95)].mean(axis=0)
    clipped = [float(np.sqrt((smallest <= 1 / 255).mean())), float(np.sqrt((largest >= 254 / 255).mean()))]
    casts = [float(np.hypot(*(cast - cast.mean())[:2])) for cast in (mean, bright)]
    spreads = [float(plane.std()) / 255 for plane in chroma]
    tone = [float(luma.mean()) / 255, spread, low, middle, high, *clipped]
    colour = [float(saturation.mean()), float(saturation.std()), *spreads, *(mean - mean.mean()), *casts]
    return np.array([*tone, *colour, *_gaps(luma), *_gaps(pixels[..., 1])])


def luma_of(colours: NDArray[np.floating]) -> NDArray[np.floating]:
    """Weighted sum of red, green and blue (n, 3) as in JPEG (ITU-R BT.601)."""
    luma: NDArray[np.floating] = colours @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return luma


def _gaps(levels: NDArray[np.generic]) -> tuple[float, float]:
    """How rough a histogram of 256 levels is, and the share of levels left empty between occupied ones."""
    counts = np.bincount(np.clip(np.rint(levels), 0, 255).astype(np.uint8).ravel(), minlength=256)
    shares = counts / counts.sum()
    inner, beside = shares[1:-1], (shares[:-2] + shares[2:]) / 2
    empty = (inner < 0.2 * beside) & (beside > 0.001)
    return float(np.abs(inner - beside).sum()), float(5 * empty.mean())


def _grain(luma: Plane) -> NDArray[np.float64]:
    """Logs of the mean distance to the nearest of four neighbours and of the share of isolated pixels, and how alike
    neighbours are in plain blocks, one and two pixels apart (4,)."""
    if min(luma.shape) < 3:
        return np.zeros(4)
    inside = luma[1:-1, 1:-1]
    sides = (luma[:-2, 1:-1], luma[2:, 1:-1], luma[1:-1, :-2], luma[1:-1, 2:])
    nearest = functools.reduce(np.minimum, (np.abs(inside - side) for side in sides))
    detail = centred(luma)
    energy = per_block(detail * detail)
    height, width = (length // side for length, side in zip(detail.shape, energy.shape, strict=True))
    plain = np.kron(energy <= np.quantile(energy, PLAIN), np.ones((height, width), dtype=np.float32))
    alike = [
        sum(autocorrelation(detail * plain, *lag) for lag in lags) for lags in (((0, 1), (1, 0)), ((0, 2), (2, 0)))
    ]
    alone = float((nearest > ALONE).mean())
    return np.array([np.log(float(nearest.mean()) + LITTLE), np.log(alone + 1e-5), *alike])


@functools.cache
def count() -> int:
    """Number of statistics."""
    return len(image_statistics(np.zeros((16, 16, 3), dtype=np.uint8)))
