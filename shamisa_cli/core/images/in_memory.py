"""Pictures that are in memory rather than in files: the bytes of one, a Pillow image, or pixels."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from shamisa_cli.core.errors import ImageError, SettingError
from shamisa_cli.core.images.decoding import explaining

InMemory = bytes | Image.Image | npt.NDArray[np.uint8]
IN_MEMORY = (bytes, Image.Image, np.ndarray)

_PNG_MODES = frozenset({"1", "L", "LA", "I;16", "P", "RGB", "RGBA"})


@dataclass(frozen=True)
class PictureInMemory:
    """A picture as the bytes of a file, with the name that results give it.

    Attributes:
        name: its name.
        held: the bytes, or why there are none.
    """

    name: str
    held: bytes | ImageError

    def __str__(self) -> str:
        return self.name

    @property
    def content(self) -> bytes:
        """The bytes. Raises ImageError if there are none."""
        if isinstance(self.held, ImageError):
            raise self.held
        return self.held


def in_memory(name: str, picture: InMemory) -> PictureInMemory:
    """Give a picture a name. Pillow images and pixels become files without loss, so that all are read alike.

    A Pillow image that turns out to be damaged, as Pillow reads files late, is a picture that cannot be read.

    Args:
        name: for results and messages.
        picture: the bytes of a file, a Pillow image, or sRGB pixels (H, W, 3) or greys (H, W) of uint8.

    Raises:
        SettingError: the array has another shape or type, or the image has no pixels or cannot be written.
    """
    if isinstance(picture, bytes):
        return PictureInMemory(name, picture)
    image = picture if isinstance(picture, Image.Image) else _of_pixels(name, picture)
    try:
        with explaining(name):
            image.load()
    except ImageError as error:
        return PictureInMemory(name, error)
    stream = BytesIO()
    try:
        if image.mode in _PNG_MODES:
            image.save(stream, "png", compress_level=1, exif=image.getexif())
        else:
            image.save(stream, "tiff", icc_profile=image.info.get("icc_profile"))
    except (ValueError, OSError, SystemError) as error:
        raise SettingError(f"{name} cannot be read ({error}). Pass an image of a usual mode, such as RGB.") from error
    return PictureInMemory(name, stream.getvalue())


def _of_pixels(name: str, pixels: npt.NDArray[np.uint8]) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.size == 0 or not (pixels.ndim == 2 or pixels.shape[2:] == (3,)):
        raise SettingError(
            f"{name} is an array of {pixels.dtype} {pixels.shape}; sRGB pixels (H, W, 3) of uint8 are needed. "
            "Floats of 0…1: np.rint(255 * pixels).astype(np.uint8); tensors: TensorScorer."
        )
    return Image.fromarray(pixels)
