"""Size, orientation and first frames: what a person sees is what is decoded."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from shamisa_cli.core.errors import ImageError
from shamisa_cli.core.images import decode

ORIENTATION = 0x0112
STORED_AS = {
    # what a camera stores, for each orientation, so that the picture comes out upright (EXIF 2.3, figure)
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def scenery(width: int = 60, height: int = 40, seed: int = 5) -> np.ndarray:
    """A smooth picture without any symmetry."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("view_size", [None, 30])
def test_a_turned_picture_equals_the_upright_one(
    orientation: int, suffix: str, view_size: int | None, tmp_path: Path
) -> None:
    upright = scenery()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    lossless = {".webp": {"lossless": True}, ".jpg": {"quality": 100, "subsampling": 0}}.get(suffix, {})
    stored = save(tmp_path / f"turned{suffix}", STORED_AS[orientation](upright), exif=exif, **lossless)
    picture = decode(stored, view_size=view_size)
    reference = decode(save(tmp_path / "upright.png", upright), view_size=view_size)
    assert (picture.width, picture.height) == (60, 40)
    assert picture.pixels.shape == reference.pixels.shape
    difference = np.abs(picture.pixels.astype(int) - reference.pixels)
    assert difference.max() <= (4 if suffix == ".jpg" else 1 if view_size else 0)


def test_pixels_are_contiguous_bytes_that_may_be_written(tmp_path: Path) -> None:
    pixels = decode(save(tmp_path / "a.png", scenery())).pixels
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@pytest.mark.parametrize(
    ("size", "view_size", "expected"),
    [
        ((60, 40), 30, (30, 20)),
        ((40, 60), 30, (20, 30)),
        ((60, 40), 60, (60, 40)),
        ((60, 40), 500, (60, 40)),
        ((100, 67), 50, (50, 34)),
        ((3000, 1), 10, (80, 1)),  # beyond 4:1 the long side is read at more, up to eight times
        ((1, 1), 1, (1, 1)),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_long_side_is_the_view_and_pictures_are_never_enlarged(
    size: tuple[int, int], view_size: int, expected: tuple[int, int], suffix: str, tmp_path: Path
) -> None:
    picture = decode(save(tmp_path / f"a{suffix}", scenery(*size)), view_size=view_size)
    assert picture.pixels.shape == (expected[1], expected[0], 3)
    assert (picture.width, picture.height) == size


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_reducing_averages_fine_detail_instead_of_picking_pixels(suffix: str, tmp_path: Path) -> None:
    board = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    inner = decode(save(tmp_path / f"board{suffix}", board), view_size=32).pixels[2:-2, 2:-2]
    assert np.abs(inner.astype(float) - 127.5).max() <= 2


@pytest.mark.parametrize("size", [(1001, 667), (1023, 515), (999, 1201)])
def test_reduced_decoding_of_a_jpeg_shifts_nothing(size: tuple[int, int], tmp_path: Path) -> None:
    jpeg = save(tmp_path / "a.jpg", scenery(*size), quality=95)
    with Image.open(jpeg) as image:
        image.load()
        lossless = tmp_path / "a.png"
        image.save(lossless)
    fast, slow = decode(jpeg, view_size=96).pixels, decode(lossless, view_size=96).pixels
    assert np.abs(fast.astype(float) - slow).mean() < 0.5


def test_reduced_decoding_of_real_photographs_stays_within_one_grey_level(development_data: Path) -> None:
    photographs = sorted((development_data / "large").glob("*.jpg"))
    if not photographs:
        pytest.skip("no large photographs beside this checkout")
    for photograph in photographs:
        fast = decode(photograph, view_size=512).pixels
        with Image.open(photograph) as image:
            slow = image.convert("RGB").resize(fast.shape[1::-1], Image.Resampling.BICUBIC)
        assert np.abs(fast.astype(float) - np.asarray(slow)).mean() < 1


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif", ".png", ".mpo"])
def test_only_the_first_frame_is_read(suffix: str, tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (20, 10), (255, 0, 0)), Image.new("RGB", (20, 10), (0, 0, 255))
    path = tmp_path / f"frames{suffix}"
    red.save(path, save_all=True, append_images=[blue])
    pixels = decode(path).pixels
    assert pixels.shape == (10, 20, 3)
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize("view_size", [None, 30])
@pytest.mark.parametrize("suffix", [".bmp", ".webp", ".avif", ".tif"])
def test_other_formats_decode(suffix: str, view_size: int | None, tmp_path: Path) -> None:
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    upright = scenery()
    quality = {".webp": {"quality": 95}, ".avif": {"quality": 95}, ".tif": {"compression": "tiff_lzw"}}
    path = save(tmp_path / f"a{suffix}", upright, **quality.get(suffix, {}))
    reference = decode(save(tmp_path / "a.png", upright), view_size=view_size)
    assert np.abs(decode(path, view_size=view_size).pixels.astype(float) - reference.pixels).mean() < 3


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    save(tmp_path / "a.png", scenery())
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert (decode(tmp_path / "a.jpg").pixels == scenery()).all()


def test_heic_is_read_upright_where_its_reader_is_installed_and_pillow_stays_as_it_was(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stored = STORED_AS[6](scenery())
    with (tmp_path / "a.heic").open("wb") as stream:
        options = {"quality": 95, "chroma": 444, "exif": exif.tobytes()}
        pillow_heif.encode("RGB", stored.shape[1::-1], stored.tobytes(), stream, **options)
    known = set(Image.OPEN)
    picture = decode(tmp_path / "a.heic")
    assert (picture.width, picture.height) == (60, 40)
    assert np.abs(picture.pixels.astype(float) - scenery()).mean() < 2
    assert set(Image.OPEN) == known


def test_heic_without_its_reader_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(ImageError) as caught:
        decode(path)
    assert caught.value.kind == "unsupported"
    assert "pip install 'shamisa[heic]'" in str(caught.value)


def test_too_many_pixels_are_refused_with_both_numbers(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", scenery(60, 40))
    assert decode(path, max_pixels=2400).pixels.shape == (40, 60, 3)
    with pytest.raises(ImageError, match="limit on pixels") as caught:
        decode(path, max_pixels=2399)
    assert caught.value.kind == "too-large"
    assert "2400" in str(caught.value)
    assert "2399" in str(caught.value)


def test_the_limit_on_pixels_is_ours_and_not_the_one_of_the_host_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.png", scenery(60, 40))
    for limit in (1300, 100):  # Pillow would warn at the first and refuse at the second
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert decode(path).width == 60
        assert limit == Image.MAX_IMAGE_PIXELS


def test_a_folder_among_pictures_says_what_it_lacks(tmp_path: Path) -> None:
    """Someone who named a folder without pictures did not take it for a picture."""
    with pytest.raises(ImageError, match=f"^No picture was found in the folder {tmp_path}: "):
        decode(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ImageError, match=r"^No picture was found in the folder "):
        decode(tmp_path)
    save(tmp_path / "a.png", scenery())
    with pytest.raises(ImageError, match="is a folder, where a picture was expected"):
        decode(tmp_path)
