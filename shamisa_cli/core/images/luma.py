"""The luma of a whole picture, for the look at 100 %."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin

from shamisa_cli.core.images.bands import array_of
from shamisa_cli.core.images.formats import open_image

MOST_PIXELS = 30_000_000
"""Larger pictures that are not JPEGs are read in strips, and get no look: decoding them as a whole takes gigabytes."""


def full_luma(
    path: Path | str, stream: BinaryIO, loaded: Image.Image, size: tuple[int, int]
) -> npt.NDArray[np.uint8] | None:
    """Luma (H, W) of every pixel, not yet upright; None if it can only be read at a reduced size.

    A picture that was decoded at a reduced scale is decoded once more; a JPEG in luma alone, which costs no more than
    decoding it once in colour, and a third of the memory.

    Args:
        path, stream: the file.
        loaded: its pixels as they were decoded, "L", "RGB" or "CMYK".
        size: width and height of all its pixels.
    """
    if loaded.size == size:
        return array_of(loaded, "L")
    stream.seek(0)
    image = open_image(path, stream)
    if image.size != size:
        return None
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft("L", size)
    elif size[0] * size[1] > MOST_PIXELS:
        return None
    return array_of(image, "L")
