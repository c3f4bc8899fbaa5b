"""Whether two images show the same at the same places: parts of both are laid over each other by phase correlation.

A picture turned, scaled or sheared has its parts moved in a way that an affine map describes; parts of a mirrored or
another picture are found nowhere. Damage does neither: what is left of a part lies where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shamisa_cli.core.arrays import Pixels

LONG_SIDES = (1024, 400)
"""Pixels to which images are reduced, about: what was turned far moves by fewer pixels at the second."""
TILE, LEAST_TILE, GRID = 128, 64, 5
"""Sides in pixels of the parts, of large and of small images, and how many there are down and across."""
PEAK = 10.0
"""Least height of a peak that is no chance, times the side of a part: of noise the highest is at about 4."""
NEAR, TIMES = 1, 2.0
"""Pixels within which a part is in place, and how much higher than there the peak of a moved part must be."""
FOUND = 6
"""Least number of parts that show how an image was moved: an affine map has as many numbers."""
MOVED, OFF = 1.5, 1.0
"""Pixels by which some part must have been moved, and by which half of them may be off the map."""
COARSE, AROUND = 64, 4
"""Long side in pixels at which whole images are compared, and how far the surroundings reach that are taken off."""
LIKE = 0.55
"""Correlation of coarse images, below which they show something else if hardly any part is in place."""
FEW, CLEARLY = 0.1, 0.5
"""Share of the parts that may be in place by chance, and from which no further look is needed."""
FLAT = 1.0
"""Levels of contrast, below which a coarse image shows nothing."""

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class _Parts:
    """Where parts of one image lie in the other.

    Attributes:
        places: (n, 2), corners of the parts in pixels, down and right.
        moved: (n, 2), how far each was moved.
        found: (n,), whether it was found.
    """

    places: NDArray[np.float64]
    moved: NDArray[np.float64]
    found: NDArray[np.bool_]

    @property
    def in_place(self) -> NDArray[np.bool_]:
        in_place: NDArray[np.bool_] = self.found & (np.abs(self.moved).max(axis=1) <= NEAR)
        return in_place


def same_framing(a: Pixels, b: Pixels) -> bool:
    """Whether places in two images, RGB (H, W, 3) of one size, mean the same; also where that cannot be told."""
    in_place = 1.0
    for long_side in LONG_SIDES:
        first, second = _reduced(a, long_side), _reduced(b, long_side)
        side = TILE if min(first.shape) >= 2 * TILE else LEAST_TILE
        if min(first.shape) < 2 * side:
            break
        parts = _parts(first, second, side)
        if _mapped(parts):
            return False
        in_place = min(in_place, float(parts.in_place.mean()))
        if in_place > CLEARLY:
            break
    return in_place >= FEW or not _unlike(a, b)


def _reduced(pixels: Pixels, long_side: int) -> Plane:
    """Lightness in levels, in means of squares if the image is larger."""
    image = Image.fromarray(pixels)
    factor = -(-max(image.size) // long_side)
    return np.asarray((image.reduce(factor) if factor > 1 else image).convert("L"), dtype=np.float32)


def _parts(first: Plane, second: Plane, side: int) -> _Parts:
    """Lay parts of two planes over each other (C. D. Kuglin, D. C. Hines, IEEE Conf. Cybernetics and Society, 1975)."""
    rows, columns = (np.linspace(0, length - side, GRID).astype(int) for length in first.shape)
    places = [(row, column) for row in rows for column in columns]
    fade = np.hanning(side + 2)[1:-1].astype(np.float32)
    spectra = []
    for plane in (first, second):
        tiles = np.stack([plane[row : row + side, column : column + side] for row, column in places])
        spectra.append(np.fft.rfft2((tiles - tiles.mean(axis=(1, 2), keepdims=True)) * np.outer(fade, fade)))
    cross = spectra[0].conj() * spectra[1]
    heights = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-6), s=(side, side))
    heights = np.roll(heights, (side // 2, side // 2), (1, 2)).reshape(len(places), -1)
    peak = heights.argmax(axis=1)
    moved = np.stack(np.divmod(peak, side), axis=1) - side // 2
    offsets = np.abs(np.arange(side) - side // 2) <= NEAR
    near = heights[:, np.outer(offsets, offsets).ravel()].max(axis=1)
    highest = heights.max(axis=1)
    found = (highest >= PEAK / side) & ((highest == near) | (highest >= TIMES * near))
    return _Parts(np.array(places, dtype=np.float64), moved.astype(np.float64), found)


def _mapped(parts: _Parts) -> bool:
    """Whether the parts that were found were moved, all by one affine map."""
    if (parts.found & ~parts.in_place).sum() < FOUND:
        return False
    terms = np.column_stack([np.ones(len(parts.places)), parts.places / TILE])
    used = parts.found
    for _ in range(3):  # the half that fits best is fitted again: a part or two are found in the wrong place
        coefficients, *_ = np.linalg.lstsq(terms[used], parts.moved[used], rcond=None)
        off = np.hypot(*(terms @ coefficients - parts.moved).T)
        used = parts.found & (off <= np.median(off[parts.found]))
    predicted = np.hypot(*(terms @ coefficients).T)
    return bool(np.median(off[parts.found]) <= OFF and predicted.max() > MOVED)


def _unlike(a: Pixels, b: Pixels) -> bool:
    """Whether whole images show something else, lightness apart."""
    from scipy.ndimage import uniform_filter

    coarse = []
    for pixels in (a, b):
        image = Image.fromarray(pixels)
        scale = COARSE / max(image.size)
        size = max(2, round(image.width * scale)), max(2, round(image.height * scale))
        plane = np.asarray(image.resize(size, Image.Resampling.BOX).convert("L"), dtype=np.float64)
        coarse.append(plane - uniform_filter(plane, 2 * AROUND + 1, mode="nearest"))
    if min(plane.std() for plane in coarse) < FLAT:
        return False
    return bool(np.corrcoef(coarse[0].ravel(), coarse[1].ravel())[0, 1] < LIKE)
