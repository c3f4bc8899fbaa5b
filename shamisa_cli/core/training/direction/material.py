"""Pairs of versions of photographs, embedded and measured: what the direction learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shamisa_cli.core.arrays import Pixels, as_halves
from shamisa_cli.core.encoder.embedder import Embedder
from shamisa_cli.core.errors import ImageError, SettingError, Unread, reason_of
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.images.formats import open_regular
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.models.manifest import sha256_of
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.relational.direction.bands import layers
from shamisa_cli.core.relational.direction.direction import ALIGNED
from shamisa_cli.core.relational.direction.image_statistics import image_statistics
from shamisa_cli.core.relational.direction.pair_statistics import pair_statistics
from shamisa_cli.core.scoring.provenance import TRAINING_PACKAGES, computed_by, software
from shamisa_cli.core.training.direction.pairs import DirectionPairs, joined, read_pairs, write_pairs
from shamisa_cli.core.training.direction.versions import Version, versions
from shamisa_cli.core.training.photographs import made_of_each, pass_over

VERSION = 5
"""Of how versions are made and measured: what another version stored is measured again."""
TAUGHT = 320
"""Side in pixels of the parts that are learned from: smaller than what is judged, so that there can be more of them."""
PLAIN_PAIRS, CROSS_PAIRS = 150, 30
"""Most pairs of a photograph: of a version with the photograph, its parent or the same kind; of different kinds."""
VISIBLE = 0.3
"""Difference from the photograph, from which a version counts as worse than it, and a copy as worse than its source."""
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


def origin_of(model: Model) -> str:
    """All that measurements depend on beside a photograph and the seed: the encoder, and what decodes and computes."""
    return f"{model.encoder_digest}, {computed_by(model.encoder)}, {software(TRAINING_PACKAGES)}"


def make_pairs(
    encoder: Embedder,
    origin: str,
    photographs: Sequence[Path],
    *,
    seed: int = 0,
    store: Path | None = None,
    unread: Unread = pass_over,
    warn: Callable[[str], None] = lambda _sentence: None,
    advance: Callable[[int], None] = lambda _photos: None,
) -> DirectionPairs:
    """Degrade and repair a window of each photograph, and embed and measure the versions.

    Args:
        encoder: embeds them.
        origin: `origin_of` the encoder's model; what was stored under another one is measured again.
        photographs: good ones; those that cannot be read are left out. Those of lossless files teach what a
            mild compression does.
        seed: a photograph's versions depend on it and on the file's content.
        store: folder that keeps what was measured of each photograph; what it already has is not measured again.
        unread: told of the photographs that are left out.
        warn: told of measurements that could not be kept in the store; they are used.
        advance: called with 1 after each photograph.

    Raises:
        SettingError: none can be read.
    """

    def make(_: int, path: Path) -> DirectionPairs:
        open_regular(path).close()  # a device or a pipe would never end
        content = sha256_of(path)
        kept = None if store is None else store / f"{_name(content, origin, seed)}.npz"
        stored = None if kept is None else read_pairs(kept)
        if stored is not None:
            return stored
        rng = np.random.default_rng([seed, *bytes.fromhex(content)])
        made = versions(_window(decode(path).pixels, rng), rng)
        orders = list(_orders(made, rng))
        if not orders:
            raise ImageError(path, "unsupported", f"{path}: no change to it is visible, so nothing is learned from it.")
        found = _measured(encoder, made, orders)
        if kept is not None:
            try:
                write_pairs(kept, found)
            except Exception as error:  # the measurements are there, kept or not
                warn(f"What was measured of {path} is not kept in {kept.parent} ({reason_of(error)}).")
        return found

    parts = [found for _, found in made_of_each(enumerate(photographs), make, unread=unread, advance=advance)]
    if not parts:
        raise SettingError("None of the photographs can be read; name a folder of good ones.")
    return joined(parts)


def _name(content: str, origin: str, seed: int) -> str:
    return hashlib.sha256(f"{VERSION} {content} {origin} {seed}".encode()).hexdigest()[:32]


def _window(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A random part of the photograph, of at most `TAUGHT` pixels a side."""
    top, left = (int(rng.integers(0, max(0, side - TAUGHT) // ALIGNED + 1)) * ALIGNED for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + TAUGHT, left : left + TAUGHT])


def _orders(made: Sequence[Version], rng: np.random.Generator) -> Iterator[Order]:
    """Orders that are certain: by how the versions were made, and because the difference from the photograph agrees.

    A repair that leads further away is damage: light noise is often less of a loss than what a filter takes with it.
    """
    apart = [0.0, *(difference(made[0].pixels, version.pixels).value for version in made[1:])]
    visible = [Order(0, place, -1) for place in range(1, len(made)) if apart[place] > VISIBLE]
    softened = [order for order in visible if made[order.second].role == "softened"]
    made = [version for version in made if version.role != "softened"]
    plain = [order for order in visible if order.second < len(made)]
    for place, version in enumerate(made):
        further = apart[place] - apart[max(0, version.parent)]
        if version.role == "repaired" and (further < 0 or further > FURTHER):
            plain.append(Order(version.parent, place, 1 if further < 0 else -1, REPAIR_WEIGHT))
        if version.role == "overdone" and further > FURTHER:
            plain.append(Order(version.parent, place, -1, REPAIR_WEIGHT))
        if version.role == "again" and further > FURTHER:
            plain.append(Order(version.parent, place, -1))
        if version.role == "copied" and further > 0 and _visible(made[version.parent], version):
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
    yield from softened


def _visible(source: Version, copy: Version) -> bool:
    return difference(source.pixels, copy.pixels).value > VISIBLE


def _measured(encoder: Embedder, made: Sequence[Version], orders: Sequence[Order]) -> DirectionPairs:
    """The pairs of one photograph."""
    planes = {place: layers(made[place].pixels) for order in orders for place in (order.first, order.second)}
    odd, even = zip(*(pair_statistics(planes[order.first], planes[order.second]) for order in orders), strict=True)
    return DirectionPairs(
        features=as_halves([encoder.embed(version.pixels) for version in made]),
        statistics=np.stack([image_statistics(version.pixels) for version in made]),
        first=np.array([order.first for order in orders], dtype=np.int64),
        second=np.array([order.second for order in orders], dtype=np.int64),
        better=np.array([order.better for order in orders], dtype=np.float32),
        weight=np.array([order.weight for order in orders], dtype=np.float32),
        photo=np.zeros(len(orders), dtype=np.int64),
        odd=np.stack(odd),
        even=np.stack(even),
    )
