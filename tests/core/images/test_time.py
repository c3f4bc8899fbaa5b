"""No small file takes long to decode: a limit on time, on passes over a picture and on its parts."""

from __future__ import annotations

import struct
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.errors import ImageError
from shamisa_cli.core.images import clock, decode, decoding, jpeg


def encoded(kind: str, side: int = 400, **options: object) -> bytes:
    noise = np.random.default_rng(3).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = BytesIO()
    Image.fromarray(noise).save(stream, kind, **options)
    return stream.getvalue()


def with_repeated_scan(data: bytes, times: int) -> bytes:
    """A progressive JPEG whose second scan comes so often."""
    begin = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    end = min(data.index(marker, begin + 2) for marker in (b"\xff\xda", b"\xff\xc4"))
    return data[:begin] + data[begin:end] * times + data[end:]


@pytest.mark.parametrize(("kind", "options"), [("jpeg", {"progressive": True}), ("png", {})])
def test_a_picture_that_takes_too_long_is_refused_and_the_limit_is_said(
    monkeypatch: pytest.MonkeyPatch, kind: str, options: dict[str, object]
) -> None:
    data = encoded(kind, **options)
    assert decode("a", content=data).width == 400
    monkeypatch.setattr(clock, "SECONDS", 0.0)
    monkeypatch.setattr(clock, "SECONDS_PER_MEGAPIXEL", 0.0)
    with pytest.raises(ImageError, match="a takes more than 0 s to decode") as refused:
        decode("a", content=data)
    assert refused.value.kind == "too-large"


def test_a_large_png_in_strips_is_timed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_LARGE", 1000)
    monkeypatch.setattr(clock, "SECONDS", 0.0)
    monkeypatch.setattr(clock, "SECONDS_PER_MEGAPIXEL", 0.0)
    with pytest.raises(ImageError, match="takes more than 0 s to decode"):
        decode("a.png", content=encoded("png"), view_size=20)


def test_repeated_scans_are_counted_and_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded("jpeg", progressive=True, quality=10)
    with pytest.raises(ImageError, match="more than 100 scans"):
        decode("a.jpg", content=with_repeated_scan(data, 200))
    monkeypatch.setattr(jpeg, "MAX_SCANS", 10_000)
    monkeypatch.setattr(clock, "SECONDS", 0.02)
    monkeypatch.setattr(clock, "SECONDS_PER_MEGAPIXEL", 0.0)
    with pytest.raises(ImageError, match="to decode"):
        decode("a.jpg", content=with_repeated_scan(data, 9000))


def tiff_of_frames(count: int) -> bytes:
    """A TIFF of so many frames of one grey pixel, the first of them a reduced copy."""
    tags = [(254, 4, 1, 1), (256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8)]
    tags += [(277, 3, 1, 1), (278, 3, 1, 1), (279, 4, 1, 1)]
    body, length = bytearray(), 2 + 12 * len(tags) + 4
    for number in range(count):
        following = 12 + (number + 1) * length if number + 1 < count else 0
        entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
        body += struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 12) + b"\x80\0\0\0" + bytes(body)


def test_a_tiff_of_thousands_of_frames_is_not_walked_to_its_end() -> None:
    data = tiff_of_frames(20_000)
    begun = time.thread_time()
    assert decode("a.tif", content=data).width == 1
    assert time.thread_time() - begun < 2


def test_a_png_of_endless_chunks_is_refused() -> None:
    data = encoded("png", side=8)
    end = data.index(b"IDAT") - 4
    empty = b"\0\0\0\0IDAT\x35\xaf\x06\x1e"
    with pytest.raises(ImageError, match="more than 500,000 chunks"):
        decode("a.png", content=data[:end] + empty * 600_000 + data[end:])
