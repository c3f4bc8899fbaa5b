"""Damage, odd metadata and foreign colours: said, or mended, or refused; never passed over in silence."""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from shamisa_cli.core.errors import ImageError
from shamisa_cli.core.images import decode, memory
from shamisa_cli.core.images.budget import MemoryBudget
from shamisa_cli.core.images.jpeg import MAX_SCANS

END = b"\xff\xd9"


def picture(width: int = 240, height: int = 160) -> Image.Image:
    noise = np.random.default_rng(5).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image | None = None, **options: object) -> bytes:
    stream = BytesIO()
    (image or picture()).save(stream, "jpeg", **{"quality": 90, **options})
    return stream.getvalue()


def png(image: Image.Image, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with extra chunks before the pixels."""
    stream = BytesIO()
    image.save(stream, "png")
    data = stream.getvalue()
    extra = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return data[:33] + extra + data[33:]


def read(data: bytes, **options: object):
    return decode("picture", content=data, **options)


def said_of(data: bytes) -> str:
    """The warnings about a file, or the reason why it was refused."""
    try:
        return "; ".join(read(data).warnings)
    except ImageError as error:
        return str(error)


KINDS = [
    {},
    {"subsampling": 0},
    {"optimize": True},
    {"quality": 1},
    {"restart_marker_rows": 1},
    {"restart_marker_blocks": 3},
]


@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (17, 33), (240, 160), (64, 4)])
@pytest.mark.parametrize("flat", [False, True])
def test_sound_jpegs_have_no_warning_and_without_the_end_marker_the_same_pixels(mode, options, size, flat):
    image = Image.new("RGB", size, "white") if flat else picture(*size)
    data = jpeg(image.convert(mode), **options)
    whole, endless = read(data), read(data[:-2])
    assert whole.warnings == ()
    assert endless.warnings == ("lacks its end marker; no pixel is missing",)
    np.testing.assert_array_equal(endless.pixels, whole.pixels)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.34, 0.7, 0.9])
@pytest.mark.parametrize("view_size", [None, 48])
def test_a_jpeg_that_was_cut_is_refused_even_with_an_end_marker(progressive, share, view_size):
    data = jpeg(picture(480, 320), progressive=progressive)
    cut = data[: int(share * len(data))]
    if progressive and share > 0.5:
        cut = data[: data.rindex(b"\xff\xda")]  # the last scan alone is missing
    for end in (b"", END):
        with pytest.raises(ImageError, match="cut short"):
            read(cut + end, view_size=view_size)


def test_a_hole_in_a_jpeg_is_said():
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (160, 240, 3), dtype=np.uint8))
    data = jpeg(noise)
    for at in rng.integers(700, len(data) - 100, 20):
        holed = data[:at] + bytes(40) + data[at + 40 :]
        assert "wrong" in said_of(holed) or "cut short" in said_of(holed)


def test_bytes_left_over_in_a_jpeg_are_said_and_what_follows_its_end_is_not():
    data = jpeg()
    assert "bytes after its last row" in read(data[:-2] + b"\x12" * 30 + END).warnings[0]
    assert read(data + b"\x12" * 30).warnings == ()


def test_a_jpeg_of_very_many_scans_is_refused_from_its_markers():
    data = jpeg(progressive=True)
    scan = data.rindex(b"\xff\xda")
    many = data[:scan] + data[scan:-2] * (MAX_SCANS + 1) + END
    with pytest.raises(ImageError, match=f"more than {MAX_SCANS} scans"):
        read(many)
    few = data[:scan] + data[scan:-2] * 3 + END
    assert read(few).pixels.shape == (160, 240, 3)


def test_large_texts_and_profiles_do_not_cost_a_png_its_pixels():
    plain = read(png(picture()))
    text = (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000)))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = (b"iCCP", b"profile\0\0" + zlib.compress(srgb + bytes(1_500_000)))
    bomb = (b"iCCP", b"profile\0\0" + zlib.compress(bytes(50_000_000)))
    damaged = (b"iCCP", b"profile\0\0not zlib")
    none = (b"iCCP", b"profile\0\0" + zlib.compress(bytes(1_500)))
    for chunk, warned in ((text, False), (profile, False), (bomb, True), (damaged, True), (none, True)):
        found = read(png(picture(), chunk))
        np.testing.assert_array_equal(found.pixels, plain.pixels)
        assert any("colour profile" in warning for warning in found.warnings) is warned


def test_a_wrong_checksum_among_the_pixels_of_a_png_is_said():
    data = bytearray(png(picture()))
    data[-13] ^= 1  # the last byte of the checksum before the end chunk
    assert "wrong checksum" in read(bytes(data)).warnings[0]


def test_a_tiff_may_have_as_many_pixels_as_the_limit_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # stands for Pillow's 89 million
    for compression in (None, "tiff_lzw"):
        picture().save(tmp_path / "a.tif", compression=compression)
        assert decode(tmp_path / "a.tif").pixels.shape == (160, 240, 3)
        with pytest.raises(ImageError) as refused:
            decode(tmp_path / "a.tif", max_pixels=38_399)
        assert refused.value.kind == "too-large"


@pytest.mark.parametrize("tiled", [True, False], ids=["tiles", "strips"])
def test_a_tiff_that_lists_fewer_pieces_than_it_has_is_refused(tiled: bool):
    sides = [(322, 3, 16), (323, 3, 16), (324, 4, 8), (325, 4, 256)]  # one tile of 16 × 16
    rows = [(273, 4, 8), (278, 3, 16), (279, 4, 16 * 64)]  # one strip of 16 rows
    tags = sorted([(256, 3, 64), (257, 3, 64), (258, 3, 8), (259, 3, 1), (262, 3, 1), *(sides if tiled else rows)])
    pixels = bytes(range(256)) * 4
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    header = b"II*\0" + struct.pack("<I", 8 + len(pixels))
    data = header + pixels + struct.pack("<H", len(tags)) + entries + b"\0" * 4
    assert f"1 of its {16 if tiled else 4} strips or tiles are listed" in said_of(data)


def linear(levels: np.ndarray) -> np.ndarray:
    share = levels / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def float_tiff(values: list[float], *, white_is_zero: bool = False) -> bytes:
    stream = BytesIO()
    tags = {262: 0} if white_is_zero else {}
    Image.fromarray(np.array([values] * 2, np.float32)).save(stream, "tiff", tiffinfo=tags)
    return stream.getvalue()


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("view_size", [None, 2])
def test_samples_that_are_no_numbers_are_said_and_a_picture_of_nothing_else_is_refused(
    odd: float, view_size: int | None
) -> None:
    assert read(float_tiff([0, 0.5, 1]), view_size=view_size).warnings == ()
    assert read(float_tiff([0, odd, 1]), view_size=view_size).warnings == (
        "has 2 of 6 samples that are not finite numbers",
    )
    for white_is_zero in (False, True):
        with pytest.raises(ImageError, match=r"\(none of its samples is a finite number\)"):
            read(float_tiff([odd] * 3, white_is_zero=white_is_zero), view_size=view_size)


def test_display_p3_and_pq_in_a_png_look_as_their_srgb_twin():
    # A level of PQ near white is some four levels of sRGB.
    pixels = np.asarray(picture()) // 2 + 64
    to_p3 = np.array([[0.8225, 0.1774, 0], [0.0332, 0.9669, 0], [0.0171, 0.0724, 0.9108]])
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    p3 = np.clip(linear(pixels) @ to_p3.T, 0, 1)
    p3 = np.where(p3 <= 0.0031308, 12.92 * p3, 1.055 * p3 ** (1 / 2.4) - 0.055)
    light = (np.clip(linear(pixels) @ to_2020.T, 0, 1) * 203 / 10000) ** (2610 / 16384)
    pq = ((3424 / 4096 + 2413 / 128 * light) / (1 + 2392 / 128 * light)) ** (2523 / 32)
    for values, code, within, said in ((p3, (12, 13, 0, 1), 2, False), (pq, (9, 16, 0, 1), 8, True)):
        image = Image.fromarray((255 * values).round().astype(np.uint8))
        found = read(png(image, (b"cICP", bytes(code))))
        assert np.abs(found.pixels.astype(int) - pixels).max() <= within
        assert any("HDR" in warning for warning in found.warnings) is said


def test_code_points_of_srgb_and_unknown_ones_change_nothing():
    for code in ((1, 13, 0, 1), (77, 13, 0, 1)):
        np.testing.assert_array_equal(read(png(picture(), (b"cICP", bytes(code)))).pixels, np.asarray(picture()))


def test_transparent_parts_and_animation_are_said(tmp_path: Path):
    empty = Image.new("RGBA", (60, 40), (255, 255, 255, 0))
    logo = empty.copy()
    ImageDraw.Draw(logo).ellipse((10, 10, 50, 30), fill="white")
    for image in (empty, logo, logo.convert("LA")):
        image.save(tmp_path / "a.png")
        assert decode(tmp_path / "a.png").warnings == ("has transparent parts, which are laid over white",)
    Image.new("RGBA", (60, 40), (9, 9, 9, 255)).save(tmp_path / "opaque.png")
    assert decode(tmp_path / "opaque.png").warnings == ()
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    for suffix in ("gif", "webp", "png", "tif"):
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
        assert "only" in decode(tmp_path / f"a.{suffix}").warnings[0]


def grey_profile(gamma: float) -> bytes:
    """A small profile of greys (ICC.1:2001): a white point and a tone curve."""
    point = struct.pack(">iii", *(round(value * 65536) for value in (0.9642, 1, 0.8249)))
    curve = struct.pack(">4sIIH", b"curv", 0, 1, round(gamma * 256)) + bytes(2)
    description = struct.pack(">4sII", b"desc", 0, 5) + b"grey\0" + bytes(8 + 4 + 67)
    description += bytes(-len(description) % 4)
    tags = [(b"desc", description), (b"wtpt", b"XYZ " + bytes(4) + point), (b"kTRC", curve)]
    body, table = b"", struct.pack(">I", len(tags))
    for name, data in tags:
        table += struct.pack(">4sII", name, 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + point + bytes(48)
    return head + table + body


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_of_linear_grey_look_as_their_srgb_twin(suffix: str, tmp_path: Path):
    grey = np.asarray(picture().convert("L"))
    deep = np.rint(65535 * linear(grey)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / f"a.{suffix}", icc_profile=grey_profile(1.0))
    found = decode(tmp_path / f"a.{suffix}").pixels
    difference = np.abs(found.astype(int) - grey[..., None])
    assert difference.mean() < 0.3
    assert difference.max() <= 1


def test_a_profile_of_greys_serves_pictures_with_alpha_too(tmp_path: Path):
    grey = picture().convert("L")
    faint = grey.convert("LA")
    grey.save(tmp_path / "grey.png", icc_profile=grey_profile(1.0))
    faint.save(tmp_path / "faint.png", icc_profile=grey_profile(1.0))
    expected = decode(tmp_path / "grey.png").pixels
    np.testing.assert_array_equal(decode(tmp_path / "faint.png").pixels, expected)
    assert np.abs(expected.astype(int) - np.asarray(grey)[..., None]).mean() > 20


def with_a_tag_beyond_its_end() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "hello there"
    data = jpeg(exif=exif.tobytes())
    return data.replace(struct.pack(">HHI", 0x010E, 2, 12), struct.pack(">HHI", 0x010E, 2, 5000))


def test_what_pillow_warns_of_is_said_of_each_picture_alone(capsys: pytest.CaptureFixture[str]) -> None:
    odd = with_a_tag_beyond_its_end()
    for _ in range(2):
        (warning,) = read(odd, look=True).warnings
        assert "its decoder could not use" in warning
        assert "270" in warning or "Truncated File Read" in warning  # in Pillow 11
    assert read(jpeg()).warnings == ()
    assert capsys.readouterr().err == ""


def test_what_pillow_warns_of_is_kept_apart_in_threads() -> None:
    files = [with_a_tag_beyond_its_end(), jpeg()] * 20
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda data: len(read(data).warnings), files))
    assert found == [1, 0] * 20


def test_a_progressive_picture_counts_with_all_its_coefficients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "DECODING", MemoryBudget(100_000))
    large = picture(400, 300)
    assert read(jpeg(large, progressive=False), view_size=20).width == 400
    with pytest.raises(ImageError, match="needs some"):
        read(jpeg(large, progressive=True), view_size=20)
