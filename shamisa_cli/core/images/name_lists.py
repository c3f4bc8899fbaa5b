"""Lists of names of files, one per line or separated by NUL."""

from __future__ import annotations

import codecs
import os
from typing import BinaryIO

from shamisa_cli.core.errors import InputNotFoundError
from shamisa_cli.core.images.formats import is_picture

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HEAD_BYTES = 256
_SMALLEST_PICTURE = 64
"""Bytes; a shorter list that begins as a picture does names a file that is called so."""


def read_list(stream: BinaryIO) -> list[str]:
    """Read the names in a list: NUL separated if it contains a NUL, else one per line.

    Empty entries are left out; bytes that are not text in the file system's encoding are kept the way
    `os.fsdecode` does, so that every file name can be listed. UTF-16 with a byte order mark is decoded.

    Raises:
        InputNotFoundError: the list is a picture, or in an encoding that would be taken for other names.
    """
    data = stream.read()
    if len(data) >= _SMALLEST_PICTURE and is_picture(data[:_HEAD_BYTES]):
        raise InputNotFoundError(
            "A list of names was expected, and this is a picture itself. Name its file in place of the list; what "
            "comes on stdin is saved first."
        )
    if data.startswith(_UTF16_MARKS):
        return _utf16_names(data)
    data = data.removeprefix(codecs.BOM_UTF8)
    if _looks_like_utf16(data):
        raise InputNotFoundError("The list of names seems to be UTF-16 without a byte order mark. Save it as UTF-8.")
    names = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(name) for name in names if name]


def _utf16_names(data: bytes) -> list[str]:
    try:
        return [name for name in data.decode("utf-16").splitlines() if name]
    except UnicodeDecodeError:
        raise InputNotFoundError(
            "The list of names begins as UTF-16 and does not go on as such. Save it as UTF-8."
        ) from None


def _looks_like_utf16(data: bytes) -> bool:
    """Whether NULs divide lines nearly everywhere into single bytes, as they do in Western text in UTF-16."""
    pieces = [len(piece) for piece in data.split(b"\0") if piece]
    return b"\n" in data and len(pieces) > 8 and sum(length <= 2 for length in pieces) > 0.9 * len(pieces)
