"""Camera files: the full picture is read, never a small copy of it."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.tiffs import SHORT, directory, long, short, strip, write_dng
from PIL import Image

from shamisa_cli.core.errors import ImageError
from shamisa_cli.core.images import decode, memory, raw
from shamisa_cli.core.images.budget import MemoryBudget


def test_a_raw_file_without_a_large_preview_is_developed_at_half_size_and_keeps_its_size(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    ramp = np.broadcast_to(np.linspace(0, 60_000, 600), (400, 600))
    picture = decode(write_dng(tmp_path / "a.dng", ramp))
    assert (picture.width, picture.height) == (600, 400)
    assert picture.pixels.shape == (200, 300, 3)
    assert picture.pixels[:, :20].max() < 100 < 200 < picture.pixels[:, -5:].min()  # the thumbnail is white


def test_the_full_size_preview_of_a_raw_file_is_read_and_a_small_one_is_not(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")

    def jpeg(width: int, height: int) -> bytes:
        stream = io.BytesIO()
        Image.new("RGB", (width, height), (200, 30, 30)).save(stream, "JPEG", quality=95)
        return stream.getvalue()

    mosaic = np.full((400, 600), 20_000)
    full = decode(write_dng(tmp_path / "full.dng", mosaic, jpeg(600, 400)))
    assert full.pixels.shape == (400, 600, 3)
    assert np.abs(full.pixels[200, 300].astype(int) - (200, 30, 30)).max() < 6
    small = decode(write_dng(tmp_path / "small.dng", mosaic, jpeg(160, 120)))
    assert small.pixels.shape == (200, 300, 3)


def test_a_raw_file_without_its_reader_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    fuji = tmp_path / "a.raf"
    fuji.write_bytes(b"FUJIFILMCCD-RAW " + bytes(500))
    for path in (write_dng(tmp_path / "a.dng", np.full((40, 60), 9)), fuji):
        with pytest.raises(ImageError, match=r"pip install 'shamisa\[raw\]'") as caught:
            decode(path)
        assert caught.value.kind == "unsupported"


def test_a_raw_file_with_too_many_pixels_is_refused_before_it_is_developed(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(ImageError) as caught:
        decode(write_dng(tmp_path / "a.dng", np.full((400, 600), 20_000)), max_pixels=200_000)
    assert caught.value.kind == "too-large"


@pytest.mark.parametrize("keep", [40, 500, 100_000])
def test_a_cut_raw_file_is_an_error_row(tmp_path: Path, keep: int) -> None:
    pytest.importorskip("rawpy")
    path = write_dng(tmp_path / "a.dng", np.full((400, 600), 20_000))
    path.write_bytes(path.read_bytes()[-keep:])
    with pytest.raises(ImageError):
        decode(path)


def test_of_a_tiff_with_a_small_copy_first_the_full_picture_is_read(tmp_path: Path) -> None:
    from PIL import TiffImagePlugin

    reduced = TiffImagePlugin.ImageFileDirectory_v2()
    reduced[254] = 1
    small, full = Image.new("RGB", (30, 20), "red"), Image.new("RGB", (300, 200), "blue")
    full.encoderinfo = {"tiffinfo": TiffImagePlugin.ImageFileDirectory_v2()}
    small.save(tmp_path / "a.tif", tiffinfo=reduced, save_all=True, append_images=[full])
    picture = decode(tmp_path / "a.tif")
    assert (picture.width, picture.height) == (300, 200)
    assert picture.pixels[0, 0].tolist() == [0, 0, 255]


def test_jpeg_xl_is_read_where_its_reader_is_installed(tmp_path: Path) -> None:
    pillow_jxl = pytest.importorskip("pillow_jxl")
    assert pillow_jxl
    Image.new("RGB", (30, 20), (10, 200, 90)).save(tmp_path / "a.jxl", lossless=True)
    assert decode(tmp_path / "a.jxl").pixels[10, 10].tolist() == [10, 200, 90]


def test_jpeg_xl_without_its_reader_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_jxl.JpegXLImagePlugin", None)
    for head in (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"):
        (tmp_path / "a.jxl").write_bytes(head + bytes(100))
        with pytest.raises(ImageError, match=r"pip install 'shamisa\[jxl\]'"):
            decode(tmp_path / "a.jxl")


def test_float_colour_and_twelve_bit_jpeg_are_unsupported_rather_than_damaged(tmp_path: Path) -> None:
    floats = np.zeros((8, 8, 3), "<f4").tobytes()
    tags = [
        (258, SHORT, 3, short(32, 32, 32)),
        (262, SHORT, 1, short(2)),
        (339, SHORT, 3, short(3, 3, 3)),
        *strip(8, 8, 8, floats, compression=1, samples=3),
    ]
    (tmp_path / "float.tif").write_bytes(b"II*\0" + long(8 + len(floats)) + floats + directory(8 + len(floats), tags))
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG")
    jpeg = bytearray(stream.getvalue())
    jpeg[jpeg.index(b"\xff\xc0") + 4] = 12
    (tmp_path / "deep.jpg").write_bytes(jpeg)
    for name in ("float.tif", "deep.jpg"):
        with pytest.raises(ImageError, match="Save it again") as caught:
            decode(tmp_path / name)
        assert caught.value.kind == "unsupported", name


def test_without_its_reader_a_raw_file_has_no_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert raw.preview_of(io.BytesIO(b"IIRO")) is None


@pytest.mark.parametrize(
    ("shape", "said", "needed"), [((400, 600), 32803, 2), ((400, 600, 3), 34892, 8), ((400, 600, 3), 32803, 8)]
)
def test_a_raw_file_is_developed_only_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], said: int, needed: int
) -> None:
    pytest.importorskip("rawpy")
    path = write_dng(tmp_path / "a.dng", np.full(shape, 20_000))
    assert decode(path).width == 600
    before = struct.pack("<HHIH", 262, SHORT, 1, 34892 if len(shape) == 3 else 32803)
    path.write_bytes(path.read_bytes().replace(before, struct.pack("<HHIH", 262, SHORT, 1, said)))
    monkeypatch.setattr(memory, "DECODING", MemoryBudget(1_000_000))
    monkeypatch.setattr(raw, "_developed", lambda *_: pytest.fail("it was developed"))
    with pytest.raises(ImageError, match=rf"needs some {needed} MB to decode \(600×400\), more than the 1 MB"):
        decode(path)
