"""Proof that one image is the other saved as a JPEG: its coefficients are the other's, quantised (ours).

The cosine transforms of a JPEG's blocks are multiples of the steps of its table. Where those of b are, each is the
multiple nearest to what a has there, and what a has lies anywhere between the multiples, b was made from a. Were a made
from b, it would lie near them, or sometimes nearer to another. What the photograph shows does not matter, nor whether a
had been a JPEG of its own, unless its steps were nearly as large. Then lightness shows nothing; but colour does, if it
is quantised at full resolution in b, and was at half in a.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.relational.direction.bands import BLOCK, Plane, colour_planes
from shamisa_cli.core.relational.direction.image_statistics import FEWEST, block_transform

STEPS = np.arange(3, 100)
"""Steps that are looked for: rounding pixels to 8 bits hides smaller ones."""
COLOUR_STEPS = 8
"""Least step of colour that proves something: halving and doubling its resolution moves coefficients a few levels."""
FINENESS, HIGHEST = 4, 512
"""Bins of a level of coefficients, and the largest coefficient that is counted."""
QUANTISED = 0.45
"""Mean cosine over a step, from which coefficients are multiples of it."""
CHANCE = 3.2
"""Least mean cosine of n coefficients, times √n: 4.5 standard deviations of those that lie anywhere."""
ANYWHERE = 0.4
"""Least share of the source's coefficients that are more than a quarter of a step off the multiple: half of those that
lie anywhere, and less of noise that was added, unless some of it reaches other multiples."""
TELLING, TELLING_SHARE = 3, 0.5
"""Least number of frequencies where they do, and least share of those that have a step: noise reaches that far where
steps are small only."""
ROUNDED = 1.0
"""Levels that rounding of pixels and of lightness moves a coefficient by, hardly ever more."""
AGREEING = 0.996
"""Least share of the coefficients of these frequencies that are the nearest multiple."""
ONE_WAY = 0.95
"""Most of the source's coefficients off the multiple that lie on one side of it, as those of a filtered picture do:
nearer to zero than before, or all further."""
COLOURS_AGREEING = 0.98
"""Least share of colour's coefficients beyond half a step that are the nearest multiple, for most are zero."""
TINTED, COLOURED = 0.7, 1.0
"""Levels by which the mean colour, and colours of 16 × 16 pixels beyond an eighth of a step, may be off."""


GREY = np.float32(128)
"""Level of no colour, in JPEG's planes."""


@dataclass(frozen=True)
class _Transformed:
    """Lightness and colour of one image in blocks.

    Attributes:
        luma: (n, 64), cosine transforms.
        inside: (n,), blocks without black or white pixels, which clipping changes.
        chroma: Cb and Cr, each (H, W).
    """

    luma: NDArray[np.float32]
    inside: NDArray[np.bool_]
    chroma: tuple[Plane, Plane]

    @property
    def colour(self) -> NDArray[np.float32]:
        """Means of Cb and Cr in squares of 16 × 16 pixels, (2, m)."""
        return np.stack([_tiles(plane, 2 * BLOCK).mean(axis=1) for plane in self.chroma])

    @functools.cached_property
    def colour_transforms(self) -> list[NDArray[np.float32]]:
        """Cosine transforms of Cb and Cr, each (n, 64)."""
        return [_transforms(plane + GREY) for plane in self.chroma]


@dataclass(frozen=True)
class _Moves:
    """From the coefficients of a source to the multiples of an image, at the k frequencies where the image has a step.

    Attributes:
        steps: (k,).
        seen: (n, k), the image's coefficients beyond half a step.
        near: (n, k), those that are the multiple nearest to the source's.
        inward, outward: (k,), how many of those seen the source has nearer to zero by more than a quarter of a step,
            and further from it.
    """

    steps: NDArray[np.int64]
    seen: NDArray[np.bool_]
    near: NDArray[np.bool_]
    inward: NDArray[np.int64]
    outward: NDArray[np.int64]

    @property
    def prove(self) -> bool:
        """Whether they show that the image is the source, quantised."""
        telling = (self.inward + self.outward) / np.maximum(self.seen.sum(axis=0), 1) >= ANYWHERE
        if telling.sum() < max(TELLING, TELLING_SHARE * len(self.steps)):
            return False
        ways = self.inward[telling].sum(), self.outward[telling].sum()
        return bool(self.near[:, telling].mean() >= AGREEING and max(ways) <= ONE_WAY * sum(ways))

    @property
    def agree(self) -> bool:
        """Whether the image may be the source, quantised."""
        return len(self.steps) >= TELLING and bool(self.near.mean() >= AGREEING)

    @property
    def agree_beyond_zero(self) -> bool:
        """Whether that also holds of the coefficients that are not zero."""
        return bool(self.near[self.seen].mean() >= COLOURS_AGREEING)


def requantised(a: Pixels, b: Pixels) -> int:
    """−1 if b is certainly a saved as JPEG, 1 if a is certainly b saved as JPEG, 0 where neither is certain.

    Args:
        a, b: sRGB (H, W, 3) uint8 of one size, whose first pixel lies on a corner of JPEG's blocks.
    """
    if min(a.shape[:2]) < 2 * BLOCK:
        return 0
    first, second = _transformed(a), _transformed(b)
    return int(_made_of(second, first)) - int(_made_of(first, second))


def _transformed(pixels: Pixels) -> _Transformed:
    luma, *chroma = colour_planes(pixels)
    extremes = _tiles(pixels.min(axis=2), BLOCK).min(axis=1), _tiles(pixels.max(axis=2), BLOCK).max(axis=1)
    inside = (extremes[0] > 0) & (extremes[1] < 255)
    return _Transformed(_transforms(luma), inside, (chroma[0], chroma[1]))


def _transforms(plane: Plane) -> NDArray[np.float32]:
    return block_transform(plane).reshape(-1, BLOCK * BLOCK)


def _tiles(plane: Plane | Pixels, side: int) -> NDArray[np.generic]:
    """The squares of a plane, (n, side²), row by row."""
    height, width = (length // side * side for length in plane.shape)
    tiles = plane[:height, :width].reshape(height // side, side, width // side, side)
    return tiles.swapaxes(1, 2).reshape(-1, side * side)


def _made_of(source: _Transformed, image: _Transformed) -> bool:
    """Whether the image is the source, quantised."""
    inside = image.inside
    luma = _moves(source.luma[inside], image.luma[inside])
    if not luma.prove and not (luma.agree and _proved_by_colour(source, image)):
        return False
    tints = image.colour - source.colour
    spread = np.sqrt(np.square(tints).mean(axis=1)).max()
    return bool(np.abs(tints.mean(axis=1)).max() < TINTED and spread < COLOURED + np.median(luma.steps) / BLOCK)


def _proved_by_colour(source: _Transformed, image: _Transformed) -> bool:
    inside = image.inside
    pairs = zip(source.colour_transforms, image.colour_transforms, strict=True)
    found = [_moves(before[inside], after[inside], COLOUR_STEPS) for before, after in pairs]
    return any(moves.prove and moves.agree_beyond_zero for moves in found)


def _moves(source: NDArray[np.float32], image: NDArray[np.float32], least: int = 0) -> _Moves:
    """Of cosine transforms of the same blocks, (n, 64), where the step is not less than the least."""
    likeness = _likeness(image)
    steps = STEPS[likeness.argmax(axis=1)]
    found = np.flatnonzero((likeness.max(axis=1) > QUANTISED) & (steps >= least))
    steps = steps[found]
    coefficients = image[:, found]
    seen = np.abs(coefficients) > steps / 2
    moved = (source[:, found] - coefficients) * np.sign(coefficients)
    inward, outward = ((seen & (way > steps / 4)).sum(axis=0) for way in (-moved, moved))
    return _Moves(steps, seen, np.abs(moved) <= steps / 2 + ROUNDED, inward, outward)


def _likeness(coefficients: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much coefficients (n, 64) look like multiples of each of `STEPS`, (64, S) in −1…1; −1 for what may be chance.

    It is the mean cosine, a step being a full turn, of the coefficients beyond half a step.
    """
    places = np.minimum(np.rint(np.abs(coefficients) * FINENESS).astype(np.int64), FINENESS * HIGHEST)
    frequencies, bins = coefficients.shape[1], FINENESS * HIGHEST + 1
    flat = (places + bins * np.arange(frequencies)).ravel()
    counts = np.bincount(flat, minlength=frequencies * bins).reshape(frequencies, bins)[:, :-1]
    cosines, beyond = _turns()
    number = counts @ beyond
    mean = counts @ cosines / np.maximum(number, 1)
    likeness: NDArray[np.float64] = np.where((number >= FEWEST) & (mean * np.sqrt(number) > CHANCE), mean, -1)
    return likeness


@functools.cache
def _turns() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each bin and step the cosine, where the bin is beyond half the step; and whether it is, both (bins, S)."""
    sizes = np.arange(FINENESS * HIGHEST)[:, None] / FINENESS
    beyond = (sizes > STEPS / 2).astype(np.float64)
    return np.cos(2 * np.pi * sizes / STEPS) * beyond, beyond
