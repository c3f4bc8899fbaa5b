"""How far two images are apart and which is the better one: two questions, answered apart and multiplied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.records import ModelIdentity

CLEARLY = 0.5
"""Direction from which an edited version counts as better than what is known to be the original."""

Maps = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NetworkResult:
    """Signed maps that relational networks draw of a pair of images (a, b).

    Attributes:
        maps: (9, ⌈H/8⌉, ⌈W/8⌉) float32, in the order of `MAPS`; positive where b has more.
        score: −100…100, of the scoring network alone: what the networks are trained by. No command shows it.
    """

    maps: Maps
    score: float


class RelationalNetworks(Protocol):
    """Networks that draw signed maps of two images, in any library."""

    @property
    def identity(self) -> ModelIdentity:
        """Name and revision of the model."""

    def maps(self, a: Pixels, b: Pixels) -> Maps:
        """`NetworkResult.maps` of two images, sRGB (H, W, 3) uint8 of one size.

        Swapping a and b flips every sign exactly; equal images give 0 everywhere.
        """

    def relate(self, a: Pixels, b: Pixels) -> NetworkResult:
        """The maps and the scoring network's score, of which the same holds."""


@dataclass(frozen=True)
class Judgement:
    """How far two images (a, b) are apart, and which is the better one.

    Attributes:
        difference: 0…100, the same in both orders; 0 only for identical pixels.
        direction: −1…1, positive if b is better, near 0 where that is unclear; odd in the order.
        like_jpeg_quality: the JPEG quality 1…100 that would change a photograph as much.
        local: (⌈H/8⌉, ⌈W/8⌉) float32, where they differ; its mean is the difference.
    """

    difference: float
    direction: float
    like_jpeg_quality: int
    local: npt.NDArray[np.float32]

    @property
    def score(self) -> float:
        """−100…100, direction times difference: negative if b is worse, exactly 0 for identical pixels."""
        return self.direction * self.difference + 0.0  # removes the sign of zeros

    def against_original(self) -> Judgement:
        """The same where a is known to be the original: worse, unless b is clearly better."""
        doubted = self.difference > 0 and self.direction < CLEARLY
        return replace(self, direction=-1.0) if doubted else self


@dataclass(frozen=True, eq=False)
class PairResult:
    """Signed intensities and the judgement of a pair of images (a, b).

    Attributes:
        means: (9,) over the image, in the order of `MAPS`; positive: b has more.
        judgement: difference and direction.
        maps: (9, ⌈H/8⌉, ⌈W/8⌉) float32, the same at each place; None if they were not asked for.
    """

    means: npt.NDArray[np.float64]
    judgement: Judgement
    maps: Maps | None = None

    @property
    def score(self) -> float:
        """−100…100, see `Judgement.score`."""
        return self.judgement.score


class Comparer(Protocol):
    """A model that compares two images, in any library."""

    @property
    def identity(self) -> ModelIdentity:
        """Name and revision of the model."""

    def judge(self, a: Pixels, b: Pixels) -> Judgement:
        """Difference and direction of two images, sRGB (H, W, 3) uint8 of one size.

        Swapping a and b flips the direction exactly and keeps the difference; equal images give 0 for both.
        Raises SettingError for anything else than two such images.
        """

    def relate(self, a: Pixels, b: Pixels, *, maps: bool = True) -> PairResult:
        """The same with signed intensities, of which swapping flips every sign exactly.

        Args:
            a, b: as for `judge`.
            maps: whether they are mapped; otherwise only their means are found, from a part of a large image.
        """
