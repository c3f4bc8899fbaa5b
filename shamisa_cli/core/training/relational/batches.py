"""Training batches of the relational networks: ordered sets of crops with target maps and orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from shamisa_cli.core.errors import ImageError, SettingError
from shamisa_cli.core.relational.records import STRIDE
from shamisa_cli.core.training.random_crops import first_made, random_crop, shuffled, stack_crops
from shamisa_cli.core.training.relational.consensus import consensus
from shamisa_cli.core.training.relational.ordered_sets import OrderedSet, draw_ordered_set

AGREED = 1.0
"""Points by which the consensus with the photograph must fall for an order to be certain: compression hides noise,
blur hides blocks, and darkness hides anything."""
SHIFT = 1
"""Distance in pixels by which versions of a set are sometimes displaced."""


@dataclass(frozen=True)
class SetSettings:
    """The shape of a batch.

    Attributes:
        sets: B, ordered sets of one photograph each.
        versions: V of each.
        crop: side of a crop in pixels, a multiple of 16.
        smallest: photographs are reduced by a random factor from this to 1 before they are cropped.
        shifted: 0…1, share of sets whose versions are displaced by a pixel.
        left_out: operators that are not used.
    """

    sets: int = 6
    versions: int = 4
    crop: int = 192
    smallest: float = 0.5
    shifted: float = 0.15
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.sets < 1 or not 2 <= self.versions <= 8:
            raise SettingError("A batch has at least one set, of 2 to 8 versions.")
        if self.crop < 64 or self.crop % 16:
            raise SettingError(f"Crops of {self.crop} px cannot be used; take a multiple of 16 from 64 on.")
        if not (0 < self.smallest <= 1 and 0 <= self.shifted <= 1):
            raise SettingError("The smallest scale is above 0 and at most 1, and the share of shifted sets in 0…1.")


@dataclass(frozen=True)
class RelationalBatch:
    """One training step's input.

    Attributes:
        pictures: (B, V, 3, H, W) float32, sRGB 0…1; the first version of each set is the best.
        targets: (B, V, 8, H/8, W/8), as in `OrderedSet`.
        damage: (B, V, 1, H/8, W/8), likewise.
        worse: (B, V, V) boolean, likewise, where the consensus with the photograph agrees.
        quality: (B, V) consensus of each version with the first, −100…0.
        step: the training step it belongs to.
        unread: sentences on photographs that were left out.
    """

    pictures: Tensor
    targets: Tensor
    damage: Tensor
    worse: Tensor
    quality: Tensor
    step: int
    unread: tuple[str, ...] = ()

    def pin_memory(self) -> RelationalBatch:
        """Copy the batch into page-locked memory; called by the DataLoader."""
        return self._each(Tensor.pin_memory)

    def to(self, device: torch.device) -> RelationalBatch:
        """Copy the batch to another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> RelationalBatch:
        return RelationalBatch(
            change(self.pictures),
            change(self.targets),
            change(self.damage),
            change(self.worse),
            change(self.quality),
            self.step,
            self.unread,
        )


def draw_batch(
    pools: Sequence[Sequence[Path]], settings: SetSettings, rng: np.random.Generator, step: int = 0
) -> RelationalBatch:
    """Draw a batch of random sets of random photographs.

    Args:
        pools: lists of photographs; sets take theirs from each list in turn.
        settings: the shape of the batch.
        rng: the only source of randomness.
        step: the training step it is for.

    Raises:
        TrainingError: the photographs cannot be read.
        SettingError: the package that computes the consensus is not installed.
    """
    margin = STRIDE // 2
    errors: list[ImageError] = []

    def drawn_set(photo: Image.Image, _: int) -> tuple[Tensor, ...]:
        scale = float(rng.uniform(settings.smallest, 1))
        crop = stack_crops([random_crop(photo, scale, settings.crop + 2 * margin, rng)])[0].float() / 255
        found = draw_ordered_set(crop, settings.versions, rng, left_out=frozenset(settings.left_out))
        worse = found.worse & _further(crop, found, margin)
        pictures = _cut(found.pictures, margin, settings.crop, rng, rng.uniform() < settings.shifted)
        return pictures, _between(found.targets), _between(found.damage), worse, _quality(found, margin)

    sets = [
        first_made(shuffled(pools[index % len(pools)], rng), 1, drawn_set, unread=errors.append)[0]
        for index in range(settings.sets)
    ]
    pictures, targets, damage, worse, quality = (torch.stack(part) for part in zip(*sets, strict=True))
    return RelationalBatch(pictures, targets, damage, worse, quality, step, tuple(map(str, errors)))


def _cut(versions: Tensor, margin: int, size: int, rng: np.random.Generator, shifted: bool) -> Tensor:
    """The middle of each version (V, 3, size, size), or a crop displaced by a pixel, in steps of 1/255 as in a file."""
    offsets = rng.integers(-SHIFT, SHIFT + 1, (len(versions), 2)) if shifted else np.zeros((len(versions), 2), int)
    middle = [
        version[:, margin + y : margin + y + size, margin + x : margin + x + size]
        for version, (y, x) in zip(versions, offsets.tolist(), strict=True)
    ]
    return (torch.stack(middle) * 255).round() / 255


def _between(maps: Tensor) -> Tensor:
    """Maps of an image → maps of its middle, half a position further in: (V, K, h, w) → (V, K, h − 1, w − 1)."""
    return F.avg_pool2d(maps, 2, stride=1)


def _further(photo: Tensor, found: OrderedSet, margin: int) -> Tensor:
    """(V, V) boolean: where [i, j], version j is further from the photograph (3, H, W) than i, by the consensus."""
    inside = (..., slice(margin, -margin), slice(margin, -margin))
    versions = found.pictures[inside].contiguous()
    near = consensus(photo[inside].expand_as(versions).contiguous(), versions)
    return near[:, None] - near[None, :] > AGREED


def _quality(found: OrderedSet, margin: int) -> Tensor:
    middle = found.pictures[:, :, margin:-margin, margin:-margin].contiguous()
    judged = consensus(middle[:1].expand(len(middle) - 1, -1, -1, -1).contiguous(), middle[1:])
    return torch.cat([judged.new_zeros(1), judged])
