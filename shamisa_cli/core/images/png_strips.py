"""Large PNG pictures at a reduced scale, a strip of rows at a time, so that memory does not grow with their height.

Each strip is decoded by Pillow as a small PNG of its own, whose first row is the last of the strip before, since rows
are stored as differences from the row above (PNG 3rd edition, section 9). An interlaced picture is seven pictures one
after the other (section 8.1), which are reduced one by one and averaged.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, PngImagePlugin

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_STRIP_BYTES = 16_000_000
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type (section 11.2.1)."""
_BYTE_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}
"""Colour type with this many bytes a pixel, at 8 bits."""
_OTHER_BYTES = {2: "RGB;16L", 6: "RGBA;16L"}
"""Pillow's raw mode that keeps the low byte of each sample of 16 bits, by colour type."""

INTERLACED_STEP = 8
"""The factor of an interlaced picture is a multiple of this, so that each pass has pixels at the same places in it."""

Flatten = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class _Pass:
    """A picture of every dx-th pixel of every dy-th row, from (x, y)."""

    x: int = 0
    y: int = 0
    dx: int = 1
    dy: int = 1

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Its pixels, of a picture of this size."""
        return max(0, -(-(width - self.x) // self.dx)), max(0, -(-(height - self.y) // self.dy))


_WHOLE = _Pass()
_ADAM7 = (
    _Pass(0, 0, 8, 8), _Pass(4, 0, 8, 8), _Pass(0, 4, 4, 8), _Pass(2, 0, 4, 4), _Pass(0, 2, 2, 4), _Pass(1, 0, 2, 2),
    _Pass(0, 1, 1, 2),
)  # fmt: skip


def is_interlaced(header: bytes) -> bool:
    """Whether a picture with this body of its IHDR chunk is stored as seven pictures."""
    return header[12:13] == b"\1"


def reduced(header: bytes, palette: bytes, data: Sequence[memoryview], factor: int, flatten: Flatten) -> Image.Image:
    """The picture with each square of `factor` pixels averaged to one; squares at its far edges may be cut.

    Args:
        header: body of the IHDR chunk.
        palette: whole PLTE and tRNS chunks, or nothing.
        data: bodies of the IDAT chunks.
        factor: at least 1; for an interlaced picture a multiple of `INTERLACED_STEP`.
        flatten: gives a strip its final mode.

    Raises:
        OSError: the data end too early.
        zlib.error: they are damaged.
    """
    size = _size(header)
    inflate = _Inflater(data)
    if not is_interlaced(header):
        return _reduced_pass(header, palette, inflate, (factor, factor), flatten)
    total, weights = np.zeros(1, np.float32), np.zeros((-(-size[1] // factor), -(-size[0] // factor)), np.float32)
    for each in _ADAM7:
        width, height = each.size(*size)
        if not width or not height:
            continue
        steps = (factor // each.dx, factor // each.dy)
        part = np.asarray(_reduced_pass(_resized(header, width, height), palette, inflate, steps, flatten))
        counts = np.outer(_pixels_in_blocks(height, steps[1]), _pixels_in_blocks(width, steps[0]))
        if total.ndim == 1:
            total = np.zeros((*weights.shape, *part.shape[2:]), np.float32)
        place = np.s_[: part.shape[0], : part.shape[1]]
        total[place] += part * (counts if part.ndim == 2 else counts[..., None])
        weights[place] += counts
    mean = total / (weights if total.ndim == 2 else weights[..., None])
    return Image.fromarray(np.rint(mean).astype(np.uint8))


def _pixels_in_blocks(pixels: int, step: int) -> npt.NDArray[np.float32]:
    """How many of a row of pixels are in each block of `step`; the last block may be cut."""
    return np.minimum(step, pixels - np.arange(0, pixels, step)).astype(np.float32)


def _reduced_pass(
    header: bytes, palette: bytes, inflate: _Inflater, factor: tuple[int, int], flatten: Flatten
) -> Image.Image:
    width, height = _size(header)
    row_bytes = 1 + _bytes_of_row(header)
    rows = max(1, _STRIP_BYTES // (max(row_bytes, width) * factor[1])) * factor[1]
    above = bytes(row_bytes - 1)
    whole: Image.Image | None = None
    for top in range(0, height, rows):
        count = min(rows, height - top)
        raw = _unfiltered(header, b"\0" + above + inflate.read(count * row_bytes), count + 1)
        above = raw[-1].tobytes()
        strip = _picture(header, palette, np.pad(raw[1:], ((0, 0), (1, 0))).tobytes(), count)
        part = flatten(strip).reduce(factor)
        if whole is None:
            whole = Image.new(part.mode, (-(-width // factor[0]), -(-height // factor[1])))
        whole.paste(part, (0, top // factor[1]))
    assert whole is not None
    return whole


def _unfiltered(header: bytes, rows: bytes, count: int) -> npt.NDArray[np.uint8]:
    """The bytes (count, B) of rows that are stored as differences; the first byte of each row says from what."""
    depth, kind = header[8], header[9]
    per_pixel, per_row = max(1, _CHANNELS[kind] * depth // 8), _bytes_of_row(header)
    if per_pixel in _BYTE_KINDS:
        plain = struct.pack(">IIBB", per_row // per_pixel, count, 8, _BYTE_KINDS[per_pixel]) + header[10:12] + b"\0"
        return np.asarray(_picture(plain, b"", rows, count)).reshape(count, per_row)
    high = _picture(header, b"", rows, count)
    low = _picture(header, b"", rows, count, _OTHER_BYTES[kind])
    return np.stack((np.asarray(high), np.asarray(low)), axis=-1).reshape(count, per_row)


def _picture(header: bytes, palette: bytes, rows: bytes, count: int, raw_mode: str = "") -> Image.Image:
    """Decode stored rows; `raw_mode` in place of the one that Pillow would choose."""
    changed = _resized(header, _size(header)[0], count)
    chunks = (_chunk(b"IHDR", changed), palette, _chunk(b"IDAT", zlib.compress(rows, 0)), _chunk(b"IEND", b""))
    image = PngImagePlugin.PngImageFile(BytesIO(_SIGNATURE + b"".join(chunks)))
    if raw_mode:
        image.tile = [ImageFile._Tile(*tile[:3], raw_mode) for tile in image.tile]
    image.load()
    return image


def _size(header: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", header[:8])
    return width, height


def _resized(header: bytes, width: int, height: int) -> bytes:
    """The header of a picture of this size that is not interlaced."""
    return struct.pack(">II", width, height) + header[8:12] + b"\0"


def _bytes_of_row(header: bytes) -> int:
    return -(-_size(header)[0] * _CHANNELS[header[9]] * header[8] // 8)


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
