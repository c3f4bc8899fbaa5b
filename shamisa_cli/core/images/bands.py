"""Pillow images as arrays, band by band: converting all of a large one at once takes three times its memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

BAND_PIXELS = 1_000_000


def bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Bands of rows of a picture, from its top, each with the rows that it is; a small picture is one band."""
    rows = max(1, BAND_PIXELS // max(1, image.width))
    if rows >= image.height:
        yield slice(0, image.height), image
        return
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def array_of(image: Image.Image, mode: str) -> npt.NDArray[np.uint8]:
    """Pixels of a picture as "RGB" (H, W, 3) or "L" (H, W), an array of its own."""
    found = np.empty((image.height, image.width, 3) if mode == "RGB" else (image.height, image.width), np.uint8)
    for rows, band in bands(image):
        found[rows] = np.asarray(band if band.mode == mode else band.convert(mode))
    return found
