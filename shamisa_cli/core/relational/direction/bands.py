"""Planes of lightness and colour, and bands of detail from fine to coarse."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels

Plane = NDArray[np.float32]

BLOCK = 8
LEAST_SIDE = 16
"""Sides from which a plane can be halved once more."""


LUMA_BANDS, CHROMA_BANDS = 4, 2


@dataclass(frozen=True)
class Layers:
    """Planes of one image, in levels.

    Attributes:
        luma: (H, W).
        chroma: Cb and Cr, each (H, W).
        bands: `LUMA_BANDS` of luma from fine to coarse, then `CHROMA_BANDS` of Cb and of Cr.
    """

    luma: Plane = field(repr=False)
    chroma: tuple[Plane, Plane] = field(repr=False)
    bands: tuple[Plane, ...] = field(repr=False)

    @functools.cached_property
    def energies(self) -> tuple[Plane, ...]:
        """Mean square of each band in each block."""
        return tuple(per_block(band * band) for band in self.bands)


def layers(pixels: Pixels) -> Layers:
    """The planes of sRGB (H, W, 3) uint8."""
    luma, blue, red = colour_planes(pixels)
    counts = ((luma, LUMA_BANDS), (blue, CHROMA_BANDS), (red, CHROMA_BANDS))
    return Layers(luma, (blue, red), tuple(band for plane, count in counts for band in bands(plane, count)))


def colour_planes(pixels: Pixels) -> tuple[Plane, Plane, Plane]:
    """Y, Cb and Cr in levels, each (H, W) float32, without their offsets (ITU-R BT.601)."""
    red, green, blue = (pixels[..., channel].astype(np.float32) for channel in range(3))
    luma = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    return luma, (blue - luma) * np.float32(0.564), (red - luma) * np.float32(0.713)


def bands(plane: Plane, count: int) -> Iterator[Plane]:
    """Detail that a mean of 3 × 3 pixels takes away, at full size, a half, a quarter and so on.

    A plane too small to be halved repeats its last band.
    """
    for _ in range(count):
        yield plane - smoothed(plane)
        if min(plane.shape) >= LEAST_SIDE:
            plane = halved(plane)


def smoothed(plane: Plane) -> Plane:
    """Means over 3 × 3 pixels; edges are repeated."""
    rows = np.pad(plane, [(1, 1), (0, 0)], mode="edge")
    plane = (rows[:-2] + rows[1:-1] + rows[2:]) / np.float32(3)
    columns = np.pad(plane, [(0, 0), (1, 1)], mode="edge")
    means: Plane = (columns[:, :-2] + columns[:, 1:-1] + columns[:, 2:]) / np.float32(3)
    return means


def halved(plane: Plane) -> Plane:
    """Means of squares of 2 × 2; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in plane.shape)
    even = plane[:height, :width]
    means: Plane = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / np.float32(4)
    return means


def fitted(values: Plane, shape: tuple[int, ...]) -> Plane:
    """The nearest values on a grid of another size."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(shape, values.shape, strict=True))
    return values[np.ix_(rows, columns)]


def per_block(plane: Plane) -> Plane:
    """Means (⌊H/8⌋, ⌊W/8⌋) of blocks; of a plane smaller than a block (1, 1)."""
    height, width = (side // BLOCK * BLOCK for side in plane.shape)
    if not height or not width:
        mean: Plane = plane.mean(keepdims=True)
        return mean
    means: Plane = plane[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean(axis=(1, 3))
    return means


def centred(plane: Plane) -> Plane:
    """A plane less the mean of each block, cut to whole blocks; one smaller than a block less its mean."""
    height, width = (side // BLOCK * BLOCK for side in plane.shape)
    if not height or not width:
        return np.asarray(plane - plane.mean(), dtype=np.float32)
    tiles = plane[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    centred: Plane = (tiles - tiles.mean(axis=(1, 3), keepdims=True)).reshape(height, width)
    return centred


def autocorrelation(plane: Plane, down: int, right: int) -> float:
    """Likeness in −1…1 of a plane of mean 0 with itself, moved by some pixels."""
    height, width = plane.shape
    if height <= down or width <= right:
        return 0.0
    product = plane[down:, right:] * plane[: height - down, : width - right]
    return float(product.mean()) / (float(np.square(plane).mean()) + 0.02)
