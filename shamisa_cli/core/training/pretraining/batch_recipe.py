"""Recipes of batches before distortion, and the batches made from them on any device."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from shamisa_cli.core.distortions.composition import Composition
from shamisa_cli.core.distortions.engine import distort
from shamisa_cli.core.graphs.crops import CropTable, crop_table


@dataclass(frozen=True)
class TrainingBatch:
    """One training step's input.

    Attributes:
        crops: (N, 3, crop, crop) float32, sRGB 0…1, in the order of `nodes`.
        nodes: record of each crop's distortions.
        step: the training step it belongs to.
        retained: (K, 3, crop, crop) further crops for retention, without relations to any other.
        unread: sentences on photographs that were left out.
    """

    crops: Tensor
    nodes: CropTable
    step: int
    retained: Tensor
    unread: tuple[str, ...] = ()

    def pin_memory(self) -> TrainingBatch:
        """Copy the crops into page-locked memory, from which a GPU copies asynchronously; called by the DataLoader."""
        return replace(self, crops=self.crops.pin_memory(), retained=self.retained.pin_memory())

    def to(self, device: torch.device) -> TrainingBatch:
        """Copy the crops to another device; the record stays on the CPU, where relations are derived from it."""
        crops, retained = (pixels.to(device, non_blocking=True) for pixels in (self.crops, self.retained))
        return replace(self, crops=crops, retained=retained)


@dataclass(frozen=True)
class SampleRecipe:
    """One sample of a batch.

    Attributes:
        views: (R·S, 3, crop, crop) uint8, photograph after photograph, each at its S scales.
        compositions: C of them, to be applied to every view at L levels.
        seed: of the operators' random numbers.
    """

    views: Tensor
    compositions: tuple[Composition, ...]
    seed: int


@dataclass(frozen=True)
class BatchRecipe:
    """A batch before distortion: a fraction of its size, so cheap to pass between processes.

    Attributes:
        samples: all of one shape.
        photos, scales: R and S.
        step: the training step it is for.
        retained: (K, 3, crop, crop) uint8.
        unread: as in `TrainingBatch`.
    """

    samples: tuple[SampleRecipe, ...]
    photos: int
    scales: int
    step: int
    retained: Tensor
    unread: tuple[str, ...] = ()

    def batch(self, device: torch.device | str = "cpu", threads: int = 1) -> TrainingBatch:
        """Distort the views and arrange all crops in the standard order.

        The same recipe always gives the same crops on one kind of device; CPUs and GPUs draw different random
        numbers.

        Args:
            device: device that computes and holds the crops.
            threads: number of threads for the codecs, when `device` is a GPU; it does not affect the crops.
        """
        levels = torch.tensor(
            [[composition.severities for composition in sample.compositions] for sample in self.samples]
        )
        views = torch.stack([sample.views for sample in self.samples]).to(device, non_blocking=True).float().div_(255)
        nodes = crop_table(levels, self.photos, self.scales)
        count, side = views.shape[1], views.shape[2:]
        crops = views.new_empty(len(nodes), *side)
        crops[: len(self.samples) * count] = views.flatten(0, 1)
        distorted = crops[len(self.samples) * count :].view(len(self.samples), count, *levels.shape[1:], *side)
        for place, sample, references in zip(distorted, self.samples, views, strict=True):
            generator = torch.Generator(views.device).manual_seed(sample.seed)
            for index, composition in enumerate(sample.compositions):
                distort(references, composition, generator, threads=threads, out=place[:, index])
        retained = self.retained.to(device, non_blocking=True).float().div_(255)
        return TrainingBatch(crops, nodes, self.step, retained, self.unread)
