"""Code points of colours in AVIF and HEIC files (ISO/IEC 23008-12), which their readers do not apply."""

from __future__ import annotations

from typing import BinaryIO

from shamisa_cli.core.images.boxes import Box, boxes_in, top_boxes

_VERSION = 4
"""Bytes of version and flags, with which the content of a full box begins."""
_MOST_BYTES = 1_000_000
"""Of the list of which items have which properties."""


def code_points_in(stream: BinaryIO) -> tuple[int, int] | None:
    """The code points of a file's primary picture; None without any, and for a damaged file.

    Raises:
        OSError: the file cannot be read.
    """
    meta = _first(b"meta", list(top_boxes(stream)))
    if meta is None:
        return None
    found = list(boxes_in(meta, stream, after=_VERSION))
    primary, properties = _first(b"pitm", found), _first(b"iprp", found)
    if primary is None or properties is None:
        return None
    parts = list(boxes_in(properties, stream))
    listed, owned = _first(b"ipco", parts), _first(b"ipma", parts)
    if listed is None or owned is None:
        return None
    numbers = _properties_of(_item(primary.read(stream, 8)), owned.read(stream, _MOST_BYTES))
    for number, box in enumerate(boxes_in(listed, stream), 1):
        content = box.read(stream, 8) if box.kind == b"colr" and number in numbers else b""
        if content[:4] == b"nclx" and len(content) == 8:
            return int.from_bytes(content[4:6], "big"), int.from_bytes(content[6:8], "big")
    return None


def _first(kind: bytes, boxes: list[Box]) -> Box | None:
    return next((box for box in boxes if box.kind == kind), None)


def _item(content: bytes) -> int:
    """The number of the primary item, in a `pitm` box."""
    return int.from_bytes(content[_VERSION : _VERSION + (4 if content[:1] > b"\0" else 2)], "big")


def _properties_of(item: int, content: bytes) -> set[int]:
    """The numbers of an item's properties, from 1, in the content of an `ipma` box; empty where it is damaged."""
    size_of_item, size = (4 if content[:1] > b"\0" else 2), (2 if content[3:4] and content[3] & 1 else 1)
    at = _VERSION + 4
    for _ in range(int.from_bytes(content[_VERSION:at], "big")):
        if at >= len(content):
            break
        number, count = int.from_bytes(content[at : at + size_of_item], "big"), content[at + size_of_item :][:1]
        at += size_of_item + 1
        end = at + size * (count[0] if count else 0)
        if number == item:
            # The highest bit says whether a reader must know the property.
            places = range(at, min(end, len(content)), size)
            return {int.from_bytes(content[place : place + size], "big") & (1 << 8 * size - 1) - 1 for place in places}
        at = end
    return set()
