"""Difference, direction and signed maps of a pair, put together."""

from __future__ import annotations

from dataclasses import dataclass

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.relational.direction.direction import Direction
from shamisa_cli.core.relational.judgement import Judgement, PairResult, RelationalNetworks


@dataclass(frozen=True)
class PairComparer:
    """A `Comparer`: the training-free difference, a direction, and the signed maps of relational networks.

    Attributes:
        networks: draw the maps.
        direction: says which image is better.
    """

    networks: RelationalNetworks
    direction: Direction

    @property
    def identity(self) -> ModelIdentity:
        """Name and revision of the relational model."""
        return self.networks.identity

    def judge(self, a: Pixels, b: Pixels) -> Judgement:
        """Difference and direction of two images, sRGB (H, W, 3) uint8 of one size; see `Comparer`."""
        found = difference(a, b)
        direction = self.direction.better(a, b, found.local) if found.value > 0 else 0.0
        return Judgement(found.value, direction, found.like_jpeg_quality, found.local)

    def relate(self, a: Pixels, b: Pixels) -> PairResult:
        """Judge two images, and draw their signed maps; see `Comparer`."""
        return PairResult(self.networks.relate(a, b).maps, self.judge(a, b))
