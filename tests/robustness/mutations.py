"""Files mutated from small sound ones, each by its number: the same number gives the same bytes on every machine."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, features

CHUNKED = ("png",)


def seeds() -> list[tuple[str, bytes]]:
    """A sound file of every kind that this installation writes, with its kind."""
    noise = np.random.default_rng(5).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((61, 43), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    forms: list[tuple[str, Image.Image, dict[str, object]]] = [
        ("jpeg", image, {"exif": exif}),
        ("jpeg", image, {"progressive": True, "subsampling": 0}),
        ("jpeg", image, {"restart_marker_rows": 1}),
        ("jpeg", image.convert("CMYK"), {}),
        ("png", image, {"exif": exif}),
        ("png", image.convert("RGBA"), {}),
        ("png", image.quantize(16), {"transparency": 3}),
        ("png", Image.fromarray(np.arange(2623, dtype=np.uint16).reshape(43, 61)), {}),
        ("png", image, {"save_all": True, "append_images": [image.rotate(90)]}),
        ("gif", image, {"save_all": True, "append_images": [image.rotate(90)]}),
        ("bmp", image, {}),
        ("tiff", image, {"compression": None}),
        ("tiff", image, {"compression": "tiff_lzw"}),
        ("tiff", image, {"compression": "jpeg"}),
        ("tiff", image, {"save_all": True, "append_images": [image.resize((30, 20))]}),
        ("webp", image, {}),
        ("webp", image.convert("RGBA"), {"lossless": True}),
    ]
    if features.check("avif"):
        forms.append(("avif", image, {}))
    return [(kind, _saved(kind, image, options)) for kind, image, options in forms]


def mutant(number: int, sources: list[tuple[str, bytes]]) -> bytes:
    """The file of this number: one of the sources with one to eight changes, PNG checksums mended in half of them."""
    generator = np.random.default_rng(number)
    kind, data = sources[int(generator.integers(len(sources)))]
    for _ in range(int(generator.integers(1, 9))):
        data = _changed(data, generator)
    return _with_checksums(data) if kind in CHUNKED and generator.random() < 0.5 else data


def _saved(kind: str, image: Image.Image, options: dict[str, object]) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _changed(data: bytes, generator: np.random.Generator) -> bytes:
    """The bytes with a bit turned, a number made extreme, or a part zeroed, removed, repeated or moved."""
    if not data:
        return data
    at = int(generator.integers(min(len(data), 64) if generator.random() < 0.4 else len(data)))
    length = int(generator.integers(1, 40))
    part = data[at : at + length]
    choice = int(generator.integers(7))
    if choice == 0:
        return data[:at] + bytes([data[at] ^ 1 << int(generator.integers(8))]) + data[at + 1 :]
    if choice == 1:
        extreme = int(generator.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF]))
        order = ">" if generator.random() < 0.5 else "<"
        return data[:at] + struct.pack(f"{order}I", extreme) + data[at + 4 :]
    if choice == 2:
        return data[:at] + bytes(len(part)) + data[at + length :]
    if choice == 3:
        return data[:at] + data[at + length :]
    if choice == 4:
        return data[: at + length] + part * int(generator.integers(1, 20)) + data[at + length :]
    if choice == 5:
        return data[:at]
    to = int(generator.integers(len(data)))
    return data[:to] + part + data[to:]


def _with_checksums(data: bytes) -> bytes:
    """A PNG with the right checksum in every chunk, so that a mutant is read beyond them."""
    pieces, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4])
        if end > len(data):
            break
        body = data[place + 4 : end - 4]
        pieces.append(data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body)))
        place = end
    return b"".join([*pieces, data[place:]])
