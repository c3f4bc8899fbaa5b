"""JPEG XL: limits before anything is decoded, the codestream's orientation, and metadata of every kind of box."""

from __future__ import annotations

import base64
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from shamisa_cli.core.errors import ImageError
from shamisa_cli.core.images import decode, jxl
from shamisa_cli.core.images.budget import DECODING
from shamisa_cli.core.images.formats import open_image
from shamisa_cli.core.images.in_memory import in_memory
from shamisa_cli.core.images.jxl import CONTAINER, LARGEST_METADATA, JxlFile, is_animation, size_of
from shamisa_cli.core.images.metadata import Metadata, read_metadata

pytest.importorskip("pillow_jxl.JpegXLImagePlugin")
brotli = pytest.importorskip("brotli")

TURNED = base64.b64decode("/woBhAViAggAAQCMAEsSxYIFUiAf8WLwdvFicF6MukAIAK/in3xA3f+fgOfAAgoP")
"""A codestream of 24×8 pixels, blue at the left and red at the right, whose header says to turn it by 90°."""
BLUE, RED = (20, 90, 220), (200, 30, 30)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def container(*boxes: bytes) -> bytes:
    return CONTAINER + box(b"ftyp", b"jxl \0\0\0\0jxl ") + b"".join(boxes)


def exif(**tags: int) -> bytes:
    found = Image.Exif()
    for name, value in tags.items():
        found[{"rating": 0x4746, "orientation": 0x0112}[name]] = value
    return found.tobytes().removeprefix(b"Exif\0\0")


def saved(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JXL", effort=1, **options)
    return stream.getvalue()


@given(width=st.integers(1, 900), height=st.integers(1, 900))
@example(1, 1)
@example(256, 256)
@example(600, 400)
@example(1600, 900)
@example(1, 9000)
@settings(max_examples=30, deadline=None)
def test_the_size_is_that_of_the_encoder(width: int, height: int) -> None:
    assert size_of(io.BytesIO(saved(Image.new("L", (width, height)), lossless=True))) == (width, height)


@given(st.integers(1, 2**30), st.integers(1, 2**30))
def test_every_size_that_a_header_can_hold_is_read(width: int, height: int) -> None:
    bits = "0" + length_bits(height) + "000" + length_bits(width)
    head = int(bits[::-1], 2).to_bytes(12, "little")
    assert size_of(io.BytesIO(b"\xff\x0a" + head)) == (width, height)


def length_bits(length: int) -> str:
    """The bits of a length, the lowest first."""
    choice = next(place for place, count in enumerate((9, 13, 18, 30)) if length - 1 < 2**count)
    number = f"{length - 1:0{(9, 13, 18, 30)[choice]}b}"
    return f"{choice:02b}"[::-1] + number[::-1]


def test_a_codestream_may_lie_in_parts_of_few_bytes() -> None:
    parts = [box(b"jxlp", struct.pack(">I", place) + TURNED[place : place + 1]) for place in range(len(TURNED) - 1)] + [
        box(b"jxlp", struct.pack(">I", 0x8000_0000 | len(TURNED) - 1) + TURNED[-1:])
    ]
    content = container(*parts)
    assert size_of(io.BytesIO(content)) == (24, 8)
    assert decode("a.jxl", content=content).pixels.shape == (24, 8, 3)
    for begun in range(len(TURNED)):
        mixed = container(box(b"jxlp", bytes(4) + TURNED[:begun]), box(b"jxlc", TURNED[begun:]))
        assert size_of(io.BytesIO(mixed)) == (24, 8)


@pytest.mark.parametrize("content", [b"\xff\x0a", container(), container(box(b"jxlp", b"\0\0"))])
def test_a_header_that_is_cut_is_told(content: bytes) -> None:
    with pytest.raises(ImageError, match="its header is cut short"):
        decode("a.jxl", content=content)


def test_both_limits_are_held_before_anything_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pillow_jxl import JpegXLImagePlugin

    (tmp_path / "a.jxl").write_bytes(saved(Image.new("RGB", (3000, 2000)), lossless=True))
    monkeypatch.setattr(JpegXLImagePlugin, "JXLImageFile", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(ImageError, match="has 6000000 pixels"):
        decode(tmp_path / "a.jxl", max_pixels=1_000_000)
    limit = DECODING._limit
    DECODING.set_limit(20_000_000)
    try:
        with pytest.raises(ImageError, match="more than the 20 MB that pictures may take together"):
            decode(tmp_path / "a.jxl")
    finally:
        DECODING.set_limit(limit)
    assert read_metadata(tmp_path / "a.jxl") == Metadata()


def test_a_picture_of_another_size_than_its_header_says_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JxlFile, "size", property(lambda self: getattr(self, "_size", (0, 0))))
    image = JxlFile(io.BytesIO(TURNED))
    image._size = (24, 9)
    with pytest.raises(OSError, match="another size"):
        image.load()


@pytest.mark.parametrize("orientation", [None, 1, 3, 6])
def test_the_codestreams_orientation_counts_and_that_of_exif_does_not(orientation: int | None) -> None:
    data = b"" if orientation is None else box(b"Exif", bytes(4) + exif(orientation=orientation))
    picture = decode("a.jxl", content=container(data, box(b"jxlc", TURNED)), look=True)
    assert (picture.width, picture.height) == (8, 24)
    assert picture.pixels[3, 4].tolist() == list(BLUE)
    assert picture.pixels[20, 4].tolist() == list(RED)
    with Image.open(io.BytesIO(container(data, box(b"jxlc", TURNED)))) as opened:
        content = in_memory("a", opened).content
    np.testing.assert_array_equal(decode("a", content=content).pixels, picture.pixels)


def test_a_turned_jpeg_that_was_packed_without_loss_is_as_it_was(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (5, 9, 3), dtype=np.uint8)
    jpeg = Image.fromarray(noise).resize((90, 50))
    turned = Image.Exif()
    turned[0x0112] = 6
    jpeg.save(tmp_path / "a.jpg", exif=turned)
    with Image.open(tmp_path / "a.jpg") as image:
        image.save(tmp_path / "a.jxl", lossless_jpeg=True)
    before, after = decode(tmp_path / "a.jpg"), decode(tmp_path / "a.jxl")
    assert (after.width, after.height) == (50, 90)
    np.testing.assert_array_equal(before.pixels, after.pixels)


PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">...</x:xmpmeta>'


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("offset", [b"", bytes(4), b"\0\0\0\6Exif\0\0"])
def test_metadata_are_read_from_plain_and_packed_boxes(tmp_path: Path, packed: bool, offset: bytes) -> None:
    found = {b"Exif": offset + exif(rating=4), b"xml ": PACKET}
    boxes = [
        box(b"brob", kind + brotli.compress(content)) if packed else box(kind, content)
        for kind, content in found.items()
    ]
    for place, parts in enumerate(([*boxes, box(b"jxlc", TURNED)], [box(b"jxlc", TURNED), *boxes])):
        (tmp_path / f"{place}.jxl").write_bytes(container(*parts))
        metadata = read_metadata(tmp_path / f"{place}.jxl")
        assert (metadata.rating, metadata.xmp) == (4, PACKET)
        assert decode(tmp_path / f"{place}.jxl").height == 24


@pytest.mark.parametrize(
    "odd",
    [
        box(b"brob", b"xml not packed"),
        box(b"brob", b""),
        box(b"Exif", b""),
        box(b"Exif", b"\xff" * 9),
    ],
    ids=["not packed", "nothing", "no EXIF", "an offset beyond the end"],
)
def test_odd_metadata_are_none(tmp_path: Path, odd: bytes) -> None:
    (tmp_path / "a.jxl").write_bytes(container(odd, box(b"jxlc", TURNED)))
    assert read_metadata(tmp_path / "a.jxl") == Metadata()
    if not odd.startswith(b"brob", 4):  # the decoder refuses those
        assert decode(tmp_path / "a.jxl").height == 24


def test_of_endless_metadata_the_first_part_is_read(tmp_path: Path) -> None:
    bomb = brotli.compress(PACKET + bytes(4 * LARGEST_METADATA))
    (tmp_path / "a.jxl").write_bytes(container(box(b"brob", b"xml " + bomb), box(b"jxlc", TURNED)))
    found = read_metadata(tmp_path / "a.jxl").xmp
    assert found.startswith(PACKET)
    assert len(found) < 1.1 * LARGEST_METADATA


def test_of_many_packed_boxes_of_a_kind_one_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = box(b"brob", b"xml " + brotli.compress(bytes(4 * LARGEST_METADATA)))
    (tmp_path / "a.jxl").write_bytes(container(*[bomb] * 900, box(b"jxlc", TURNED)))
    unpacked = []
    monkeypatch.setattr(jxl, "_unpacked", lambda packed: unpacked.append(packed) or b"")
    assert read_metadata(tmp_path / "a.jxl") == Metadata()
    assert len(unpacked) == 1


def test_it_is_as_other_pictures_are_once_it_is_decoded() -> None:
    with open_image("a.jxl", io.BytesIO(TURNED)) as image:
        assert (image.format, image.size) == ("JXL", (24, 8))
        assert np.asarray(image).shape == (24, 8, 3)
        assert image.size == (8, 24)
        assert image.resize((4, 12)).getpixel((1, 2)) == BLUE


TWO_PICTURES = base64.b64decode("/wpBBE0AICYIBAEAPABLGIsVgF3U/wAYkq6aQAIIBAUAOABLGIsVgJXqfwAMplpNOA==")
"""Of 8 × 8 pixels, of level 200 and of level 30, from libjxl's encoder."""


def test_an_animation_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "a.jxl").write_bytes(TWO_PICTURES)
    decoded = decode(tmp_path / "a.jxl")
    assert decoded.pixels.mean() == 30
    assert decoded.warnings == ("is an animation, of which only the last picture is read",)


@pytest.mark.parametrize(
    ("bits", "animated"),
    [
        ("1", False),
        ("00", False),
        ("01" "000" "0" "0" "0", False),
        ("01" "111" "0" "0" "1", True),
        ("01" "000" "1" "1" "00000" "100" "0" "1", True),  # to be shown at a size of its own
        ("01" "000" "0" "1" "1" "00" "100" "1", True),  # with a preview of eighths, of a ratio
        ("01" "000" "0" "1" "0" "01" "1111111111" "000" "00" "111111" "1", True),
    ],
)  # fmt: skip
def test_the_flag_of_an_animation_is_found_behind_rare_fields(bits: str, animated: bool) -> None:
    header = "1" + "00000" + "100" + bits  # a small height, and a square
    padded = header + "0" * (-len(header) % 8)
    content = bytes(int(padded[place : place + 8][::-1], 2) for place in range(0, len(padded), 8))
    assert is_animation(io.BytesIO(b"\xff\x0a" + content + bytes(2))) == animated
