"""Turning a stored picture upright, as its EXIF data say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF 2.3, tag 0x0112 (Orientation) → the operation that turns the stored image upright."""
SIDEWAYS = (5, 6, 7, 8)


def orientation_of(image: Image.Image) -> int:
    """The orientation that the picture's EXIF data give; 1, upright, if they give none or are damaged.

    A JPEG XL is decoded upright, and its EXIF data do not count (ISO/IEC 18181-2), unless it was a JPEG.
    """
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        return 1
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data (Pillow raises many types) must not prevent decoding
        return 1


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned upright."""
    turn = UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def turned_array(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Grey pixels (H, W) turned upright."""
    return np.asarray(turned(Image.fromarray(pixels), orientation)) if orientation in UPRIGHT else pixels
