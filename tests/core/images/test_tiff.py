"""TIFF files whose samples are stored in ways that few programs write, and few read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import shamisa_cli as shamisa

PHOTO = Path(__file__).parents[3] / "examples" / "photos" / "coffee.jpg"
RGB, CMYK, GREY = 2, 5, 1
UNSIGNED, SIGNED = 1, 2


def write_planes(
    path: Path, planes: np.ndarray, kind: int, *, order: str = "<", rows: int = 0, sign: int = UNSIGNED
) -> Path:
    """An uncompressed TIFF of planes (C, H, W), each in strips of so many rows, or in one."""
    count, height, width = planes.shape
    rows = rows or height
    stored = planes.astype(planes.dtype.newbyteorder(order))  # type: ignore[arg-type]
    strips = [plane[top : top + rows].tobytes() for plane in stored for top in range(0, height, rows)]
    places = np.cumsum([8, *map(len, strips)])
    bits, short, long = 8 * planes.dtype.itemsize, 3, 4
    tags: list[tuple[int, int, list[int]]] = [
        (256, long, [width]), (257, long, [height]), (258, short, [bits] * count), (259, short, [1]),
        (262, short, [kind]),        (273, long, places[:-1].tolist()), (277, short, [count]), (278, long, [rows]),
        (279, long, [len(strip) for strip in strips]), (284, short, [2]),
        *([(338, short, [2])] if kind == RGB and count == 4 else []), (339, short, [sign] * count),
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


@pytest.mark.parametrize(
    ("kind", "count", "dtype", "sign"), [(CMYK, 4, np.uint16, UNSIGNED), (GREY, 1, np.int8, SIGNED)]
)
def test_samples_that_would_be_read_wrongly_are_refused(
    tmp_path: Path, kind: int, count: int, dtype: type, sign: int
) -> None:
    file = write_planes(tmp_path / "a.tif", np.zeros((count, 40, 60), dtype), kind, sign=sign)
    (record,) = shamisa.score([file])
    assert record.error is not None
    assert record.error.kind == "unsupported"
