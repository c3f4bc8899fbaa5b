"""Random crops of photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from shamisa_cli.core.errors import ImageError, TrainingError
from shamisa_cli.core.images.decoding import decode

UNREADABLE_IN_A_ROW = 20
"""Number of consecutive unreadable photographs that indicates a problem with the folder, not with a file."""


def readable_photos(pool: Sequence[Path], count: int, rng: np.random.Generator) -> list[Image.Image]:
    """Draw `count` different photographs of the pool, skipping files that cannot be read.

    Raises:
        TrainingError: there are too few, or too many in a row cannot be read.
    """
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


def random_crop(photo: Image.Image, scale: float, size: int, rng: np.random.Generator) -> Image.Image:
    """Crop a random square of `size` pixels from the photograph at `scale`, or the nearest scale that fits a crop.

    Only the square is scaled; at its edges the filter uses the surrounding pixels, as if the whole were scaled.
    """
    scale = max(scale, size / min(photo.size))
    width, height = photo.size if scale == 1 else (max(size, round(side * scale)) for side in photo.size)
    left, top = int(rng.integers(width - size + 1)), int(rng.integers(height - size + 1))
    if scale == 1:
        return photo.crop((left, top, left + size, top + size))
    across, down = photo.width / width, photo.height / height
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    return photo.resize((size, size), Image.Resampling.BICUBIC, box=box)


def stack_crops(crops: Sequence[Image.Image]) -> Tensor:
    """Stack RGB images of one size into a tensor (M, 3, H, W), uint8."""
    return torch.from_numpy(np.stack([np.asarray(crop) for crop in crops])).permute(0, 3, 1, 2).contiguous()
