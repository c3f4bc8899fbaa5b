"""Files that are no good: each is refused with an error that says why, and nothing else is ever raised."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from shamisa_cli.core.errors import ImageError, ImageErrorKind, reason_of
from shamisa_cli.core.images import decode, decoding

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about damaged metadata


def noisy() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (96, 128, 3), dtype=np.uint8))


def encoded(format_name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    noisy().save(stream, format_name, **options)
    return stream.getvalue()


WHOLE = {
    "jpeg": encoded("JPEG"),
    "progressive jpeg": encoded("JPEG", progressive=True),
    "png": encoded("PNG"),
    "webp": encoded("WEBP"),
    "gif": encoded("GIF"),
    "bmp": encoded("BMP"),
    "tiff": encoded("TIFF"),
    "tiff lzw": encoded("TIFF", compression="tiff_lzw"),
}
if features.check("avif"):
    WHOLE["avif"] = encoded("AVIF")


def kind_of(path: Path, **options: int) -> ImageErrorKind:
    with pytest.raises(ImageError) as caught:
        decode(path, **options)
    assert caught.value.path == path
    assert str(path) in str(caught.value)
    return caught.value.kind


@pytest.mark.parametrize("cut", [0.02, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("view_size", [None, 16])
def test_a_file_cut_short_is_truncated(name: str, cut: float, view_size: int | None, tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(WHOLE[name])
    decode(path, view_size=view_size)
    path.write_bytes(WHOLE[name][: max(8, int(len(WHOLE[name]) * cut))])
    assert kind_of(path, view_size=view_size) == "truncated"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "gone.jpg") == "missing"


def test_a_file_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    assert kind_of(tmp_path / "a.jpg" / "b.jpg") == "missing"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert kind_of(tmp_path / "a.jpg") == "empty"


@pytest.mark.parametrize(
    "content", [b"Dear diary, no picture today.\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0", b"\xff\xd8"]
)
def test_something_else_called_jpg(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert kind_of(tmp_path / "a.jpg") == "not-an-image"


def test_a_folder(tmp_path: Path) -> None:
    assert kind_of(tmp_path) == "unreadable"


@pytest.mark.skipif(sys.platform == "win32", reason="no such files on Windows")
def test_pipes_and_devices_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert kind_of(tmp_path / "pipe.jpg") == "unreadable"
    assert kind_of(Path("/dev/null")) == "unreadable"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no such files")
def test_files_of_the_system_without_a_size_are_never_opened() -> None:
    assert kind_of(Path("/proc/self/status")) == "empty"  # reading its neighbour /proc/kmsg never ends


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(WHOLE["png"])
    (tmp_path / "a.png").chmod(0)
    assert kind_of(tmp_path / "a.png") == "unreadable"


def test_a_name_no_file_can_have() -> None:
    with pytest.raises(ImageError):
        decode(Path("nul\0.jpg"))


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_small_file_that_claims_to_be_huge_is_refused_from_its_header(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(100_000, 100_000, zlib.compress(bytes(1000))))
    assert kind_of(tmp_path / "bomb.png") == "too-large"


def test_damaged_data_in_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(10, 10, b"this is not deflated"))
    assert kind_of(tmp_path / "a.png") == "truncated"


def test_a_variant_pillow_does_not_read_is_unsupported(tmp_path: Path) -> None:
    data = bytearray(WHOLE["bmp"])
    data[30] = 9  # the compression field
    (tmp_path / "a.bmp").write_bytes(data)
    assert kind_of(tmp_path / "a.bmp") == "unsupported"


def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.webp", "a.png"):
        noisy().save(tmp_path / name, exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(range(200)))
        assert decode(tmp_path / name).width == 128


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(data)
    with pytest.raises(ImageError):
        decode(path, max_pixels=100_000)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(
        st.tuples(st.one_of(st.integers(0, 200), st.integers(0, 10**5)), st.binary(min_size=1, max_size=8)), max_size=6
    ),
    st.sampled_from([None, 32]),
)
def test_no_damage_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, name: str, patches: list[tuple[int, bytes]], view_size: int | None
) -> None:
    data = bytearray(WHOLE[name])
    for position, patch in patches:
        start = position % len(data)
        data[start : start + len(patch)] = patch
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data)
    with contextlib.suppress(ImageError):
        picture = decode(path, view_size=view_size, max_pixels=100_000)
        assert picture.pixels.dtype == np.uint8
        assert max(picture.pixels.shape[:2]) <= (view_size or max(picture.width, picture.height))


def test_a_reason_is_one_short_sentence_whatever_a_library_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_image(*_given: object) -> None:
        raise RuntimeError("Generic Error. Please build `libthis` from source\n   in debug mode. See its log.")

    monkeypatch.setattr("shamisa_cli.core.images.decoding.open_image", open_image)
    with pytest.raises(ImageError) as refused:
        decode("a.jxl", content=b"\xff\x0a")
    assert str(refused.value) == "a.jxl is damaged or cut short (Generic Error). Copy or download it again."


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("Bad\n header. Build it\nwith debugging."), "Bad header"),
        (RuntimeError(b"Data\xff error\nx. y"), "Data\ufffd error x"),
        (EOFError(), "EOFError"),
        (OSError("It ends."), "It ends"),
        (KeyError("\n"), "'\\n'"),
        (RuntimeError(" \n"), "RuntimeError"),
        (RuntimeError("x" * 5000), "x" * 200),
    ],
)
def test_of_what_a_library_says_one_sentence_is_told(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
def test_a_view_of_any_size_keeps_a_picture_as_it_is(format_name: str) -> None:
    content = encoded(format_name)
    whole = decode("a", content=content, look=True)
    large = decode("a", content=content, look=True, view_size=10**400)
    assert np.array_equal(whole.pixels, large.pixels)
    assert whole.at_full_size == large.at_full_size


@pytest.mark.parametrize(
    "stage", ["bytes_needed", "reduced_size", "to_srgb", "turned", "look_at_pixels", "remarks_on", "array_of"]
)
@pytest.mark.parametrize("error", [RuntimeError("odd"), ValueError("odd. More"), KeyError("odd"), OSError("odd")])
def test_a_fault_of_this_program_is_not_blamed_on_the_picture(
    monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    def failing(*_given: object, **_more: object) -> object:
        raise error

    monkeypatch.setattr(decoding, stage, failing)
    with pytest.raises(ImageError) as refused:
        decode("a.png", content=encoded("PNG"), look=True, view_size=100)
    assert refused.value.kind == "internal"
    assert "damaged" not in str(refused.value)
    assert "This is a bug in shamisa" in str(refused.value)
    assert "odd" in str(refused.value)
