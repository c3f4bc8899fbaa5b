"""Detection of a file's format from its first bytes, and the Pillow reader for it.

Readers are called directly rather than through `Image.open`: that one tries every format Pillow knows
(some start other programs), and holds a process-wide limit on pixels that warns or raises below ours.
"""

from __future__ import annotations

import importlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
)

from shamisa_cli.core.errors import ImageError, SettingError
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.images import jxl
from shamisa_cli.core.images.code_points import CODE_POINTS
from shamisa_cli.core.images.decoder_warnings import watch_readers
from shamisa_cli.core.images.discovery import wrong_with_folder
from shamisa_cli.core.images.heif_colours import code_points_in
from shamisa_cli.core.images.jpeg import JpegFile
from shamisa_cli.core.images.kinds import IMAGE_SUFFIXES
from shamisa_cli.core.images.png import PngFile
from shamisa_cli.core.images.raw import REDUCED_COPY, SUBFILE_TYPE, is_raw, is_raw_tiff, open_raw
from shamisa_cli.core.images.recognition import describe_non_picture
from shamisa_cli.core.images.tiff import TiffFile
from shamisa_cli.core.images.webp import WebpFile

Reader = Callable[[BinaryIO], Image.Image]

HEAD_BYTES = 256
_MOST_FRAMES = 100
"""Frames of a TIFF that are looked at for the largest."""
_SIGNATURES: tuple[tuple[bytes, Reader], ...] = (
    (b"\xff\xd8\xff", JpegFile),  # also MPO, whose first frame is a plain JPEG
    (b"\x89PNG\r\n\x1a\n", PngFile),
    (b"GIF87a", GifImagePlugin.GifImageFile),
    (b"GIF89a", GifImagePlugin.GifImageFile),
    (b"II*\0", TiffFile),
    (b"MM\0*", TiffFile),
    (b"II+\0", TiffFile),  # BigTIFF
    (b"MM\0+", TiffFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
)
_UNKNOWN = (
    "is not a picture this program knows, whatever its name says. It reads JPEG, PNG, WebP, TIFF, BMP, GIF and AVIF, "
    "and with extras HEIC, JPEG XL and camera RAW."
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_RAW_BRAND = b"crx "
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raises ImageError where it is empty, or no file: reading it might never end."""
    status = path.stat()  # before opening: opening a pipe would wait for a writer
    if stat.S_ISDIR(status.st_mode):
        os.scandir(path).close()  # raises if that is what is wrong with it
        raise ImageError(path, "unreadable", wrong_with_folder(path))
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(path, "unreadable", f"{path} is not a regular file but a device, pipe or socket.")
    if not status.st_size:  # a file of the system such as /proc/kmsg has no size, and reading it may never end
        raise _empty(path)
    return path.open("rb")


def open_image(path: Path | str, stream: BinaryIO, max_pixels: int | None = None) -> Image.Image:
    """Open the first image in a file, or the largest where a smaller copy of it comes first.

    Its header is read; its pixels are decoded only if a RAW file had to be developed.

    Args:
        path: for messages.
        stream: at its start.
        max_pixels: RAW files with more pixels are refused here; for others, the caller does so. None: no limit.

    Raises:
        ImageError: "empty", "not-an-image", or "unsupported" where a decoder is not installed.
        Exception: any error that Pillow raises for a damaged header.
    """
    head = stream.read(HEAD_BYTES)
    if not head:
        raise _empty(path)
    stream.seek(0)
    if is_raw_file(head):
        return open_raw(path, stream, max_pixels)
    reader = _reader(path, head)
    code_points = code_points_in(stream) if _brands(head) else None
    stream.seek(0)
    image = reader(stream)
    if code_points is not None and "icc_profile" not in image.info:
        image.info[CODE_POINTS] = code_points
    if isinstance(image, TiffFile):
        return _largest(path, stream, image, max_pixels)
    return image


def _empty(path: Path | str) -> ImageError:
    return ImageError(path, "empty", f"{path} is empty (0 bytes). Copy or download it again.")


def is_raw_file(head: bytes) -> bool:
    """Whether a file with these first bytes is a camera RAW file that is told by them; a DNG is a TIFF."""
    return is_raw(head) or _RAW_BRAND in _brands(head)


def is_picture(head: bytes) -> bool:
    """Whether a file with these first bytes is a picture of a kind that `open_image` knows, installed or not."""
    if head.startswith(b"BM") and any(head[6:10]):  # reserved, and 0; else it is a text such as "BMW.jpg"
        return False
    if is_raw_file(head):
        return True
    try:
        _reader("", head)
    except ImageError as error:
        return error.kind == "unsupported"
    return True


def begins_like_a_picture(path: Path) -> bool:
    """Whether a file of this name exists and `is_picture` by its first bytes."""
    if not is_file(path):
        return False
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    return bool(head) and is_picture(head)


def require_no_picture(target: Path, what: str) -> None:
    """Raise SettingError if a name is, or has the suffix of, a picture, which `what` ("a table") does not replace."""
    if target.suffix.lower() in IMAGE_SUFFIXES:
        raise SettingError(
            f"{target} has the suffix of a picture, and {what} is none. Quote a glob, or name another file."
        )
    if begins_like_a_picture(target):
        raise SettingError(f"{target} is a picture, which {what} does not replace. Name another file.")


def _largest(path: Path | str, stream: BinaryIO, image: TiffFile, max_pixels: int | None) -> Image.Image:
    """The picture of a TIFF: its first frame, unless that is a RAW file's, or a reduced copy of a later one."""
    if is_raw_tiff(image):
        stream.seek(0)
        return open_raw(path, stream, max_pixels)
    if not image.tag_v2.get(SUBFILE_TYPE, 0) & REDUCED_COPY:
        return image
    sizes: dict[int, int] = {}
    with suppress(EOFError):
        for frame in range(_MOST_FRAMES):
            image.seek(frame)
            sizes[frame] = image.width * image.height
    image.seek(max(sizes, key=lambda frame: sizes[frame]))
    return image


def _reader(path: Path | str, head: bytes) -> Reader:
    for signature, reader in _SIGNATURES:
        if head.startswith(signature):
            return reader
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WebpFile
    if head.startswith((jxl.CODESTREAM, jxl.CONTAINER)):
        return _jxl_reader(path)
    brands = _brands(head)
    if brands & _AVIF_BRANDS:
        return _avif_reader(path)
    if brands & _HEIF_BRANDS:
        return _heif_reader(path)
    raise ImageError(path, "not-an-image", f"{path} {describe_non_picture(head) or _UNKNOWN}")


def _brands(head: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file (ISO/IEC 14496-12, `ftyp` box); empty for other files."""
    if head[4:8] != b"ftyp":
        return set()
    box = head[: int.from_bytes(head[:4], "big")]
    return {box[8:12], *(box[start : start + 4] for start in range(16, len(box), 4))}


def _avif_reader(path: Path | str) -> Reader:
    try:
        from PIL import AvifImagePlugin
    except ImportError:
        supported = False
    else:
        supported = AvifImagePlugin.SUPPORTED
    if not supported:
        raise ImageError(
            path,
            "unsupported",
            f"{path} is an AVIF picture, and the installed Pillow cannot read those. "
            "Run `pip install --upgrade pillow` (11.3 or newer).",
        )
    return AvifImagePlugin.AvifImageFile


def _heif_reader(path: Path | str) -> Reader:
    try:
        from pillow_heif import HeifImageFile

        watch_readers()
    except ImportError as error:
        raise ImageError(
            path,
            "unsupported",
            f"{path} is a HEIC picture, and no reader for those is installed. Run `pip install 'shamisa[heic]'`.",
        ) from error
    reader: Reader = HeifImageFile
    return reader


def _jxl_reader(path: Path | str) -> Reader:
    try:
        importlib.import_module("pillow_jxl.JpegXLImagePlugin")
        watch_readers()
    except ImportError as error:
        raise ImageError(
            path,
            "unsupported",
            f"{path} is a JPEG XL picture, and no reader for those is installed. Run `pip install 'shamisa[jxl]'`.",
        ) from error
    return jxl.JxlFile
