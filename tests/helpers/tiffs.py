"""TIFF files, byte by byte."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Tag = tuple[int, int, int, bytes]
SHORT, LONG, ASCII, BYTE, RATIONAL = 3, 4, 2, 1, 5


def short(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def long(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def directory(at: int, tags: list[tuple[int, int, int, bytes]], following: int = 0) -> bytes:
    """A TIFF directory that stands at byte `at`, with its longer values after it."""
    entries, values = b"", b""
    after = at + 2 + 12 * len(tags) + 4
    for number, kind, count, value in sorted(tags):
        if len(value) <= 4:
            entries += struct.pack("<HHI", number, kind, count) + value.ljust(4, b"\0")
        else:
            entries += struct.pack("<HHII", number, kind, count, after + len(values))
            values += value + b"\0" * (len(value) % 2)
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + values


def strip(width: int, height: int, at: int, data: bytes, *, compression: int, samples: int) -> list[Tag]:
    return [
        (256, LONG, 1, long(width)),
        (257, LONG, 1, long(height)),
        (259, SHORT, 1, short(compression)),
        (273, LONG, 1, long(at)),
        (277, SHORT, 1, short(samples)),
        (278, LONG, 1, long(height)),
        (279, LONG, 1, long(len(data))),
    ]


def write_dng(path: Path, mosaic: np.ndarray, preview: bytes | None = None, tags: Sequence[Tag] = ()) -> Path:
    """A DNG as cameras write it: a grey 16×12 thumbnail first, then 16-bit sensor data, and a JPEG preview.

    The data are a mosaic (H, W), or colours that programs developed in part (H, W, 3). `tags` are added to the first
    directory.
    """
    height, width = mosaic.shape[:2]
    samples = 1 if mosaic.ndim == 2 else 3
    thumbnail, sensor = bytes([255]) * (16 * 12 * 3), mosaic.astype("<u2").tobytes()
    data = bytearray(b"II*\0" + long(0))
    places = []
    for part in (thumbnail, sensor, preview or b""):
        places.append(len(data))
        data += part + b"\0" * (len(part) % 2)
    main = [
        (254, LONG, 1, long(0)),
        (258, SHORT, samples, short(*[16] * samples)),
        (262, SHORT, 1, short(32803 if samples == 1 else 34892)),
        *([(33421, SHORT, 2, short(2, 2)), (33422, BYTE, 4, bytes((0, 1, 1, 2)))] if samples == 1 else []),
        (50717, LONG, samples, long(*[65535] * samples)),
        *strip(width, height, places[1], sensor, compression=1, samples=samples),
    ]
    below = [len(data)]
    data += directory(len(data), main)
    if preview is not None:
        with Image.open(io.BytesIO(preview)) as image:
            size = image.size
        small = [
            (254, LONG, 1, long(1)),
            (258, SHORT, 3, short(8, 8, 8)),
            (262, SHORT, 1, short(6)),
            *strip(*size, places[2], preview, compression=7, samples=3),
        ]
        below.append(len(data))
        data += directory(len(data), small)
    first = [
        (254, LONG, 1, long(1)),
        (258, SHORT, 3, short(8, 8, 8)),
        (262, SHORT, 1, short(2)),
        (271, ASCII, 5, b"Test\0"),
        (272, ASCII, 5, b"Test\0"),
        (330, LONG, len(below), long(*below)),
        (50706, BYTE, 4, bytes((1, 4, 0, 0))),
        (50708, ASCII, 5, b"Test\0"),
        *strip(16, 12, places[0], thumbnail, compression=1, samples=3),
        *tags,
    ]
    struct.pack_into("<I", data, 4, len(data))
    data += directory(len(data), first)
    path.write_bytes(data)
    return path
