"""Files that are no pictures are named for what they are; lists of names in other encodings never name other files."""

from __future__ import annotations

import os
from io import BytesIO

import pytest
from helpers.program import run_here as run
from PIL import Image

from shamisa_cli.core.errors import ImageError, InputNotFoundError
from shamisa_cli.core.images import decode, discover, read_list

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
NAMES = ["a.jpg", "folder/b c.png", "/d/é.jpg", "/"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (POINTER, "git lfs pull"),
        (b"\n<!DOCTYPE html><html><title>404</title>", "web page"),
        (b"\xef\xbb\xbf<html>", "web page"),
        (b"%PDF-1.7\n\xff", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no pixels"),
        (b"PK\x03\x04\x14\0", "archive"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "film"),
        (b"hello\n", "is a text"),
        (b"\x01\x02\x03", "not a picture this program knows"),
    ],
)
def test_what_is_no_picture_is_named_for_what_it_is(content, said):
    with pytest.raises(ImageError, match=said) as refused:
        decode("a.jpg", content=content)
    assert refused.value.kind == "not-an-image"
    assert str(refused.value).startswith("a.jpg ")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-mark", "utf-16-be-mark"])
def test_a_list_is_read_in_the_encoding_its_mark_says(encoding, ending):
    text = ending.join([*NAMES, ""])
    if encoding.endswith("-mark"):
        data = ("\ufeff" + text).encode(encoding.removesuffix("-mark"))
    else:
        data = text.encode(encoding)
    assert [os.fsencode(name) for name in read_list(BytesIO(data))] == [name.encode() for name in NAMES]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_list_in_utf_16_without_a_mark_is_refused_and_never_split_into_letters(encoding):
    with pytest.raises(InputNotFoundError, match="UTF-8"):
        read_list(BytesIO("photos/a.jpg\n/photos/b.jpg\n".encode(encoding)))


def test_a_name_that_begins_as_a_picture_does_is_a_name():
    assert read_list(BytesIO(b"BMW.jpg\nGIF.gif\n")) == ["BMW.jpg", "GIF.gif"]


def test_names_divided_by_nuls_are_read_however_short_they_are():
    assert read_list(BytesIO(b"a\0b\0some/c.jpg\0")) == ["a", "b", "some/c.jpg"]
    assert read_list(BytesIO(b"photo 1.jpg\0photo 2.jpg")) == ["photo 1.jpg", "photo 2.jpg"]


def test_a_picture_where_a_list_was_expected_and_an_address_are_named(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg")
    result = run("score", "--files-from", tmp_path / "a.jpg")
    assert result.returncode == 2
    assert "picture itself" in result.stderr
    for address in ("https://example.org/a.jpg", "HTTP://example.org/a.jpg?size=1"):
        with pytest.raises(InputNotFoundError, match="Download"):
            discover([address])


def test_a_byte_order_mark_in_settings_is_skipped(tmp_path, monkeypatch):
    (tmp_path / "shamisa.toml").write_bytes(b"\xef\xbb\xbf[gate]\nmin-score = 40\n")
    monkeypatch.chdir(tmp_path)
    result = run("config")
    assert result.returncode == 0, result.stderr
    assert "40" in result.stdout
