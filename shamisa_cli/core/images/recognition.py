"""Files that are no pictures, named for what they are, each with what to do."""

from __future__ import annotations

_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body")
_MARK = b"\xef\xbb\xbf"
_HINTS: tuple[tuple[tuple[bytes, ...], str], ...] = (
    (
        (b"version https://git-lfs.github.com/",),
        "is a pointer of Git LFS, not the picture it stands for. Fetch that with: git lfs pull",
    ),
    (_PAGES, "is a web page, perhaps the error page of a download. Download the picture again."),
    ((b"%pdf-",), "is a PDF document. Save its page as a picture first."),
    ((b"<svg", b"<?xml"), "is an XML text, such as a vector drawing, which has no pixels. Draw it as a PNG first."),
    ((b"pk\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"rar!"), "is a compressed archive. Unpack it first."),
    ((b"8bps",), "is a Photoshop document. Save it as a picture first."),
    ((b"\x1aE\xdf\xa3".lower(),), "is a film. Save one of its pictures first."),
)
_FILMS = frozenset({b"isom", b"iso2", b"mp41", b"mp42", b"M4V ", b"qt  ", b"avc1", b"3gp4", b"3gp5"})
_TEXT = frozenset(range(32, 127)) | {9, 10, 13}


def describe_non_picture(head: bytes) -> str | None:
    """A sentence without its subject on a file with these first bytes, and what to do; None if it is not known."""
    if head[4:8] == b"ftyp" and head[8:12] in _FILMS:
        return "is a film. Save one of its pictures first."
    begin = head.removeprefix(_MARK).lstrip().lower()
    for beginnings, sentence in _HINTS:
        if begin.startswith(beginnings):
            return sentence
    if head and _TEXT.issuperset(head):
        return "is a text, whatever its name says."
    return None
