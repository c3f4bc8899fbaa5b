"""Directories of files that are made like a TIFF, camera RAW files among them, read without a pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from PIL.TiffImagePlugin import ImageFileDirectory_v2

FIRST_BYTES = (b"II*\0", b"MM\0*", b"II+\0", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")
"""Of TIFF and BigTIFF, DNG, CR2, NEF, ARW and others among them, of ORF (three) and RW2."""
_HEADER = 16
_LARGE = b"+\0"
SUB_IFDS = 330
"""Tag of the places of directories below one."""
_MOST = 100
"""Directories that are read; RAW files have about five."""


class Directories:
    """The directories of one file, by their places; its stream must stay open."""

    def __init__(self, stream: BinaryIO) -> None:
        stream.seek(0)
        head = stream.read(_HEADER)
        plain = head[:2] + (b"*\0" if head.startswith(b"II") else b"\0*") + head[4:8]
        self._header = head if head[2:4] == _LARGE else plain
        self._stream = stream

    @property
    def first(self) -> ImageFileDirectory_v2:
        """The first directory. Raises whatever Pillow does for a damaged one, as `at` does."""
        return self.at(ImageFileDirectory_v2(self._header).next)

    def at(self, place: int) -> ImageFileDirectory_v2:
        """The directory at a byte."""
        found = ImageFileDirectory_v2(self._header)
        self._stream.seek(place)
        found.load(self._stream)
        return found

    def all(self) -> Iterator[ImageFileDirectory_v2]:
        """All directories that follow each other or lie below another, up to a number of them."""
        places, seen = [ImageFileDirectory_v2(self._header).next], set[int]()
        while places and len(seen) < _MOST:
            place = places.pop(0)
            if place and place not in seen:
                seen.add(place)
                found = self.at(place)
                places += [found.next, *(each for each in found.get(SUB_IFDS, ()) if isinstance(each, int))]
                yield found
