"""One side of a comparison: a file or an array, its name, and its pixels at the size that is compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS, decode

Pixels = npt.NDArray[np.uint8]
Source = Path | Pixels


@dataclass(frozen=True)
class Side:
    """A picture that is to be compared.

    Attributes:
        name: what it is called in records.
        pixels: (H, W, 3), sRGB.
        width, height: of the original, in pixels.
    """

    name: str
    pixels: Pixels
    width: int
    height: int


class DifferentSizeError(SettingError):
    """Two pictures that should be compared pixel by pixel differ in size."""


def read_side(source: Source, name: str, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Side:
    """Decode a file at its own size, upright and in sRGB, or take an array as it is.

    Raises:
        ImageError: the file cannot be read.
        SettingError: the array is no (H, W, 3) of uint8.
    """
    if isinstance(source, Path):
        picture = decode(source, max_pixels=max_pixels)
        return Side(name, picture.pixels, picture.width, picture.height)
    if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or source.size == 0:
        raise SettingError(
            f"{name} is an array of {source.dtype} {source.shape}; sRGB pixels (H, W, 3) of uint8 are needed."
        )
    return Side(name, source, source.shape[1], source.shape[0])


def fitted(side: Side, reference: Side, *, resize: bool) -> Side:
    """The side at the reference's size.

    Args:
        resize: whether a picture of another size is resampled (Lanczos), and not refused.

    Raises:
        DifferentSizeError: the sizes differ, and that is not allowed.
    """
    height, width = reference.pixels.shape[:2]
    if side.pixels.shape[:2] == (height, width):
        return side
    if not resize:
        raise DifferentSizeError(
            f"{side.name} is {side.width}×{side.height}, and {reference.name} is {reference.width}×{reference.height}. "
            "Only pictures of one size can be compared; --resize (resize=True) resamples the first to the second."
        )
    resampled = Image.fromarray(side.pixels).resize((width, height), Image.Resampling.LANCZOS)
    return replace(side, pixels=np.asarray(resampled))
