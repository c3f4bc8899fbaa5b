"""Pairs of versions of photographs, embedded and measured: what the direction learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.encoder.embedder import Embedder
from shamisa_cli.core.errors import ImageError, SettingError
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.relational.direction.direction import ALIGNED, WINDOW
from shamisa_cli.core.relational.direction.image_statistics import image_statistics
from shamisa_cli.core.relational.direction.pair_statistics import all_bands, pair_statistics
from shamisa_cli.core.training.direction.fit import DirectionPairs
from shamisa_cli.core.training.direction.versions import Version, versions

PLAIN_PAIRS, CROSS_PAIRS = 150, 50
"""Most pairs of a photograph: of a version with the photograph, its parent or the same kind; of different kinds."""
VISIBLE = 0.3
"""Difference from the photograph, from which a version counts as worse than it."""
FURTHER, FAR_FURTHER = 2.0, (1.5, 8.0)
"""How much further from the photograph a version must be to count as worse than its parent; than one of another kind:
more than this factor and this much more."""
REPAIR_WEIGHT, CROSS_WEIGHT = 2.0, 0.6
"""Weights of pairs of a repair, and of pairs of different kinds; others have 1."""


@dataclass(frozen=True)
class Order:
    """Version `second` is better (1) or worse (−1) than `first`."""

    first: int
    second: int
    better: int
    weight: float = 1.0


def make_pairs(
    encoder: Embedder,
    photographs: Sequence[Path],
    *,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _photos: None,
) -> DirectionPairs:
    """Degrade and repair a window of each photograph, and embed and measure the versions.

    Args:
        encoder: embeds them.
        photographs: good ones; those that cannot be read are skipped. Those of lossless files teach what a mild
            compression does.
        seed: a photograph's versions depend on it and on the photograph's place in the list.
        advance: called with 1 after each photograph.

    Raises:
        SettingError: none can be read.
    """
    features: list[NDArray[np.float32]] = []
    statistics: list[NDArray[np.float32]] = []
    parts: list[tuple[NDArray[Any], ...]] = []
    for place, path in enumerate(photographs):
        rng = np.random.default_rng([seed, place])
        try:
            made = versions(_window(decode(path).pixels, rng), rng)
        except ImageError:
            continue
        finally:
            advance(1)
        orders = list(_orders(made, rng))
        start = len(features)
        features += [encoder.embed(version.pixels) for version in made]
        statistics += [image_statistics(version.pixels) for version in made]
        parts += [(*row, np.array(place)) for row in _measured(made, orders, start)]
    if not parts:
        raise SettingError("None of the photographs can be read; name a folder of good ones.")
    first, second, better, weight, odd, even, photo = (np.array(column) for column in zip(*parts, strict=True))
    return DirectionPairs(
        np.stack(features),
        np.stack(statistics),
        first.astype(np.int64),
        second.astype(np.int64),
        better.astype(np.float32),
        weight.astype(np.float32),
        photo.astype(np.int64),
        odd,
        even,
    )


def _window(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A random part of the photograph, of at most `WINDOW` pixels a side."""
    top, left = (int(rng.integers(0, max(0, side - WINDOW) // ALIGNED + 1)) * ALIGNED for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + WINDOW, left : left + WINDOW])


def _orders(made: Sequence[Version], rng: np.random.Generator) -> Iterator[Order]:
    """Orders that are certain: by how the versions were made, and because the difference from the photograph agrees."""
    apart = [0.0, *(difference(made[0].pixels, version.pixels).value for version in made[1:])]
    plain = [Order(0, place, -1) for place in range(1, len(made)) if apart[place] > VISIBLE]
    for place, version in enumerate(made):
        further = apart[place] - apart[max(0, version.parent)]
        if version.role == "repaired" and further < 0:
            plain.append(Order(version.parent, place, 1, REPAIR_WEIGHT))
        if version.role == "overdone" and further > FURTHER:
            plain.append(Order(version.parent, place, -1, REPAIR_WEIGHT))
        if version.role == "again" and further > FURTHER:
            plain.append(Order(version.parent, place, -1))
    cross: list[Order] = []
    factor, more = FAR_FURTHER
    for mild, first in enumerate(made[1:], start=1):
        for strong, second in enumerate(made[1:], start=1):
            alike = first.kind == second.kind and first.role == second.role == "damaged"
            if alike and second.strength > first.strength and apart[strong] > apart[mild]:
                plain.append(Order(mild, strong, -1))
            elif first.kind != second.kind and apart[strong] > factor * apart[mild] + more:
                cross.append(Order(mild, strong, -1, CROSS_WEIGHT))
    for found, most in ((plain, PLAIN_PAIRS), (cross, CROSS_PAIRS)):
        yield from (found[place] for place in rng.permutation(len(found))[:most])


def _measured(made: Sequence[Version], orders: Sequence[Order], start: int) -> Iterator[tuple[NDArray[Any], ...]]:
    bands = {place: all_bands(made[place].pixels) for order in orders for place in (order.first, order.second)}
    for order in orders:
        odd, even = pair_statistics(bands[order.first], bands[order.second])
        numbers = (start + order.first, start + order.second, order.better, order.weight)
        yield (*(np.array(number) for number in numbers), odd, even)
