"""PNG files without the chunks that no pixel needs: a large text or profile must not cost the picture."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from typing import BinaryIO

from PIL import Image, PngImagePlugin

from shamisa_cli.core.images.clock import DecodeClock
from shamisa_cli.core.images.code_points import CODE_POINTS
from shamisa_cli.core.images.png_strips import INTERLACED_STEP, is_interlaced, reduced

MAX_CHUNKS = 500_000
"""Usual chunks of pixels have 8 kB or more."""
MAX_PROFILE_BYTES = 16_000_000
"""Larger colour profiles are left out; those of printers have some two megabytes."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED = frozenset({b"tRNS", b"gAMA", b"cHRM", b"sRGB"})
"""Ancillary chunks (PNG 3rd edition, section 11.3) that Pillow is shown; the critical ones it always is."""
_XMP = b"XML:com.adobe.xmp\0"
"""Keyword of the text with the XMP packet (XMP specification, part 3)."""
_RAW_PROFILES = {b"Raw profile type exif": "exif", b"Raw profile type APP1": "exif", b"Raw profile type xmp": "xmp"}
"""Keywords of texts in which exiv2 and ImageMagick write metadata (kind, length, hexadecimal digits) → what it is."""
_XMP_IN_APP1 = b"http://ns.adobe.com/xap/1.0/\0"
"""First bytes of an APP1 segment with XMP (XMP specification, part 3); others have EXIF data."""
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_LONGEST_KEYWORD = 80
"""Bytes, with the zero after it (section 11.3.3.2)."""
_ANCILLARY = 0x20  # bit 5 of the first letter (section 5.4)


class PngFile(PngImagePlugin.PngImageFile):
    """Pillow's reader, shown only what pixels and their colour depend on.

    Attributes:
        warnings: phrases on what was left out or is wrong, each going on from the file's name.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.warnings: list[str] = []
        self._code_points: tuple[int, int] | None = None
        self._profile: bytes | None = None
        self._header = b""
        self._palette = b""
        self._exif_data = b""
        self._raw_profiles: dict[bytes, tuple[bytes, bytes]] = {}
        self._packet: bytes | None = None
        self._pixels: list[memoryview] = []
        super().__init__(BytesIO(b"".join(self._kept(stream.read()))))
        self._clock = DecodeClock(self.width * self.height)
        if self._profile is not None:
            self.info["icc_profile"] = self._profile
        if self._code_points is not None:
            self.info[CODE_POINTS] = self._code_points
        if self._packet is not None:
            self.info["xmp"] = self._packet

    def load_read(self, read_bytes: int) -> bytes:
        """The next bytes for the decoder."""
        self._clock.check()
        return super().load_read(read_bytes)

    def _kept(self, data: bytes) -> Iterator[bytes]:
        """The signature and the chunks to read; what follows the last whole chunk stays as it is."""
        yield _SIGNATURE
        damaged = False
        place = len(_SIGNATURE)
        chunks = 0
        while place + 12 <= len(data):
            chunks += 1
            if chunks > MAX_CHUNKS:
                raise OSError(f"it has more than {MAX_CHUNKS:,} chunks")
            length, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
            end = place + 12 + length
            if end > len(data):
                break
            if kind == b"IDAT" and not damaged and _checksum_differs(data[place + 4 : end]):
                damaged = True
                self.warnings.append("has a wrong checksum among its pixels, so that some of them may be wrong")
            self._remember(kind, data, place, end)
            if not kind[:1] or not kind[0] & _ANCILLARY or kind in _NEEDED:
                yield data[place:end]
            else:
                self._note(kind, data[place + 8 : end - 4])
            place = end
        yield data[place:]

    def getexif(self) -> Image.Exif:
        """The EXIF data of the eXIf chunk. Pillow's own method decodes the whole picture to look behind the pixels."""
        return exif_of(self._exif_data)

    def raw_profiles(self) -> dict[str, bytes]:
        """Metadata that some programs write as texts, "exif" and "xmp"; by the format such EXIF turns no picture."""
        found: dict[str, bytes] = {}
        for keyword, (kind, body) in self._raw_profiles.items():
            with suppress(ValueError):  # what is damaged is none
                profile = bytes.fromhex(b"".join(_text(kind, body).strip().splitlines()[2:]).decode("ascii"))
                is_xmp = profile.startswith(_XMP_IN_APP1)
                found.setdefault("xmp" if is_xmp else _RAW_PROFILES[keyword], profile.removeprefix(_XMP_IN_APP1))
        return found

    @property
    def reduction_step(self) -> int:
        """`reduced` works for multiples of this factor."""
        return INTERLACED_STEP if is_interlaced(self._header) else 1

    def reduced(self, factor: int, flatten: Callable[[Image.Image], Image.Image]) -> Image.Image:
        """The pixels averaged over squares of `factor`, in little memory; see `png_strips.reduced`."""

        def timely(strip: Image.Image) -> Image.Image:
            self._clock.check()
            if self._profile is not None:
                strip.info["icc_profile"] = self._profile  # greys of 16 bits are converted before they are reduced
            return flatten(strip)

        return reduced(self._header, self._palette, self._pixels, factor, timely)

    def _remember(self, kind: bytes, data: bytes, place: int, end: int) -> None:
        if kind == b"IHDR":
            self._header = data[place + 8 : end - 4]
        elif kind in (b"PLTE", b"tRNS"):
            self._palette += data[place:end]
        elif kind == b"eXIf":
            self._exif_data = b"Exif\0\0" + data[place + 8 : end - 4]
        elif kind == b"IDAT":
            self._pixels.append(memoryview(data)[place + 8 : end - 4])

    def _note(self, kind: bytes, body: bytes) -> None:
        """Take what is needed of a chunk that Pillow is not shown."""
        if kind == b"cICP" and len(body) == 4:
            self._code_points = body[0], body[1]
        elif kind == b"acTL" and int.from_bytes(body[:4]) > 1:
            self.warnings.append("is an animation, of which only the first picture is read")
        elif kind == b"iTXt" and body.startswith(_XMP):
            self._packet = _text(kind, body)
        elif kind in _TEXTS and (keyword := body[:_LONGEST_KEYWORD].partition(b"\0")[0]) in _RAW_PROFILES:
            self._raw_profiles[keyword] = kind, body
        elif kind == b"iCCP":
            profile, is_whole = _inflated(body[body.find(b"\0") + 2 :])
            self._profile = profile if is_whole else None
            if self._profile is None:
                self.warnings.append("has a colour profile that is damaged or too large, and was not used")


def exif_of(data: bytes) -> Image.Exif:
    """EXIF data that are read from these bytes. Raises many types for damaged ones."""
    exif = Image.Exif()
    exif.load(data)
    return exif


def _checksum_differs(chunk: bytes) -> bool:
    """Whether the last four bytes are not the CRC of the others, type included (section 5.5)."""
    return zlib.crc32(chunk[:-4]) != int.from_bytes(chunk[-4:])


def _text(kind: bytes, body: bytes) -> bytes:
    """The text of a chunk (sections 11.3.3.2 to 11.3.3.4), or the first part of it; empty if it is damaged."""
    rest = body.partition(b"\0")[2]
    if kind == b"iTXt":
        is_compressed, text = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        is_compressed, text = kind == b"zTXt", rest[kind == b"zTXt" :]
    return _inflated(text)[0] or b"" if is_compressed else text


def _inflated(data: bytes) -> tuple[bytes | None, bool]:
    """The first bytes, `MAX_PROFILE_BYTES` at most, and whether they are all; None if they are damaged."""
    try:
        inflater = zlib.decompressobj()
        return inflater.decompress(data, MAX_PROFILE_BYTES), inflater.eof
    except zlib.error:
        return None, False
