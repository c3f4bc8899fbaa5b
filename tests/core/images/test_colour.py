"""Colours of every kind of file are decoded to the 8-bit sRGB a person would see."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from shamisa_cli.core.images import decode

ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
"""Columns: the primaries in CIE XYZ relative to D50, from the published specifications."""


def profile(space: bytes, pcs: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal version 2 ICC profile (ICC.1:2001-04, sections 6.1 and 6.2)."""
    tags = {b"desc": b"desc" + struct.pack(">4xI", 2) + b"t\0" + bytes(78), b"cprt": b"text\0\0\0\0none\0", **tags}
    tags[b"wtpt"] = xyz(0.9642, 1.0, 0.8249)
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s12x4s", start + len(body), b"none", 0x02400000, kind, space, pcs, b"acsp")
    return header.ljust(68, b"\0") + xyz(0.9642, 1.0, 0.8249)[8:] + bytes(48) + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def adobe_rgb() -> bytes:
    curves = {name: gamma(563 / 256) for name in (b"rTRC", b"gTRC", b"bTRC")}
    primaries = {name: xyz(*ADOBE_RGB[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return profile(b"RGB ", b"XYZ ", b"mntr", curves | primaries)


def grey_inks() -> bytes:
    """A CMYK profile in which cyan prints as a middle grey (L* = 50), black as black, and the others not at all."""
    identity = bytes(range(256))
    lightness = [0 if node % 2 else 128 if node >= 8 else 255 for node in range(16)]  # the first ink varies slowest
    nodes = b"".join(bytes([value, 128, 128]) for value in lightness)
    matrix = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + identity * 4 + nodes + identity * 3
    return profile(b"CMYK", b"Lab ", b"prtr", {b"A2B0": table})


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def plain(mode: str, colour: object, size: tuple[int, int] = (20, 10)) -> Image.Image:
    return Image.new(mode, size, colour)


def colour_of(path: Path, *, view_size: int | None = None) -> list[int]:
    pixels = decode(path, view_size=view_size).pixels
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0].tolist()


def test_adobe_rgb_is_converted(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=adobe_rgb())
    linear = (colours / 255) ** (563 / 256) @ ADOBE_RGB.T @ np.linalg.inv(SRGB).T
    difference = np.abs(decode(tmp_path / "a.png").pixels - srgb_encoded(linear))
    assert difference.mean() < 0.5
    assert difference.max() <= 3


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_the_profile_is_found_in_every_format_and_at_every_size(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    plain("RGB", (100, 200, 100), (64, 64)).save(path, icc_profile=adobe_rgb())
    expected = srgb_encoded(np.linalg.inv(SRGB) @ ADOBE_RGB @ (np.array([100, 200, 100]) / 255) ** (563 / 256))
    for view_size in (None, 16):
        assert np.abs(np.array(colour_of(path, view_size=view_size)) - expected).max() <= 3


def test_a_palette_and_a_grey_picture_follow_a_colour_profile(tmp_path: Path) -> None:
    plain("P", 0).save(tmp_path / "grey.png")
    palette = plain("RGB", (100, 200, 100)).quantize(2)
    palette.save(tmp_path / "p.png", icc_profile=adobe_rgb())
    plain("RGB", (100, 200, 100)).save(tmp_path / "rgb.png", icc_profile=adobe_rgb())
    assert colour_of(tmp_path / "p.png") == colour_of(tmp_path / "rgb.png")
    plain("L", 128).save(tmp_path / "l.jpg", icc_profile=adobe_rgb())
    assert np.abs(np.array(colour_of(tmp_path / "l.jpg")) - 128).max() <= 1


def test_a_linear_grey_profile_brightens_the_middle(tmp_path: Path) -> None:
    linear = profile(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": gamma(1.0)})
    plain("L", 128).save(tmp_path / "a.png", icc_profile=linear)
    assert np.abs(np.array(colour_of(tmp_path / "a.png")) - srgb_encoded(np.array(128 / 255))).max() <= 1


def test_a_profile_that_means_srgb_changes_no_pixel(tmp_path: Path) -> None:
    colours = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=srgb)
    assert (decode(tmp_path / "a.png").pixels == colours).all()


@pytest.mark.parametrize("broken", [b"no profile", adobe_rgb()[:200], adobe_rgb()[:128] + bytes(300), grey_inks()])
def test_a_broken_or_foreign_profile_is_ignored(broken: bytes, tmp_path: Path) -> None:
    plain("RGB", (10, 200, 30)).save(tmp_path / "a.png", icc_profile=broken)
    assert colour_of(tmp_path / "a.png") == [10, 200, 30]


def test_half_transparent_black_over_white_is_middle_grey(tmp_path: Path) -> None:
    plain("RGBA", (0, 0, 0, 128)).save(tmp_path / "rgba.png")
    plain("LA", (0, 128)).save(tmp_path / "la.png")
    plain("RGBA", (0, 0, 0, 128)).save(tmp_path / "a.webp", lossless=True)
    plain("RGBA", (0, 0, 0, 128)).save(tmp_path / "a.tif")
    for name in ("rgba.png", "la.png", "a.webp", "a.tif"):
        assert colour_of(tmp_path / name) == [127, 127, 127]


def test_colours_hidden_by_transparency_never_bleed_into_edges(tmp_path: Path) -> None:
    pixels = np.zeros((256, 256, 4), dtype=np.uint8)
    pixels[:, :100] = (0, 0, 0, 255)  # opaque black on the left; to the right of it, invisible red
    pixels[:, 100:] = (255, 0, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    small = decode(tmp_path / "a.png", view_size=32).pixels.astype(int)
    assert (small[..., 0] == small[..., 1]).all()
    assert small[0, 0].tolist() == [0, 0, 0]
    assert small[0, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_a_transparent_colour_shows_white(mode: str, tmp_path: Path) -> None:
    image = plain(mode, 0)
    if mode == "P":
        image.putpalette([200, 10, 10, 10, 200, 10])
    image.save(tmp_path / "a.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert colour_of(tmp_path / "a.png") == [255, 255, 255]


def test_palette_entries_with_their_own_alpha(tmp_path: Path) -> None:
    image = plain("P", 0)
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.save(tmp_path / "a.png", transparency=bytes([128, 255]))
    assert colour_of(tmp_path / "a.png") == [127, 127, 127]


def test_a_transparent_gif_shows_white(tmp_path: Path) -> None:
    image = plain("P", 0)
    image.putpalette([200, 10, 10, 10, 200, 10])
    image.putpixel((0, 0), 1)
    image.save(tmp_path / "a.gif", transparency=0)
    pixels = decode(tmp_path / "a.gif").pixels
    assert pixels[0, 0].tolist() == [10, 200, 10]
    assert pixels[5, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_one_bit_pictures_are_black_and_white(suffix: str, tmp_path: Path) -> None:
    Image.fromarray(np.eye(16, dtype=bool)).save(tmp_path / f"a{suffix}")
    assert (decode(tmp_path / f"a{suffix}").pixels[..., 1] == np.eye(16) * 255).all()


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_inks_become_colours(suffix: str, tmp_path: Path) -> None:
    for inks, light in [((255, 0, 0, 0), (0, 255, 255)), ((0, 255, 0, 0), (255, 0, 255)), ((0, 0, 0, 255), (0, 0, 0))]:
        plain("CMYK", inks).save(tmp_path / f"a{suffix}")
        for view_size in (None, 8):
            assert np.abs(np.array(colour_of(tmp_path / f"a{suffix}", view_size=view_size)) - light).max() <= 2


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_inks_follow_their_embedded_profile(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    for inks, grey in [((255, 0, 0, 0), 119), ((0, 255, 0, 0), 255), ((0, 0, 0, 255), 0)]:  # L* = 50 is 119 in sRGB
        plain("CMYK", inks).save(path, icc_profile=grey_inks())
        assert np.abs(np.array(colour_of(path)) - grey).max() <= 3


def test_lab_pictures(tmp_path: Path) -> None:
    plain("LAB", (128, 128, 128)).save(tmp_path / "a.tif")
    lightness = 128 / 255 * 100
    expected = srgb_encoded(np.array(((lightness + 16) / 116) ** 3))
    assert np.abs(np.array(colour_of(tmp_path / "a.tif")) - expected).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_uses_the_full_range(suffix: str, tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257], [32767, 32768, 65407, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"a{suffix}")
    pixels = decode(tmp_path / f"a{suffix}").pixels
    assert pixels[..., 0].tolist() == [[0, 0, 1, 1], [127, 128, 255, 255]]
    assert (pixels == pixels[..., :1]).all()


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    pixel = zlib.compress(b"\0" + struct.pack(">HHH", 65535, 32768, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(data)
    assert colour_of(tmp_path / "a.png") == [255, 128, 0]


def tiff(values: bytes, width: int, bits: int, sample_format: int = 1, photometric: int = 1, order: str = "<") -> bytes:
    """One row of grey samples (TIFF 6.0, section 4)."""
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1, 279: len(values)}
    tags[339] = sample_format
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    values += bytes(-len(values) % 2)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    return mark + struct.pack(f"{order}I", 8 + len(values)) + values + directory


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tiff(struct.pack("<3H", 0, 32768, 65535), 3, 16), [0, 128, 255]),
        (tiff(struct.pack(">3H", 0, 32768, 65535), 3, 16, order=">"), [0, 128, 255]),
        (tiff(struct.pack("<3H", 0, 32768, 65535), 3, 16, photometric=0), [255, 127, 0]),
        (tiff(struct.pack("<3h", -5, 16384, 32767), 3, 16, sample_format=2), [0, 128, 255]),
        (tiff(struct.pack("<3I", 0, 2**31, 2**32 - 1), 3, 32), [0, 128, 255]),
        (tiff(struct.pack("<3i", -1, 2**30, 2**31 - 1), 3, 32, sample_format=2), [0, 128, 255]),
        (tiff(b"\x00\x08\x00\xff\xf0\x00", 4, 12), [0, 128, 255, 0]),
        (tiff(struct.pack("<4f", 0, 0.5, 1, float("nan")), 4, 32, sample_format=3), [0, 128, 255, 0]),
        (tiff(struct.pack("<3f", 0, 128, float("inf")), 3, 32, sample_format=3), [0, 128, 255]),
        (tiff(struct.pack("<3f", -7, 32768, 65535), 3, 32, sample_format=3), [0, 128, 255]),
    ],
    ids=[
        "16",
        "16 big endian",
        "16 white is zero",
        "16 signed",
        "32",
        "32 signed",
        "12",
        "float 1",
        "float 255",
        "float 65535",
    ],
)
def test_deep_grey_tiffs(data: bytes, expected: list[int], tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(data)
    assert decode(tmp_path / "a.tif").pixels[0, :, 0].tolist() == expected
