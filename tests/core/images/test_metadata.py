"""Metadata inside files: found in every kind of file that holds them, and without decoding a pixel."""

from __future__ import annotations

import io
import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from helpers.tiffs import ASCII, BYTE, LONG, SHORT, directory, long, short, write_dng
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from shamisa_cli.core.culling.sidecars import embedded_mark
from shamisa_cli.core.images.boxes import MOST_BOXES, top_boxes
from shamisa_cli.core.images.capture_time import capture_time
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.images.metadata import Metadata, read_metadata

PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5" xmp:Label="Purple"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
STAMP = b"2026:05:01 12:00:03\0"


def small_preview() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 30, 30)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize("preview", [None, small_preview()], ids=["without a preview", "with one"])
def test_a_raw_files_own_rating_and_time_are_found_and_it_is_not_developed(
    tmp_path: Path, preview: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    mosaic = np.full((40, 60), 20_000)
    rated = [(700, BYTE, len(PACKET), PACKET)]
    assert embedded_mark(write_dng(tmp_path / "xmp.dng", mosaic, preview, rated)).properties == {
        "Rating": "5", "Label": "Purple",
    }  # fmt: skip
    in_exif = write_dng(tmp_path / "exif.dng", mosaic, preview, [(0x4746, SHORT, 1, short(3))])
    assert embedded_mark(in_exif).properties == {"Rating": "3"}
    assert embedded_mark(write_dng(tmp_path / "none.dng", mosaic, preview)).properties == {}


@pytest.mark.parametrize("magic", [b"II*\0", b"IIRO", b"IIRS", b"IIU\0"])
def test_files_made_like_a_tiff_are_read_alike(tmp_path: Path, magic: bytes) -> None:
    exif = directory(8, [(0x9003, ASCII, len(STAMP), STAMP)])
    first = directory(8 + len(exif), [(0x4746, SHORT, 1, short(2)), (34665, LONG, 1, long(8))])
    (tmp_path / "a.orf").write_bytes(magic + long(8 + len(exif)) + exif + first)
    assert read_metadata(tmp_path / "a.orf").rating == 2
    assert capture_time(tmp_path / "a.orf") == datetime(2026, 5, 1, 12, 0, 3)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_every_kind_of_file_that_holds_a_rating_and_a_time_gives_them(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x4746] = 4
    exif.get_ifd(0x8769)[0x9003] = STAMP.decode().rstrip("\0")
    in_tiff = ImageFileDirectory_v2()
    in_tiff[0x4746], in_tiff[34665] = 4, {0x9003: STAMP.decode().rstrip("\0")}
    held = {"tiffinfo": in_tiff} if suffix == "tif" else {"exif": exif}
    Image.new("RGB", (64, 48)).save(tmp_path / f"a.{suffix}", **held)
    assert embedded_mark(tmp_path / f"a.{suffix}").rating == 4
    assert capture_time(tmp_path / f"a.{suffix}") == datetime(2026, 5, 1, 12, 0, 3)


@pytest.mark.parametrize("chunk", ["tEXt", "zTXt", "iTXt", "compressed iTXt"])
@pytest.mark.parametrize("kind", ["exif", "APP1", "xmp", "APP1 with XMP"])
def test_metadata_that_programs_write_as_a_text_of_a_png_is_found_and_turns_nothing(
    tmp_path: Path, kind: str, chunk: str
) -> None:
    exif = Image.Exif()
    exif[0x4746], exif[0x0112] = 5, 6
    in_app1 = b"http://ns.adobe.com/xap/1.0/\0" + PACKET
    digits = {"xmp": PACKET, "APP1 with XMP": in_app1}.get(kind, exif.tobytes()).hex()
    lines = [digits[place : place + 72] for place in range(0, len(digits), 72)]
    keyword, text = kind.split()[0], "\n".join(["", kind, f"{len(digits) // 2:8}", *lines, ""])
    chunks = PngInfo()
    if chunk.endswith("iTXt"):
        chunks.add_itxt(f"Raw profile type {keyword}", text, zip="compressed" in chunk)
    else:
        chunks.add_text(f"Raw profile type {keyword}", text, zip=chunk == "zTXt")
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png", pnginfo=chunks)
    assert embedded_mark(tmp_path / "a.png").rating == 5
    assert embedded_mark(tmp_path / "a.png").label == ("Purple" if "x" in kind[:1] or "XMP" in kind else None)
    assert decode(tmp_path / "a.png").width == 64


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize(
    "damage", [b"Exif\0\0XX*\0\0\0\0\x08", b"Exif\0\0II*\0" + directory(8, [(34665, 9, 1, b"\xff" * 4)])]
)
def test_damaged_exif_does_not_take_the_packets_rating_with_it(tmp_path: Path, suffix: str, damage: bytes) -> None:
    picture = tmp_path / f"a.{suffix}"
    packet = PngInfo()
    packet.add_itxt("XML:com.adobe.xmp", PACKET.decode())
    held = {"pnginfo": packet} if suffix == "png" else {"xmp": PACKET}
    Image.new("RGB", (64, 48)).save(picture, exif=damage, **held)
    assert embedded_mark(picture).properties == {"Rating": "5", "Label": "Purple"}


@pytest.mark.parametrize("text", ["", "exif", "\nexif\n 8\nxyz", "\nexif\n 8\nffffffff"])
def test_a_damaged_text_of_exif_holds_no_rating_and_hides_no_other(tmp_path: Path, text: str) -> None:
    chunks = PngInfo()
    chunks.add_text("Raw profile type exif", text)
    chunks.add_itxt("XML:com.adobe.xmp", PACKET.decode())
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png", pnginfo=chunks)
    assert embedded_mark(tmp_path / "a.png").rating == 5


def test_the_packet_of_a_cr3_lies_in_a_box_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shamisa_cli.core.images import metadata

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    uuid = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    boxes = [box(b"ftyp", b"crx \0\0\0\1crx isom"), box(b"uuid", bytes(16) + b"other"), box(b"uuid", uuid + PACKET)]
    (tmp_path / "a.cr3").write_bytes(b"".join(boxes) + box(b"mdat", bytes(100)))
    for preview in (Image.new("RGB", (8, 8)), None):  # by LibRaw
        monkeypatch.setattr(metadata, "preview_of", lambda _, preview=preview: preview)
        assert embedded_mark(tmp_path / "a.cr3").properties == {"Rating": "5", "Label": "Purple"}


def test_a_damaged_tag_takes_no_other_with_it(tmp_path: Path) -> None:
    odd = [(0x4746, 5, 1, b"\0\0\0"), (34665, ASCII, 4, b"abc\0"), (700, BYTE, len(PACKET), PACKET)]
    (tmp_path / "a.dng").write_bytes(b"II*\0" + long(8) + directory(8, odd))
    assert read_metadata(tmp_path / "a.dng") == Metadata(xmp=PACKET)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("odd") / "a"
    for head in (b"", b"II*\0", b"MM\0+\0\x08\0\0", b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x18ftypcrx "):
        file.write_bytes(head + content)
        assert isinstance(read_metadata(file), Metadata)
        assert len(list(top_boxes(io.BytesIO(head + content)))) <= 30


@pytest.mark.parametrize("head", [b"FUJIFILMCCD-RAW ", b"FOVb", b"\0MRM"])
def test_raw_files_of_other_kinds_have_the_metadata_of_their_preview_and_are_not_developed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    rawpy = pytest.importorskip("rawpy")
    exif = Image.Exif()
    exif[0x4746] = 4
    stream = io.BytesIO()
    Image.new("RGB", (64, 48)).save(stream, "JPEG", exif=exif)

    class Raw:
        def __enter__(self) -> Raw:
            return self

        def __exit__(self, *_: object) -> None: ...

        def extract_thumb(self) -> object:
            return rawpy.Thumbnail(rawpy.ThumbFormat.JPEG, stream.getvalue())

    monkeypatch.setattr(rawpy, "imread", lambda _: Raw())
    (tmp_path / "a.raf").write_bytes(head + bytes(100))
    assert read_metadata(tmp_path / "a.raf").rating == 4


def test_many_boxes_are_not_all_looked_at() -> None:
    assert len(list(top_boxes(io.BytesIO(struct.pack(">I4s", 8, b"free") * 5_000)))) == MOST_BOXES


@pytest.mark.parametrize("name", ["missing.jpg", "folder", "empty.jpg"])
def test_what_is_no_picture_has_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.jpg").touch()
    assert read_metadata(tmp_path / name) == Metadata()
