"""Random crops of photographs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from shamisa_cli.core.errors import TrainingError, Unread, item_error
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.training.photographs import pass_over

T = TypeVar("T")

UNREADABLE_IN_A_ROW = 20
"""Number of consecutive unreadable photographs that indicates a problem with the folder, not with a file."""


def shuffled(pool: Sequence[Path], rng: np.random.Generator) -> Iterator[Path]:
    """The photographs of a pool in random order, which is drawn at once."""
    return map(pool.__getitem__, rng.permutation(len(pool)).tolist())


def first_made(
    photos: Iterable[Path], count: int, make: Callable[[Image.Image, int], T], *, unread: Unread = pass_over
) -> list[T]:
    """The results of `make` for the first `count` photographs at which nothing goes wrong.

    Args:
        photos: different ones, in the order in which they are tried.
        make: gets a photograph, and how many were made before.
        unread: told of the photographs that are left out; see `item_error`.

    Raises:
        TrainingError: there are too few, or too many in a row cannot be used.
    """
    made: list[T] = []
    tried = failures = 0
    for path in photos if count else ():
        tried += 1
        try:
            made.append(make(Image.fromarray(decode(path).pixels), len(made)))
        except Exception as error:
            failures += 1
            reason = item_error(path, error)
            unread(reason)
            if failures == UNREADABLE_IN_A_ROW:
                raise TrainingError(f"{failures} photographs could not be read; the last one: {reason}") from error
        if len(made) == count:
            return made
    if not count:
        return made
    why = f" Of those that cannot, the last one: {reason}" if failures else ""
    raise TrainingError(f"{len(made)} of the {tried} photographs can be read, and {count} are needed at once.{why}")


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
