"""Record of the distortions of each crop of a batch; the metadata graphs are built from it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class CropTable:
    """One row per crop; every field is a tensor of shape (N,) on one device.

    Order: the B·V references first (sample-major, then photograph, then scale), then the B·V·C·L
    distorted crops in the order (sample, photograph, scale, composition, level).

    Attributes:
        sample: 0…B−1, which sample of the batch (int64).
        photo: 0…R−1, which reference photograph of the sample (int64).
        scale: 0…S−1, which scale of the photograph (int64). A view is a (photo, scale) pair.
        composition: 0…C−1 within the sample; −1 for a reference (int64).
        level: 0…L−1, index of the varying factor's severity; −1 for a reference (int64).
        severity: 0…4, severity of the varying factor as applied; 0 for a reference (float32).
    """

    sample: Tensor
    photo: Tensor
    scale: Tensor
    composition: Tensor
    level: Tensor
    severity: Tensor

    def __len__(self) -> int:
        return int(self.sample.shape[0])

    @property
    def is_reference(self) -> Tensor:
        """Boolean (N,): which rows are undistorted."""
        return self.composition < 0

    def to(self, device: torch.device | str) -> CropTable:
        """The same table on another device."""
        return CropTable(**{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)})


def crop_table(severities: Tensor, photos: int, scales: int) -> CropTable:
    """The table of a batch laid out in the standard order.

    Args:
        severities: (B, C, L), severity 0…4 of the varying factor; shared by all views of a sample.
        photos: R, photographs per sample.
        scales: S, scales of each photograph.
    """
    samples, compositions, levels = severities.shape
    reference = _grid(samples, photos, scales)
    distorted = _grid(samples, photos, scales, compositions, levels)
    none = torch.full_like(reference[0], -1)
    return CropTable(
        sample=torch.cat([reference[0], distorted[0]]),
        photo=torch.cat([reference[1], distorted[1]]),
        scale=torch.cat([reference[2], distorted[2]]),
        composition=torch.cat([none, distorted[3]]),
        level=torch.cat([none, distorted[4]]),
        severity=torch.cat([torch.zeros(len(none)), severities[distorted[0], distorted[3], distorted[4]].float()]),
    )


def _grid(*sizes: int) -> list[Tensor]:
    axes = torch.meshgrid(*[torch.arange(size) for size in sizes], indexing="ij")
    return [axis.reshape(-1) for axis in axes]
