"""Boxes of ISO base media files (ISO/IEC 14496-12): HEIC, AVIF, CR3 and containers of JPEG XL."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_BOXES = 1_000
"""Boxes within one, or at the top of a file, that are looked at; cameras and encoders write some ten."""


@dataclass(frozen=True)
class Box:
    """A box: its kind of four bytes, and where its content of `length` bytes begins."""

    kind: bytes
    start: int
    length: int

    def read(self, stream: BinaryIO, most: int) -> bytes:
        """The first bytes of the content, `most` at most."""
        stream.seek(self.start)
        return stream.read(min(self.length, most))


def top_boxes(stream: BinaryIO) -> Iterator[Box]:
    """The boxes of a file that are in no other, up to what is none; the last may be cut short."""
    return _boxes(stream, 0, stream.seek(0, io.SEEK_END))


def boxes_in(box: Box, stream: BinaryIO, *, after: int = 0) -> Iterator[Box]:
    """The boxes in the content of another, `after` its first bytes; likewise."""
    return _boxes(stream, box.start + after, box.start + box.length)


def _boxes(stream: BinaryIO, at: int, end: int) -> Iterator[Box]:
    for _ in range(MOST_BOXES):
        if at >= end:
            return
        stream.seek(at)
        head = stream.read(16)
        length, kind, begin = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, begin = int.from_bytes(head[8:16], "big"), 16
        length = length or end - at
        if len(head) < begin or length < begin:
            return
        yield Box(kind, at + begin, min(length, end - at) - begin)
        at += length
