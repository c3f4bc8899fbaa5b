"""JPEG files read so that damage which libjpeg passes over is seen: missing rows, spare bytes, scans without number.

Pillow drops libjpeg's warnings, and libjpeg fills in whatever is missing. So the entropy-coded bytes are fed without
the end marker: a decoder that still asks for more has rows left, and one that ends early has bytes left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from PIL import JpegImagePlugin

from shamisa_cli.core.images.clock import DecodeClock

MAX_SCANS = 100
"""Progressive files have some ten scans; each costs a pass over the whole picture."""

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
"""A marker that ends entropy-coded bytes (ITU-T T.81, B.1.1.3 and F.1.2.3): no stuffed zero, fill byte or restart."""
_END = b"\xff\xd9"
_START_OF_SCAN, _END_OF_IMAGE, _START_OF_IMAGE, _TEMPORARY = 0xDA, 0xD9, 0xD8, 0x01
_HUFFMAN_TABLES = 0xC4
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_BLANK = bytes(32)
"""So many zeros in a row are no pixels, unless zeros stand for flat parts, but a hole, as from a damaged disk."""
_LOOK_AHEAD = bytes(9)
"""libjpeg reads up to eight bytes beyond the last block before it decodes it; where they are needed, zeros do."""


@dataclass
class Structure:
    """The parts of the first picture in a JPEG file.

    Attributes:
        first: offset where the bytes of the first scan begin.
        scans: offset of the end of each scan, rising.
        ended: whether the end marker is there.
        progressive: whether coefficients come in several scans of rising precision.
        zeros: whether each Huffman table reads zero bits as "nothing changes", so that flat parts are runs of zeros.
        components: their numbers.
        precision: by component and coefficient, the lowest bit seen so far (T.81, G.1.1.1.2).
    """

    first: int = 0
    scans: list[int] = field(default_factory=list)
    ended: bool = False
    progressive: bool = False
    zeros: bool = True
    precision: dict[tuple[int, int], int] = field(default_factory=dict)
    components: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether a progressive picture has all scans: every component, and every coefficient to its last bit."""
        means = all((component, 0) in self.precision for component in self.components)
        return means and not any(self.precision.values())


class JpegFile(JpegImagePlugin.JpegImageFile):
    """Pillow's reader, feeding its decoder scan by scan; `warnings` is complete once the picture is loaded."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._clock = DecodeClock(self.width * self.height)

    def load_read(self, read_bytes: int) -> bytes:
        """The next bytes for the decoder. Raises OSError where pixels are missing, or there are too many scans."""
        self._clock.check()
        del read_bytes  # a whole scan at a time: the decoder starts a row again whenever its bytes run out
        if not hasattr(self, "_feed"):
            self._feed = self._pieces()
            self.warnings: list[str] = []
        return next(self._feed, b"")

    def load_end(self) -> None:
        """Note what the decoder left over."""
        if getattr(self, "_spare", False):
            self.warnings.append("has bytes after its last row of pixels, so that some of them may be wrong")
        if getattr(self, "_endless", False):
            self.warnings.append("lacks its end marker; no pixel is missing")

    def _pieces(self) -> Iterator[bytes]:
        assert self.fp is not None
        self.fp.seek(0)
        data = self.fp.read()
        found = structure(data)
        if not found.scans:
            yield data
            return
        several = found.progressive or len(found.scans) > 1
        if several and not (found.ended and found.complete):
            raise OSError("image file is truncated: it ends before its last scan")
        self._endless = not found.ended
        begin = 0
        for end in found.scans[:-1]:
            yield data[begin:end]
            begin = end
        end = found.scans[-1]
        if several:
            yield data[begin:end]
        else:
            if not found.zeros and data.find(_BLANK, found.first, end) > 0:
                self.warnings.append("has a run of zeros among its pixels, so that some of them may be wrong")
            # A sound last row needs a bit of the last byte, which may be followed by a stuffed zero.
            self._spare = True
            yield data[begin : end - 2]
            self._spare = False
            yield data[end - 2 : end]
            yield _LOOK_AHEAD
            raise OSError("image file is truncated: it ends before its last row")
        yield _END


def structure(data: bytes) -> Structure:
    """Walk the markers of the first picture. Raises OSError where it has more than `MAX_SCANS` scans."""
    found = Structure()
    place = 2
    while match := _MARKER.search(data, place):
        kind, place = match[1][0], match.end()
        if kind == _END_OF_IMAGE:
            found.ended = True
            break
        if kind in (_START_OF_IMAGE, _TEMPORARY):
            continue
        body = data[place + 2 : place + int.from_bytes(data[place : place + 2])]
        if kind in _FRAMES and len(body) >= 6:
            found.progressive = kind in _PROGRESSIVE
            found.components = tuple(body[6::3][: body[5]])
        if kind == _HUFFMAN_TABLES:
            found.zeros &= _zeros_say_nothing(body)
        place += 2 + len(body)
        if kind == _START_OF_SCAN:
            _note_scan(found, body)
            found.first = found.first or place
            following = _MARKER.search(data, place)
            place = len(data) if following is None else following.start()
            found.scans.append(place)
            if len(found.scans) > MAX_SCANS:
                raise OSError(f"it has more than {MAX_SCANS} scans, each a pass over the whole picture")
    return found


def _zeros_say_nothing(tables: bytes) -> bool:
    """Whether the shortest code, which is all zeros, of each table (T.81, B.2.4.2) is for no difference or no more."""
    while len(tables) > 17:
        symbols = sum(tables[1:17])
        if symbols and tables[17]:
            return False
        tables = tables[17 + symbols :]
    return True


def _note_scan(found: Structure, header: bytes) -> None:
    if not header or len(header) < 4 + 2 * header[0]:
        return
    first, last, bits = header[1 + 2 * header[0] :][:3]
    for component in header[1 : 1 + 2 * header[0] : 2]:
        for coefficient in range(first, min(last, 63) + 1):
            found.precision[component, coefficient] = bits & 15 if found.progressive else 0
