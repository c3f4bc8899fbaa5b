"""TIFF files whose samples are stored in ways that few programs write, and few read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import shamisa_cli as shamisa

PHOTO = Path(__file__).parents[3] / "examples" / "photos" / "coffee.jpg"
RGB, CMYK, YCBCR, GREY, INVERTED_GREY = 2, 5, 6, 1, 0
UNSIGNED, SIGNED, FLOAT = 1, 2, 3


def write_planes(
    path: Path,
    planes: np.ndarray,
    kind: int,
    *,
    order: str = "<",
    rows: int = 0,
    sign: int = UNSIGNED,
    is_compressed: bool = False,
    more: tuple[tuple[int, int, list[int]], ...] = (),
) -> Path:
    """A TIFF of planes (C, H, W), each in strips of so many rows, or in one; `more` tags are of the highest numbers."""
    count, height, width = planes.shape
    rows = rows or height
    stored = planes.astype(planes.dtype.newbyteorder(order))  # type: ignore[arg-type]
    strips = [plane[top : top + rows].tobytes() for plane in stored for top in range(0, height, rows)]
    if is_compressed:
        strips = [*map(zlib.compress, strips)]
    places = np.cumsum([8, *map(len, strips)])
    bits, short, long = 8 * planes.dtype.itemsize, 3, 4
    extra = {(RGB, 4): [2], (GREY, 2): [2], (RGB, 5): [0, 0]}.get((kind, count))
    compression = 8 if is_compressed else 1
    tags: list[tuple[int, int, list[int]]] = [
        (256, long, [width]), (257, long, [height]), (258, short, [bits] * count), (259, short, [compression]),
        (262, short, [kind]),        (273, long, places[:-1].tolist()), (277, short, [count]), (278, long, [rows]),
        (279, long, [len(strip) for strip in strips]), (284, short, [2]),
        *([(338, short, extra)] if extra else []), (339, short, [sign] * count), *more,
    ]  # fmt: skip
    after = int(places[-1]) + 2 + 12 * len(tags) + 4
    entries, longer = b"", b""
    for number, size, values in tags:
        packed = struct.pack(f"{order}{len(values)}{'H' if size == short else 'I'}", *values)
        if len(packed) > 4:
            entries += struct.pack(f"{order}HHII", number, size, len(values), after + len(longer))
            longer += packed
        else:
            entries += struct.pack(f"{order}HHI", number, size, len(values)) + packed.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", int(places[-1]))
    count_of_tags = struct.pack(f"{order}H", len(tags))
    path.write_bytes(head + b"".join(strips) + count_of_tags + entries + struct.pack(f"{order}I", 0) + longer)
    return path


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    with Image.open(PHOTO) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("rows", [0, 7, 64])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("is_opaque", [False, True])
def test_colours_in_planes_of_their_own_are_those_of_the_picture(
    tmp_path: Path, pixels: np.ndarray, order: str, rows: int, bits: int, is_opaque: bool
) -> None:
    planes = pixels.transpose(2, 0, 1)
    if is_opaque:
        planes = np.concatenate([planes, np.full_like(planes[:1], 255)])
    if bits == 16:
        planes = planes.astype(np.uint16) * 256 + 37
    decoded = shamisa.decode(write_planes(tmp_path / "a.tif", planes, RGB, order=order, rows=rows))
    assert np.array_equal(decoded.pixels, pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("kind", [GREY, INVERTED_GREY])
def test_greys_of_32_bits_are_those_of_the_picture_in_either_byte_order(
    tmp_path: Path, pixels: np.ndarray, order: str, is_compressed: bool, kind: int
) -> None:
    grey = pixels[..., 1]
    floats = (grey if kind == GREY else 255 - grey)[None].astype(np.float32) / 255
    of_floats = write_planes(tmp_path / "a.tif", floats, kind, order=order, sign=FLOAT, is_compressed=is_compressed)
    assert np.array_equal(shamisa.decode(of_floats).pixels[..., 0], grey)
    if kind == GREY:  # Pillow reads no others of integers
        whole = (grey[None].astype(np.int64) * (2**31 // 255)).astype(np.int32)
        of_integers = write_planes(
            tmp_path / "b.tif", whole, kind, order=order, sign=SIGNED, is_compressed=is_compressed
        )
        expected = write_planes(tmp_path / "c.tif", whole, kind, sign=SIGNED)
        assert np.array_equal(shamisa.decode(of_integers).pixels, shamisa.decode(expected).pixels)
        assert np.corrcoef(shamisa.decode(expected).pixels[..., 0].ravel(), grey.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(
    ("kind", "count", "dtype", "sign", "is_compressed"),
    [
        (CMYK, 4, np.uint16, UNSIGNED, False),
        (RGB, 5, np.uint8, UNSIGNED, False),
        (GREY, 1, np.int8, SIGNED, False),
        (GREY, 1, np.int8, SIGNED, True),
        (GREY, 2, np.uint8, UNSIGNED, False),
        (GREY, 2, np.uint8, UNSIGNED, True),
        (YCBCR, 3, np.uint8, UNSIGNED, False),
    ],
)
def test_samples_that_would_be_read_wrongly_are_refused(
    tmp_path: Path, kind: int, count: int, dtype: type, sign: int, is_compressed: bool
) -> None:
    more = ((530, 3, [2, 2]),) if kind == YCBCR else ()
    planes = np.zeros((count, 40, 60), dtype)
    file = write_planes(tmp_path / "a.tif", planes, kind, sign=sign, is_compressed=is_compressed, more=more)
    (record,) = shamisa.score([file])
    assert record.error is not None
    assert record.error.kind == "unsupported"


def test_a_kind_of_tiff_that_is_not_read_is_not_called_damaged(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    file.write_bytes(b"MM\0+" + struct.pack(">HHQQ", 8, 0, 16, 0) + bytes(64))
    with pytest.raises(shamisa.ImageError, match="BigTIFF in big-endian order is not supported") as refused:
        shamisa.decode(file)
    assert refused.value.kind == "unsupported"
