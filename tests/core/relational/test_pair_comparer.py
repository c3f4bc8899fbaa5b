"""What changed without maps: from a part of a large image, with the signs and about the size of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational.direction.direction import WINDOW, LocalMap
from shamisa_cli.core.relational.judgement import Maps, NetworkResult
from shamisa_cli.core.relational.pair_comparer import PairComparer
from shamisa_cli.core.relational.records import MAPS, STRIDE


@dataclass
class Brightness:
    """Networks whose maps are all the change of brightness, and that remember what they saw."""

    seen: list[tuple[int, ...]] = field(default_factory=list)
    identity = ModelIdentity("brightness", "0")

    def maps(self, a: Pixels, b: Pixels) -> Maps:
        self.seen.append(a.shape)
        change = (b.astype(np.float32) - a).mean(axis=2)
        height, width = (side // STRIDE for side in change.shape)
        blocks = change[: height * STRIDE, : width * STRIDE].reshape(height, STRIDE, width, STRIDE).mean(axis=(1, 3))
        return np.repeat(blocks[None], len(MAPS), axis=0)

    def relate(self, a: Pixels, b: Pixels) -> NetworkResult:
        return NetworkResult(self.maps(a, b), 0.0)


class AlwaysBetter:
    def better(self, a: Pixels, b: Pixels, local: LocalMap) -> float:
        del a, b, local
        return 1.0


def pair(side: int, changed: int) -> tuple[Pixels, Pixels]:
    """A texture, and the same with `changed` pixels a side brightened in a corner."""
    first = np.random.default_rng(0).integers(60, 120, (side, side, 3), dtype=np.uint8)
    second = first.copy()
    second[-changed:, -changed:] += 60
    return first, second


@pytest.mark.parametrize("changed", [640, 320, 64])
def test_a_part_of_a_large_image_tells_what_changed(changed: int) -> None:
    networks = Brightness()
    comparer = PairComparer.of(networks, AlwaysBetter(), networks.identity)
    first, second = pair(960, changed)
    part = comparer.relate(first, second, maps=False)
    assert networks.seen == [(WINDOW, WINDOW, 3)]
    assert part.maps is None
    assert part.means == pytest.approx(networks.maps(first, second).mean(axis=(1, 2)), rel=0.35)
    assert np.array_equal(comparer.relate(second, first, maps=False).means, -part.means)


@pytest.mark.parametrize("side", [300, 448, 449, 960])
def test_drawing_maps_changes_no_intensity_and_no_score(side: int) -> None:
    comparer = PairComparer.of(networks := Brightness(), AlwaysBetter(), networks.identity)
    first, second = pair(side, 200)
    drawn, undrawn = comparer.relate(first, second), comparer.relate(first, second, maps=False)
    assert drawn.maps is not None
    assert np.array_equal(drawn.means, undrawn.means)
    assert drawn.score == undrawn.score


def test_without_maps_a_small_image_is_seen_whole_and_an_identical_one_not_at_all() -> None:
    networks = Brightness()
    comparer = PairComparer.of(networks, AlwaysBetter(), networks.identity)
    first, second = pair(400, 200)
    assert comparer.relate(first, second, maps=False).means == pytest.approx(comparer.relate(first, second).means)
    networks.seen.clear()
    assert not comparer.relate(first, first, maps=False).means.any()
    assert networks.seen == []


IMAGE = np.zeros((40, 60, 3), np.uint8)


@pytest.mark.parametrize(
    "other",
    [[1], None, IMAGE / 255, IMAGE[:, :, 0], IMAGE[:, :, :2], IMAGE[:0], IMAGE[:20], IMAGE.transpose(1, 0, 2)],
    ids=["a list", "nothing", "fractions", "one channel", "two channels", "empty", "smaller", "turned"],
)
def test_what_is_no_pair_of_images_is_refused_in_a_sentence(other: Pixels) -> None:
    networks = Brightness()
    comparer = PairComparer.of(networks, AlwaysBetter(), networks.identity)
    for a, b in ((IMAGE, other), (other, IMAGE)):
        for asked in (comparer.judge, comparer.relate):
            with pytest.raises(SettingError, match="compared, and th"):
                asked(a, b)
