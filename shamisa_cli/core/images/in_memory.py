"""Pictures that are in memory rather than in files: the bytes of one, a Pillow image, or pixels."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile

from shamisa_cli.core.argument_words import MASKED, is_masked
from shamisa_cli.core.errors import ImageError, SettingError, item_error, reason_of
from shamisa_cli.core.images.decoding import explaining
from shamisa_cli.core.images.orientation import UPRIGHT, orientation_of

InMemory = bytes | Image.Image | npt.NDArray[np.uint8]
IN_MEMORY = (bytes, Image.Image, np.ndarray)

_READ_ALIKE = frozenset({"JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"})
"""Formats of Pillow that this program reads from the same bytes."""
_MOST_BYTES = 500_000_000
"""Of a file that is taken as it is; of a larger one, the pixels are."""
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

    Of a file that Pillow has opened and not read yet, the file's own bytes are taken, in which damage can be seen. An
    image that turns out to be damaged, or of a mode that no file can hold, is a picture that cannot be read.

    Args:
        name: for results and messages.
        picture: the bytes of a file, a Pillow image, or sRGB pixels (H, W, 3) or greys (H, W) of uint8.

    Raises:
        SettingError: the array has another shape or type, or is masked.
    """
    if isinstance(picture, bytes):
        return PictureInMemory(name, picture)
    if isinstance(picture, Image.Image):
        return PictureInMemory(name, _unread(picture) or _as_file(name, picture))
    return PictureInMemory(name, _as_file(name, _of_pixels(name, picture)))


def _unread(image: Image.Image) -> bytes | None:
    """The file of an image whose pixels Pillow has not read yet, and nobody has changed; None for any other."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile or image.format not in _READ_ALIKE:
        return None
    stream = image.fp
    if stream is None:
        return None
    try:
        place = stream.tell()
        stream.seek(0)
        content = bytes(stream.read(_MOST_BYTES + 1))
        stream.seek(place)
        return content if len(content) <= _MOST_BYTES and _says_the_same(content, image) else None
    except Exception:  # of an archive, a store or a closed file: Pillow meets it again and says so
        return None


def _says_the_same(content: bytes, image: ImageFile.ImageFile) -> bool:
    """Whether a file, opened anew, is what an image is: the same frame, size, colours and orientation."""
    with Image.open(BytesIO(content)) as again:
        return all(
            one == other
            for one, other in (
                (again.tell(), image.tell()),
                (again.size, image.size),
                (again.mode, image.mode),
                (again.info.get("icc_profile"), image.info.get("icc_profile")),
                (orientation_of(again), orientation_of(image)),
            )
        )


def _as_file(name: str, image: Image.Image) -> bytes | ImageError:
    """An image's pixels, colours and orientation as a file, or why it has none that can be read."""
    try:
        with explaining(name):
            image.load()
    except ImageError as error:
        return error
    stream = BytesIO()
    orientation = orientation_of(image)
    try:
        if image.mode in _PNG_MODES:
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = orientation if orientation in UPRIGHT else 1
            image.save(stream, "png", compress_level=1, exif=exif)
        else:
            tags = {int(ExifTags.Base.Orientation): orientation} if orientation in UPRIGHT else {}
            image.save(stream, "tiff", icc_profile=image.info.get("icc_profile"), tiffinfo=tags)
    except MemoryError as error:
        return item_error(name, error)
    except Exception as error:  # Pillow raises many types for what an image may carry
        reason = reason_of(error)
        return ImageError(
            name, "unsupported", f"{name} cannot be read ({reason}). Pass an image of a usual mode, such as RGB."
        )
    return stream.getvalue()


def _of_pixels(name: str, pixels: npt.NDArray[np.uint8]) -> Image.Image:
    if is_masked(pixels):
        raise SettingError(f"{name} is {MASKED}.")
    if pixels.dtype != np.uint8 or pixels.size == 0 or not (pixels.ndim == 2 or pixels.shape[2:] == (3,)):
        raise SettingError(
            f"{name} is an array of {pixels.dtype} {pixels.shape}; sRGB pixels (H, W, 3) of uint8 are needed. "
            "Floats of 0…1: np.rint(255 * pixels).astype(np.uint8); tensors: TensorScorer."
        )
    return Image.fromarray(np.asarray(pixels))
