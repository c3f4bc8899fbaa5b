"""Training batches: photographs, crops, compositions, and the record of what was done to each crop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from shamisa_cli.core.distortions.composition import Composition, draw_composition
from shamisa_cli.core.distortions.engine import distort
from shamisa_cli.core.distortions.nodes import NodeTable, node_table
from shamisa_cli.core.distortions.severity import SeverityLaw
from shamisa_cli.core.errors import ImageError, SettingError, TrainingError
from shamisa_cli.core.images.decoding import decode

Pixels = npt.NDArray[np.uint8]

UNREADABLE_IN_A_ROW = 20
"""So many unreadable photographs one after another mean that the folder, not a file, is at fault."""


@dataclass(frozen=True)
class BatchSettings:
    """The shape of a batch (paper: B=2, R=3, 2 scales, C=4, L=5, 224 px: 252 crops).

    Attributes:
        samples: B.
        photos: R, reference photographs a sample.
        scales: S, each half the size of the one before.
        compositions: C, shared by all views of a sample.
        levels: L, severities of a composition's varying factor.
        crop: side of a crop in pixels.
        severity_law: the law severities are drawn from.
        real_share: 0…1, chance that a sample takes its photographs from the real, already imperfect ones.
        retained: crops that come along for retention alone, outside all relations: of real photographs where
            there are any, else of pristine ones; one of each at most.
    """

    samples: int = 2
    photos: int = 3
    scales: int = 2
    compositions: int = 4
    levels: int = 5
    crop: int = 224
    severity_law: SeverityLaw = "half-normal"
    real_share: float = 0.0
    retained: int = 0

    def __post_init__(self) -> None:
        if min(self.samples, self.photos, self.scales, self.compositions, self.levels) < 1:
            raise SettingError("A batch needs at least one sample, photograph, scale, composition and level.")
        if self.crop < 32:
            raise SettingError(f"Crops of {self.crop} px are too small; 32 is the least.")
        if not 0 <= self.real_share <= 1:
            raise SettingError(f"The share of real photographs is {self.real_share}; it lies between 0 and 1.")
        if self.retained < 0:
            raise SettingError(f"{self.retained} retained crops were asked for; 0 is the least.")

    @property
    def references(self) -> int:
        """B·V, how many of the crops are undistorted; they come first."""
        return self.samples * self.photos * self.scales

    @property
    def crops(self) -> int:
        """N, how many crops a batch has, those for retention alone not counted."""
        return self.references * (1 + self.compositions * self.levels)


@dataclass(frozen=True)
class TrainingBatch:
    """One training step's input.

    Attributes:
        crops: (N, 3, crop, crop) float32, sRGB 0…1, in the order of `nodes`.
        nodes: what was done to each crop.
        step: the training step it belongs to.
        retained: (K, 3, crop, crop) more crops, in no relation to any other; for retention.
    """

    crops: Tensor
    nodes: NodeTable
    step: int
    retained: Tensor

    def pin_memory(self) -> TrainingBatch:
        """The crops in page-locked memory, from where a GPU copies them without anyone waiting; a DataLoader asks."""
        return replace(self, crops=self.crops.pin_memory(), retained=self.retained.pin_memory())

    def to(self, device: torch.device) -> TrainingBatch:
        """The crops on another device; the record stays on the CPU, where relations are read from it."""
        crops, retained = (pixels.to(device, non_blocking=True) for pixels in (self.crops, self.retained))
        return replace(self, crops=crops, retained=retained)


class BatchStream(IterableDataset[TrainingBatch]):
    """Batches start_step…steps − 1, each a function of (seed, step, rank) alone.

    With a DataLoader's workers, worker w of W makes every W-th batch, so the loader, which takes from its
    workers in turn, yields the same batches in the same order for any W. Use `batch_size=None`.

    Args:
        pristine: photographs taken as undistorted.
        real: photographs that are not pristine, for `settings.real_share` and `settings.retained`.
        settings: the shape of a batch.
        seed: of the whole training.
        rank: of this process among several.
        start_step: the first step to make, for a run that goes on.
        steps: where to stop.

    Raises:
        SettingError: there are too few photographs for a sample.
    """

    def __init__(
        self,
        pristine: Sequence[Path],
        real: Sequence[Path],
        settings: BatchSettings,
        *,
        seed: int,
        rank: int = 0,
        start_step: int = 0,
        steps: int,
    ) -> None:
        _check_pool(pristine, settings.photos if settings.real_share < 1 else 0, "pristine")
        _check_pool(real, settings.photos if settings.real_share > 0 else 0, "real")
        self.pristine, self.real = tuple(pristine), tuple(real)
        self.settings, self.seed, self.rank = settings, seed, rank
        self.start_step, self.steps = start_step, steps

    def __iter__(self) -> Iterator[TrainingBatch]:
        worker = get_worker_info()
        offset, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in range(self.start_step + offset, self.steps, stride):
            yield self.batch(step)

    def batch(self, step: int) -> TrainingBatch:
        """The batch of one step.

        Raises:
            TrainingError: the photographs cannot be read.
        """
        rng = np.random.default_rng([self.seed, step, self.rank])
        references, distorted, levels = [], [], []
        for _ in range(self.settings.samples):
            pool = self.real if rng.random() < self.settings.real_share else self.pristine
            views = self._views(pool, rng)
            compositions = [
                draw_composition(self.settings.levels, self.settings.severity_law, rng)
                for _ in range(self.settings.compositions)
            ]
            references.append(views)
            distorted.append(distorted_versions(views, compositions, rng))
            levels.append([composition.levels for composition in compositions])
        nodes = node_table(torch.tensor(levels), self.settings.photos, self.settings.scales)
        return TrainingBatch(torch.cat([*references, *distorted]), nodes, step, self._retained(rng))

    def _retained(self, rng: np.random.Generator) -> Tensor:
        """(K, 3, crop, crop): a crop of each of K photographs, at any of the scales."""
        size = self.settings.crop
        pool = self.real or self.pristine
        count = min(self.settings.retained, len(pool))
        if not count:
            return torch.empty(0, 3, size, size)
        photos = _readable_photos(pool, count, rng)
        scales = 0.5 ** rng.integers(self.settings.scales, size=len(photos))
        scaled = [_scaled(photo, float(scale), size) for photo, scale in zip(photos, scales, strict=True)]
        return _stacked([_random_crop(photo, size, rng) for photo in scaled])

    def _views(self, pool: Sequence[Path], rng: np.random.Generator) -> Tensor:
        """(R·S, 3, crop, crop): random crops of R photographs at S scales each."""
        crops = []
        for photo in _readable_photos(pool, self.settings.photos, rng):
            for level in range(self.settings.scales):
                scaled = _scaled(photo, 0.5**level, self.settings.crop)
                crops.append(_random_crop(scaled, self.settings.crop, rng))
        return _stacked(crops)


def distorted_versions(views: Tensor, compositions: Sequence[Composition], rng: np.random.Generator) -> Tensor:
    """All compositions at all their levels on all views: (V, 3, H, W) → (V·C·L, 3, H, W), level fastest."""
    generator = torch.Generator(views.device).manual_seed(int(rng.integers(2**63)))
    versions = torch.stack([distort(views, composition, generator) for composition in compositions], dim=1)
    return versions.flatten(0, 2)


def _stacked(crops: Sequence[Pixels]) -> Tensor:
    """Crops (H, W, 3) uint8 as one tensor (M, 3, H, W) in 0…1."""
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous().float() / 255


def _check_pool(pool: Sequence[Path], photos: int, kind: str) -> None:
    if len(pool) < photos:
        raise SettingError(
            f"A batch needs {photos} different {kind} photographs and there are {len(pool)}; name a folder with more."
        )


def _readable_photos(pool: Sequence[Path], count: int, rng: np.random.Generator) -> list[Image.Image]:
    """`count` different photographs of the pool, passing over files that cannot be read."""
    photos: list[Image.Image] = []
    failures = 0
    for index in rng.permutation(len(pool)):
        try:
            photos.append(Image.fromarray(decode(pool[index]).pixels))
        except ImageError as error:
            failures += 1
            if failures == UNREADABLE_IN_A_ROW:
                raise TrainingError(f"{failures} photographs could not be read; the last one: {error}") from error
        if len(photos) == count:
            return photos
    raise TrainingError(f"{len(photos)} of the {len(pool)} photographs can be read, and {count} are needed at once.")


def _scaled(photo: Image.Image, scale: float, crop: int) -> Image.Image:
    """The photograph at `scale`, or as near to it as leaves room for a crop."""
    scale = max(scale, crop / min(photo.size))
    if scale == 1:
        return photo
    width, height = (max(crop, round(side * scale)) for side in photo.size)
    return photo.resize((width, height), Image.Resampling.BICUBIC)


def _random_crop(photo: Image.Image, size: int, rng: np.random.Generator) -> Pixels:
    left = int(rng.integers(photo.width - size + 1))
    top = int(rng.integers(photo.height - size + 1))
    return np.asarray(photo.crop((left, top, left + size, top + size)))
