"""Detection of a file's format from its first bytes, and the Pillow reader for it.

Readers are called directly rather than through `Image.open`: that one tries every format Pillow knows
(some start other programs), and holds a process-wide limit on pixels that warns or raises below ours.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from shamisa_cli.core.errors import ImageError

Reader = Callable[[BinaryIO], Image.Image]

_HEAD_BYTES = 256
_SIGNATURES: tuple[tuple[bytes, Reader], ...] = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),  # also MPO, whose first frame is a plain JPEG
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"GIF87a", GifImagePlugin.GifImageFile),
    (b"GIF89a", GifImagePlugin.GifImageFile),
    (b"II*\0", TiffImagePlugin.TiffImageFile),
    (b"MM\0*", TiffImagePlugin.TiffImageFile),
    (b"II+\0", TiffImagePlugin.TiffImageFile),  # BigTIFF
    (b"MM\0+", TiffImagePlugin.TiffImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def open_image(path: Path | str, stream: BinaryIO) -> Image.Image:
    """Open the first image in a file; its header is read, its pixels are not yet decoded.

    Raises:
        ImageError: "empty", "not-an-image", or "unsupported" where a decoder is not installed.
        Exception: any error that Pillow raises for a damaged header.
    """
    head = stream.read(_HEAD_BYTES)
    if not head:
        raise ImageError(path, "empty", f"{path} is empty (0 bytes). Copy or download it again.")
    reader = _reader(path, head)
    stream.seek(0)
    return reader(stream)


def _reader(path: Path | str, head: bytes) -> Reader:
    for signature, reader in _SIGNATURES:
        if head.startswith(signature):
            return reader
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    brands = _brands(head)
    if brands & _AVIF_BRANDS:
        return _avif_reader(path)
    if brands & _HEIF_BRANDS:
        return _heif_reader(path)
    raise ImageError(
        path,
        "not-an-image",
        f"{path} is not a picture this program knows, whatever its name says. "
        "It reads JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF and HEIC.",
    )


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
    except ImportError as error:
        raise ImageError(
            path,
            "unsupported",
            f"{path} is a HEIC picture, and no reader for those is installed. Run `pip install 'shamisa[heic]'`.",
        ) from error
    reader: Reader = HeifImageFile
    return reader
