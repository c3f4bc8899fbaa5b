"""Decoding of one file to the pixels a person would see, or to an error that says what is wrong with it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin

from shamisa_cli.core.arguments import PositiveInt
from shamisa_cli.core.errors import ImageError, item_error, reason_of
from shamisa_cli.core.existence import is_link
from shamisa_cli.core.full_size.look import look_at_pixels
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.images.bands import array_of
from shamisa_cli.core.images.clock import SlowPictureError
from shamisa_cli.core.images.code_points import CODE_POINTS, HDR
from shamisa_cli.core.images.colour import odd_samples, to_8_bit, to_srgb
from shamisa_cli.core.images.decoder_warnings import collected
from shamisa_cli.core.images.formats import open_image, open_regular
from shamisa_cli.core.images.luma import full_luma
from shamisa_cli.core.images.memory import DRAFT_MARGIN, bytes_needed, room
from shamisa_cli.core.images.orientation import SIDEWAYS, orientation_of, turned, turned_array
from shamisa_cli.core.images.pillow_switches import as_shipped
from shamisa_cli.core.images.png import PngFile
from shamisa_cli.core.images.raw import SENSOR_SIZE
from shamisa_cli.core.images.view import reduced_size
from shamisa_cli.core.remarks.drawing import is_line_drawing
from shamisa_cli.core.remarks.remark import remarks_on

READING = 17
"""Number of the way pictures are read; raised with every change of pixels, warnings, remarks or tiles, for caches."""

DEFAULT_MAX_PIXELS = 300_000_000
"""The largest camera sensors have 150 megapixels; decoding this many may take some 4 GB."""

_PILLOW_CANNOT = (
    "unsupported",
    "not supported",
    "cannot handle",
    "unknown pixel mode",
    "unknown raw mode",
    "not available",
)
"""Words by which Pillow's messages tell an unsupported variant from damage."""

_OPAQUE = 255
TRANSPARENT = "has transparent parts, which are laid over white"
"""The warning about them."""

_LARGE = 50_000_000
"""Pixels of a PNG from which on it is decoded in strips."""
_STRIP_MARGIN, _INTERLACED_MARGIN = 4, 2  # strips are reduced to at least this many times the view

_Box = tuple[float, float, float, float]
_Flat = tuple[Image.Image, tuple[int, int], _Box | None, tuple[str, ...]]
"""Pixels of 8 bits without alpha, size of the whole picture, the part of the pixels that is the picture, warnings."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """A decoded picture.

    Attributes:
        pixels: (H, W, 3) uint8, RGB in sRGB, upright; possibly smaller than the original.
        width, height: of the upright original, in pixels.
        warnings: phrases on what is odd about the file, each going on from its name.
        at_full_size: faults at 100 %; None if not asked for, or for pictures below 128 pixels in a direction and RAW
            files that had to be developed at half size.
        remarks: see `ImageRecord`; none if there was no look.
        line_drawing: whether it is thin lines on a ground of one lightness; False if there was no look.
    """

    pixels: np.ndarray
    width: int
    height: int
    warnings: tuple[str, ...] = ()
    at_full_size: AtFullSize | None = None
    remarks: tuple[str, ...] = ()
    line_drawing: bool = False


def read_file(path: Path, most: int) -> bytes | None:
    """Read a regular file; None if it is longer than `most` bytes. Raises ImageError as `decode` does."""
    with explaining(path), open_regular(path) as stream:
        return stream.read() if os.fstat(stream.fileno()).st_size <= most else None


def decode(
    path: Path | str,
    *,
    content: bytes | None = None,
    view_size: PositiveInt | None = None,
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
    look: bool = False,
) -> DecodedImage:
    """Read one picture: the first frame, upright (EXIF), in sRGB (ICC), transparent parts over white.

    Args:
        path: JPEG, PNG, WebP, TIFF, BMP, GIF; AVIF, HEIC, JPEG XL and camera RAW where a decoder is installed. Of
            a RAW file its full-size preview is read, else it is developed at half size. The content decides, not
            the suffix. Only regular files are opened.
        content: the file's bytes, where they have been read; None opens the file. With them, `path` may be any
            address: it is for messages.
        view_size: if given, the long side of the result is the smaller of it and the original's,
            reduced with an antialiased bicubic filter; the short side is rounded, at least 1. Of pictures
            beyond 4:1 the short side is a quarter of it, where the original's is longer (see `reduced_size`).
            JPEGs are then decoded at a reduced scale, no smaller than twice the view, which is
            several times faster and changes pixels by less than one grey level on average.
        max_pixels: pictures with more pixels are refused from their header, before decoding.
        look: whether to look at its pixels at 100 % too.

    Raises:
        ImageError: the file cannot be decoded. No other error is raised, whatever its content.
    """
    with (
        collected() as said,
        explaining(path),
        open_regular(Path(path)) if content is None else BytesIO(content) as stream,
    ):
        picture = _read(path, stream, view_size, max_pixels, look)
    return replace(picture, warnings=(*picture.warnings, *said)) if said else picture


@contextmanager
def explaining(path: Path | str) -> Iterator[None]:
    """Context of reading one picture, by which every error becomes an ImageError that names it."""
    try:
        with as_shipped():
            yield
    except ImageError:
        raise
    except Exception as error:
        raise _explained(path, error) from error


def _read(path: Path | str, stream: BinaryIO, view_size: int | None, max_pixels: int, look: bool) -> DecodedImage:
    image = open_image(path, stream, max_pixels)
    _check_pixels(path, image.size, max_pixels)
    with _our_own_work(path):
        factor = _strip_factor(image, view_size)
        needed = bytes_needed(image, view_size, factor, look)
    with room(path, image.size, needed):
        found = _flat_in_strips(image, factor) if factor > 1 else _flat(image, view_size)
        seen = look and SENSOR_SIZE not in image.info
        luma = full_luma(path, stream, found[0], found[1]) if seen else None
        with _our_own_work(path):
            return _finished(image, found, view_size, luma, look)


@contextmanager
def _our_own_work(path: Path | str) -> Iterator[None]:
    """Context of work on decoded pixels: what fails here is this program's fault, not the file's."""
    try:
        yield
    except Exception as error:
        raise item_error(path, error) from error


def _finished(
    image: Image.Image, found: _Flat, view_size: int | None, luma: npt.NDArray[np.uint8] | None, look: bool
) -> DecodedImage:
    """The picture upright, in sRGB and at its view size, and what is seen in its luma at 100 %."""
    flat, original, box, warnings = found
    code_points = image.info.get(CODE_POINTS)
    view = reduced_size(original, view_size)
    reduced = flat if view == original else flat.resize(view, Image.Resampling.BICUBIC, box=box)
    orientation = orientation_of(image)
    coloured, said = to_srgb(reduced, image.info.get("icc_profile"), code_points)
    warnings = (*warnings, *said)
    upright = turned(coloured, orientation)
    width, height = image.info.get(SENSOR_SIZE, original)
    if orientation in SIDEWAYS:
        width, height = height, width
    if code_points is not None and code_points[1] in HDR:
        hdr = f"is an HDR picture ({HDR[code_points[1]]}), in which all that is brighter than white is cut off"
        warnings = (*warnings, hdr)
    at_full_size = None if luma is None else look_at_pixels(turned_array(luma, orientation))
    pixels = array_of(upright, "RGB")
    if not look:
        return DecodedImage(pixels, width, height, warnings)
    remarks = remarks_on(pixels, at_full_size, max(width, height))
    return DecodedImage(pixels, width, height, warnings, at_full_size, remarks, is_line_drawing(pixels))


def _flat(image: Image.Image, view_size: int | None) -> _Flat:
    original, box = _load(image, view_size)
    warnings = _oddities(image)
    return to_8_bit(image), original, box, warnings


def _flat_in_strips(image: Image.Image, factor: int) -> _Flat:
    """As `_flat`, reduced by `factor`, without all pixels in memory at once."""
    assert isinstance(image, PngFile)
    found = list(image.warnings)
    transparent = False

    def flatten(strip: Image.Image) -> Image.Image:
        nonlocal transparent
        transparent = transparent or (strip.has_transparency_data and _lowest_alpha(strip) < _OPAQUE)
        return to_8_bit(strip)

    flat = image.reduced(factor, flatten)
    box = (0.0, 0.0, image.width / factor, image.height / factor)
    return flat, image.size, box, (*found, TRANSPARENT) if transparent else tuple(found)


def _strip_factor(image: Image.Image, view_size: int | None) -> int:
    """By how much a large PNG is reduced while it is decoded in strips; 1: it is decoded as a whole."""
    if view_size is None or image.width * image.height <= _LARGE or not isinstance(image, PngFile):
        return 1
    step = image.reduction_step
    margin = _STRIP_MARGIN if step == 1 else _INTERLACED_MARGIN
    return max(1, max(image.size) // (margin * view_size) // step * step)


def _oddities(image: Image.Image) -> tuple[str, ...]:
    """Phrases on a loaded image."""
    found = [*getattr(image, "warnings", ()), *odd_samples(image)]
    if image.has_transparency_data and _lowest_alpha(image) < _OPAQUE:
        found.append(TRANSPARENT)
    comes_first = image.tell() == 0 or image.format != "TIFF"  # in a TIFF, a thumbnail may
    if getattr(image, "is_animated", False) and comes_first:
        found.append("has several pictures or pages, of which only one is read")
    return tuple(found)


def _lowest_alpha(image: Image.Image) -> int:
    alpha = image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
    low = alpha.getchannel("A").getextrema()[0]
    assert isinstance(low, int)
    return low


def _load(image: Image.Image, view_size: int | None) -> tuple[tuple[int, int], _Box | None]:
    """Decode the pixels, at a reduced scale where that is enough.

    Gives the size of the whole picture, and the part of the decoded pixels that is the picture (a reduced
    JPEG may end in the middle of a pixel) or None for all of it.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        image.load()
        return image.size, None  # known only now, since a TIFF is turned upright while loading
    whole = image.size
    width, height = reduced_size(whole, view_size)
    drafted = image.draft(None, (DRAFT_MARGIN * width, DRAFT_MARGIN * height))
    image.load()
    return whole, drafted[1] if drafted else None


def _check_pixels(path: Path | str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            path,
            "too-large",
            f"{path} has {width * height} pixels ({width}×{height}), more than the limit of {max_pixels}. "
            "Raise the limit on pixels if the file is to be trusted.",
        )


def _explained(path: Path | str, error: Exception) -> ImageError:
    """The ImageError for an exception of the operating system or Pillow."""
    reason = reason_of(error)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if is_link(path):
            return ImageError(path, "missing", f"{path} is a link to what does not exist: {Path(path).readlink()}.")
        return ImageError(path, "missing", f"{path} does not exist. Check the spelling and the folder.")
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # EINVAL: an impossible offset in it
        return ImageError(path, "unreadable", f"{path} cannot be read: {error.strerror}.")
    if isinstance(error, SlowPictureError):
        return ImageError(path, "too-large", f"{path} {error}.")
    if isinstance(error, MemoryError):
        return item_error(path, error)
    if isinstance(error, Image.DecompressionBombError):
        return ImageError(path, "too-large", f"{path} is too large to decode ({reason}). Resize it.")
    if any(words in " ".join(str(error).lower().split()) for words in _PILLOW_CANNOT):
        return ImageError(
            path,
            "unsupported",
            f"{path} is of a kind its format allows and Pillow cannot read ({reason}). "
            "Save it again as an ordinary JPEG or PNG.",
        )
    return ImageError(path, "truncated", f"{path} is damaged or cut short ({reason}). Copy or download it again.")
