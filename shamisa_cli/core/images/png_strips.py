"""Large PNG pictures at a reduced scale, a strip of rows at a time, so that memory does not grow with their height.

Each strip is decoded by Pillow as a small PNG of its own, whose first row is the last of the strip before, since rows
are stored as differences from the row above (PNG 3rd edition, section 9).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO

from PIL import Image, PngImagePlugin

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_STRIP_BYTES = 16_000_000
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type (section 11.2.1)."""


def can_be_split(header: bytes) -> bool:
    """Whether a picture with this body of its IHDR chunk is decoded in strips: 8 bits per channel, not interlaced."""
    return len(header) == 13 and header[8] == 8 and header[12] == 0 and header[9] in _CHANNELS


def reduced(
    header: bytes,
    palette: bytes,
    data: Sequence[memoryview],
    factor: int,
    flatten: Callable[[Image.Image], Image.Image],
) -> Image.Image:
    """The picture with each square of `factor` pixels averaged to one; squares at its far edges may be cut.

    Args:
        header: body of the IHDR chunk; see `can_be_split`.
        palette: whole PLTE and tRNS chunks, or nothing.
        data: bodies of the IDAT chunks.
        factor: at least 1.
        flatten: gives a strip its final mode.

    Raises:
        OSError: the data end too early.
        zlib.error: they are damaged.
    """
    width, height = struct.unpack(">II", header[:8])
    row_bytes = 1 + width * _CHANNELS[header[9]]
    rows = max(1, _STRIP_BYTES // (row_bytes * factor)) * factor
    inflate = _Inflater(data)
    above = bytes(row_bytes - 1)
    whole: Image.Image | None = None
    for top in range(0, height, rows):
        count = min(rows, height - top)
        strip = _decoded(header, palette, b"\0" + above + inflate.read(count * row_bytes), count + 1)
        above = strip.crop((0, count, width, count + 1)).tobytes()
        part = flatten(strip.crop((0, 1, width, count + 1))).reduce(factor)
        if whole is None:
            whole = Image.new(part.mode, (-(-width // factor), -(-height // factor)))
        whole.paste(part, (0, top // factor))
    assert whole is not None
    return whole


def _decoded(header: bytes, palette: bytes, rows: bytes, count: int) -> Image.Image:
    changed = header[:4] + struct.pack(">I", count) + header[8:]
    chunks = (_chunk(b"IHDR", changed), palette, _chunk(b"IDAT", zlib.compress(rows, 0)), _chunk(b"IEND", b""))
    image = PngImagePlugin.PngImageFile(BytesIO(_SIGNATURE + b"".join(chunks)))
    image.load()
    return image


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


class _Inflater:
    """The inflated bytes of several pieces, as many at a time as are asked for."""

    def __init__(self, pieces: Sequence[memoryview]) -> None:
        self._pieces: Iterator[memoryview] = iter(pieces)
        self._inflate = zlib.decompressobj()

    def read(self, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            waiting = self._inflate.unconsumed_tail or next(self._pieces, None)
            if waiting is None or self._inflate.eof:
                raise OSError(f"image file is truncated ({count - len(found)} bytes of pixels are missing)")
            found += self._inflate.decompress(waiting, count - len(found))
        return bytes(found)
