"""JPEG XL files (ISO/IEC 18181) by their headers; the optional package pillow-jxl-plugin decodes them, when asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from PIL import Image, ImageFile

from shamisa_cli.core.images.boxes import Box, top_boxes

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
LARGEST_METADATA = 16_000_000
"""Bytes of EXIF or XMP, packed and not, that are read."""

_PACKED = b"brob"
"""Kind of a box that holds another, packed by Brotli, after the kind of that."""
_HEAD = 48
"""First bytes of a codestream, which hold its size, and whether it is an animation."""
_SEQUENCE = 4
"""Bytes of the number before a part of a codestream in a box."""
_OFFSET = 4
"""Bytes of the number before EXIF data in a box."""
_BITS_OF_LENGTH = (9, 13, 18, 30)
_BITS_OF_ORIENTATION = 3
_OF_EIGHTS, _OF_PREVIEW = (0, 0, 5, 9), (6, 8, 10, 12)
"""Bits of a length of a preview (18181-1, PreviewHeader), in steps of eight pixels and of one."""
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Widths as a multiple of the height (18181-1, SizeHeader)."""


class JxlFile(ImageFile.ImageFile):
    """A JPEG XL picture whose size is read from its header.

    The reader of the package decodes all pixels as soon as it opens a file, so before a limit could be applied.

    Attributes:
        jpeg: whether it is a JPEG that was packed losslessly, and so with all its data; as the package's reader has it.
        warnings: phrases on what is not read, each going on from the file's name.
    """

    format = "JXL"

    def _open(self) -> None:
        stream = cast(BinaryIO, self.fp)
        self._size = size_of(stream)
        self.warnings = ["is an animation, of which only the last picture is read"] if is_animation(stream) else []
        self._mode = "RGB"  # which it is becomes known when it is decoded
        self.jpeg = False
        self._is_decoded = False

    def load(self) -> Any:
        """Decode the pixels, upright as the codestream says. Raises whatever the package does for a damaged file."""
        if not self._is_decoded:
            from pillow_jxl.JpegXLImagePlugin import JXLImageFile

            stream = cast(BinaryIO, self.fp)
            stream.seek(0)
            decoded: Any = JXLImageFile(stream)
            if sorted(decoded.size) != sorted(self.size):
                raise OSError("its header has another size than its picture")
            decoded.load()
            self.im, self._mode, self._size = decoded.im, decoded.mode, decoded.size
            self.info = decoded.info
            self.jpeg = decoded.jpeg
            self._is_decoded = True
        return Image.Image.load(self)


def size_of(stream: BinaryIO) -> tuple[int, int]:
    """Width and height in the header of a codestream, before it is turned upright. Raises OSError where it is cut."""
    return _size(_bits_of_header(stream))


def is_animation(stream: BinaryIO) -> bool:
    """Whether a codestream has several pictures (18181-1, ImageMetadata). Raises OSError where its header is cut."""
    bits = _bits_of_header(stream)
    _size(bits)
    is_usual = _number(bits, 1)
    if is_usual or not _number(bits, 1):  # fields that few have
        return False
    _number(bits, _BITS_OF_ORIENTATION)
    if _number(bits, 1):  # another size to be shown at
        _size(bits)
    if _number(bits, 1):
        _skip_preview(bits)
    return bool(_number(bits, 1))


def _size(bits: Iterator[int]) -> tuple[int, int]:
    is_small = _number(bits, 1)
    height = _length(bits, is_small)
    ratio = _number(bits, 3)
    if not ratio:
        return _length(bits, is_small), height
    over, under = _RATIOS[ratio - 1]
    return height * over // under, height


def _skip_preview(bits: Iterator[int]) -> None:
    lengths = _OF_EIGHTS if _number(bits, 1) else _OF_PREVIEW
    _number(bits, lengths[_number(bits, 2)])
    if not _number(bits, 3):
        _number(bits, lengths[_number(bits, 2)])


def _head_of_codestream(stream: BinaryIO) -> bytes:
    stream.seek(0)
    head = stream.read(_HEAD)
    if not head.startswith(CONTAINER):
        return head
    found = b""
    for box in top_boxes(stream):
        if box.kind == b"jxlc":
            found += box.read(stream, _HEAD)
        elif box.kind == b"jxlp":
            found += box.read(stream, _SEQUENCE + _HEAD)[_SEQUENCE:]
        if len(found) >= _HEAD:
            break
    return found


def _bits_of_header(stream: BinaryIO) -> Iterator[int]:
    return _bits(_head_of_codestream(stream)[len(CODESTREAM) :])


def _bits(head: bytes) -> Iterator[int]:
    return (byte >> place & 1 for byte in head for place in range(8))


def _number(bits: Iterator[int], count: int) -> int:
    try:
        return sum(next(bits) << place for place in range(count))
    except RuntimeError as error:  # of the generator, at the end of the bits
        raise OSError("its header is cut short") from error


def _length(bits: Iterator[int], is_small: int) -> int:
    if is_small:
        return 8 * (1 + _number(bits, 5))
    return 1 + _number(bits, _BITS_OF_LENGTH[_number(bits, 2)])


def metadata_in(stream: BinaryIO) -> dict[str, bytes]:
    """EXIF and XMP as Pillow's readers name them; none of a bare codestream."""
    stream.seek(0)
    if stream.read(len(CONTAINER)) != CONTAINER:
        return {}
    first: dict[bytes, Box] = {}
    for box in top_boxes(stream):
        first.setdefault(box.read(stream, 4) if box.kind == _PACKED else box.kind, box)
    exif, xmp = (_content(first.get(kind), stream) for kind in (b"Exif", b"xml "))
    found = {"exif": _without_offset(exif), "xmp": xmp}
    return {name: content for name, content in found.items() if content}


def _without_offset(exif: bytes) -> bytes:
    """EXIF data from their first byte on, which a number says how far it is; some encoders leave that out."""
    if exif.startswith((b"II*\0", b"MM\0*")):
        return exif
    return exif[_OFFSET + int.from_bytes(exif[:_OFFSET], "big") :]


def _content(box: Box | None, stream: BinaryIO) -> bytes:
    """The content of a box of metadata, which may be packed by Brotli, or the first part of it; empty without one."""
    if box is None:
        return b""
    content = box.read(stream, LARGEST_METADATA)
    return _unpacked(content[4:]) if box.kind == _PACKED else content


def _unpacked(packed: bytes) -> bytes:
    try:
        import brotli
    except ImportError:  # an earlier installation of the extra
        return b""
    try:
        content: bytes = brotli.Decompressor().process(packed, output_buffer_limit=LARGEST_METADATA)
    except (brotli.error, TypeError):  # the second: of brotli before 1.2, which takes no limit
        return b""
    return content
