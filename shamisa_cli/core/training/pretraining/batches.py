"""Training batches: photographs, crops, compositions, and the record of each crop's distortions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import IterableDataset

from shamisa_cli.core.distortions.composition import SeverityLaw, draw_composition
from shamisa_cli.core.errors import ImageError, SettingError, Unread
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.training.batch_loader import require_photos, worker_steps
from shamisa_cli.core.training.pretraining.batch_recipe import BatchRecipe, SampleRecipe, TrainingBatch
from shamisa_cli.core.training.random_crops import first_made, random_crop, shuffled, stack_crops


@dataclass(frozen=True)
class BatchSettings:
    """The shape of a batch (paper: B=2, R=3, 2 scales, C=4, L=5, 224 px: 252 crops).

    Attributes:
        samples: B.
        photos: R, reference photographs per sample.
        scales: S, each half the size of the one before.
        compositions: C, shared by all views of a sample.
        levels: L, severities of a composition's varying factor.
        crop: side of a crop in pixels.
        severity_law: distribution of severities: "half-normal" (paper), "uniform", or "discrete" (0, 1 … 4).
        most_operators: 1…7, largest number of operators in a composition.
        fixed_order: apply the groups of a composition in a fixed order, not a random one.
        real_share: 0…1, probability that a sample uses photographs from the real, already imperfect ones.
        retained: number of further crops for retention alone, outside all relations: of real photographs if
            there are any, else of pristine ones; at most one of each.
    """

    samples: int = 2
    photos: int = 3
    scales: int = 2
    compositions: int = 4
    levels: int = 5
    crop: int = 224
    severity_law: SeverityLaw = "half-normal"
    most_operators: int = len(GROUPS)
    fixed_order: bool = False
    real_share: float = 0.0
    retained: int = 0

    def __post_init__(self) -> None:
        if min(self.samples, self.photos, self.scales, self.compositions, self.levels) < 1:
            raise SettingError("A batch needs at least one sample, photograph, scale, composition and level.")
        if self.crop < 32:
            raise SettingError(f"Crops of {self.crop} px are too small; 32 is the least.")
        if not 1 <= self.most_operators <= len(GROUPS):
            raise SettingError(
                f"A composition was to have at most {self.most_operators} operators; it can have 1 to {len(GROUPS)}."
            )
        if not 0 <= self.real_share <= 1:
            raise SettingError(f"The share of real photographs is {self.real_share}; it lies between 0 and 1.")
        if self.retained < 0:
            raise SettingError(f"{self.retained} retained crops were asked for; 0 is the least.")
        if self.retained == 1 and self.crop < 64:
            raise SettingError(f"A single retained crop of {self.crop} px has no spread to normalise by; take two.")

    @property
    def references(self) -> int:
        """B·V, number of undistorted crops; they come first."""
        return self.samples * self.photos * self.scales

    @property
    def crops(self) -> int:
        """N, number of crops in a batch, without those for retention alone."""
        return self.references * (1 + self.compositions * self.levels)


class BatchStream(IterableDataset[TrainingBatch]):
    """Batches start_step…steps − 1, each a function of (seed, step, rank) alone.

    With a DataLoader's workers, worker w of W makes every W-th batch, so the loader, which takes from its
    workers in turn, yields the same batches in the same order for any W. Use `batch_size=None`.

    Args:
        pristine: photographs taken as undistorted.
        real: photographs that are not pristine, for `settings.real_share` and `settings.retained`.
        settings: the shape of a batch.
        seed: seed of the training.
        rank: rank of this process.
        start_step: first step, for a run that is resumed.
        steps: number of steps of the run, where the stream ends.

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
        require_photos(pristine, settings.photos if settings.real_share < 1 else 0, "pristine")
        require_photos(real, settings.photos if settings.real_share > 0 else 0, "real")
        self.pristine, self.real = tuple(pristine), tuple(real)
        self.settings, self.seed, self.rank = settings, seed, rank
        self.start_step, self.steps = start_step, steps

    def __iter__(self) -> Iterator[TrainingBatch]:
        return map(self.batch, worker_steps(self.start_step, self.steps))

    def batch(self, step: int) -> TrainingBatch:
        """The batch of one step, on the CPU.

        Raises:
            TrainingError: the photographs cannot be read.
        """
        return self.recipe(step).batch()

    def recipe(self, step: int) -> BatchRecipe:
        """Draw the photographs, crops and compositions of one step's batch, before distortion.

        Raises:
            TrainingError: the photographs cannot be read.
        """
        rng = np.random.default_rng([self.seed, step, self.rank])
        errors: list[ImageError] = []
        samples = tuple(self._sample(rng, errors.append) for _ in range(self.settings.samples))
        retained = self._retained(rng, errors.append)
        unread = tuple(map(str, errors))
        return BatchRecipe(samples, self.settings.photos, self.settings.scales, step, retained, unread)

    def _sample(self, rng: np.random.Generator, unread: Unread) -> SampleRecipe:
        settings = self.settings
        pool = self.real if rng.random() < settings.real_share else self.pristine
        scales = [0.5**level for level in range(settings.scales)]

        def crops(photo: Image.Image, _: int) -> list[Image.Image]:
            return [random_crop(photo, scale, settings.crop, rng) for scale in scales]

        views = stack_crops(list(chain(*first_made(shuffled(pool, rng), settings.photos, crops, unread=unread))))
        compositions = tuple(
            draw_composition(
                settings.levels,
                settings.severity_law,
                rng,
                most_operators=settings.most_operators,
                fixed_order=settings.fixed_order,
            )
            for _ in range(settings.compositions)
        )
        return SampleRecipe(views, compositions, int(rng.integers(2**63)))

    def _retained(self, rng: np.random.Generator, unread: Unread) -> Tensor:
        """(K, 3, crop, crop) uint8: a crop of each of K photographs, at any of the scales."""
        size = self.settings.crop
        pool = self.real or self.pristine
        count = min(self.settings.retained, len(pool))
        if not count:
            return torch.empty(0, 3, size, size, dtype=torch.uint8)
        photos = shuffled(pool, rng)
        scales = (0.5 ** rng.integers(self.settings.scales, size=count)).tolist()

        def crop(photo: Image.Image, place: int) -> Image.Image:
            return random_crop(photo, scales[place], size, rng)

        return stack_crops(first_made(photos, count, crop, unread=unread))
