"""Which of two images is the better one, from an encoder, and how sure that is."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from shamisa_cli.core.arrays import FeatureVector, Pixels
from shamisa_cli.core.encoder.embedder import Embedder
from shamisa_cli.core.encoder.spec import SMALLEST_VIEW
from shamisa_cli.core.images.view import reduced_size
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.relational.difference.difference import STRIDE
from shamisa_cli.core.relational.direction.bands import layers
from shamisa_cli.core.relational.direction.head import DirectionHead, Seen
from shamisa_cli.core.relational.direction.image_statistics import image_statistics
from shamisa_cli.core.relational.direction.pair_statistics import pair_statistics
from shamisa_cli.core.relational.direction.requantisation import requantised

WINDOW = 448
"""Side in pixels of the part that the head sees: where two images differ most."""
ALIGNED = 16
"""Windows begin at multiples of this, so that blocks of JPEG lie in them as in the image."""
POINTS = 3.0
"""Difference of two no-reference scores that counts as fairly sure (tanh 1 = .76)."""
CERTAIN = 1 - 1e-9
SHARE, MOST = 0.3, 2.0
"""Share of the scores in what a learned direction says, and the most they can say: they know kinds of pictures that
the network has not seen, and know less about slight changes and repairs."""


LocalMap = npt.NDArray[np.float32]


class Direction(Protocol):
    """A judge of which of two images is the better one."""

    def better(self, a: Pixels, b: Pixels, local: LocalMap) -> float:
        """In −1…1: positive if b is better, near 0 where it is unclear; odd in the order.

        Args:
            a, b: sRGB (H, W, 3) uint8 of one size, not identical.
            local: (⌈H/8⌉, ⌈W/8⌉), where they differ, the same in both orders.
        """


@dataclass(frozen=True)
class ScoreDirection:
    """The sign of the difference of two no-reference scores, for a model without a direction of its own."""

    encoder: Embedder
    probe: Probe

    def better(self, a: Pixels, b: Pixels, local: LocalMap) -> float:
        """See `Direction`."""
        del local
        size = self.encoder.config.preprocessing.view_size
        views = [_at_least(SMALLEST_VIEW, _view(pixels, size)) for pixels in (a, b)]
        positions = self.probe.predict(np.stack(_embedded(self.encoder, views)))
        first, second = (float(score) for score in self.probe.score(positions))
        if first == second:  # both at an end of the scale
            first, second = (100 * float(position) for position in positions)
        return math.tanh((second - first) / POINTS)


@dataclass(frozen=True)
class LearnedDirection:
    """The odd network on the window where two images differ most, together with the no-reference scores of it.

    Neither is asked where one image is proved to be the other saved as a JPEG.
    """

    encoder: Embedder
    head: DirectionHead
    probe: Probe | None = None

    def better(self, a: Pixels, b: Pixels, local: LocalMap) -> float:
        """See `Direction`."""
        top, left = most_changed(local, a.shape)
        views = [np.ascontiguousarray(image[top : top + WINDOW, left : left + WINDOW]) for image in (a, b)]
        proved = requantised(*views)
        if proved:
            return float(proved)
        first, second = (
            Seen(features, image_statistics(view))
            for features, view in zip(_embedded(self.encoder, views), views, strict=True)
        )
        learned = self.head.better(first, second, *pair_statistics(layers(views[0]), layers(views[1])))
        if self.probe is None:
            return learned
        before, after = (100 * float(each) for each in self.probe.predict(np.stack([first.features, second.features])))
        return with_scores(learned, after - before)


def with_scores(learned: float, points: float) -> float:
    """A learned direction and a difference of no-reference scores as two witnesses: their log-odds add; odd."""
    said = math.atanh(max(-CERTAIN, min(CERTAIN, learned)))
    return math.tanh(said + max(-MOST, min(MOST, SHARE * points / POINTS)))


def most_changed(local: LocalMap, shape: tuple[int, ...]) -> tuple[int, int]:
    """Top and left pixel of the window with the largest sum of a map; of equal ones the nearest to the middle."""
    step, side = ALIGNED // STRIDE, WINDOW // STRIDE
    total = np.pad(local.astype(np.float64), [(1, 0), (1, 0)]).cumsum(axis=0).cumsum(axis=1)
    tops, lefts = (np.arange(0, max(1, (size - WINDOW) // STRIDE + 1), step) for size in shape[:2])
    bottoms, rights = (np.minimum(first + side, size) for first, size in zip((tops, lefts), local.shape, strict=True))
    sums = (
        total[np.ix_(bottoms, rights)]
        - total[np.ix_(tops, rights)]
        - total[np.ix_(bottoms, lefts)]
        + total[np.ix_(tops, lefts)]
    )
    middle = np.add.outer((tops - tops.mean()) ** 2, (lefts - lefts.mean()) ** 2)
    near = sums >= sums.max() * (1 - 1e-6)
    row, column = np.unravel_index(np.argmin(np.where(near, middle, np.inf)), sums.shape)
    return int(tops[row]) * STRIDE, int(lefts[column]) * STRIDE


def _embedded(encoder: Embedder, views: list[Pixels]) -> list[FeatureVector]:
    large = [_at_least(SMALLEST_VIEW, view) for view in views]
    if not encoder.concurrent:
        return [encoder.embed(view) for view in large]
    with ThreadPoolExecutor(len(large)) as pool:
        return list(pool.map(encoder.embed, large))


def _view(pixels: Pixels, size: int | None) -> Pixels:
    height, width = pixels.shape[:2]
    new = reduced_size((width, height), size)
    if new == (width, height):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(new, Image.Resampling.BICUBIC, reducing_gap=3.0))


def _at_least(side: int, pixels: Pixels) -> Pixels:
    missing = [(0, max(0, side - length)) for length in pixels.shape[:2]]
    return np.pad(pixels, [*missing, (0, 0)], mode="symmetric") if any(map(any, missing)) else pixels
