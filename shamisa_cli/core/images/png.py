"""PNG files without the chunks that no pixel needs: a large text or profile must not cost the picture."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import BinaryIO

from PIL import Image, PngImagePlugin

from shamisa_cli.core.images.clock import DecodeClock
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
_EXIF_TEXTS = (b"Raw profile type exif\0", b"Raw profile type APP1\0")
"""Keywords of texts in which exiv2 and ImageMagick write EXIF data: kind, length, and hexadecimal digits."""
_ANCILLARY = 0x20  # bit 5 of the first letter (section 5.4)


class PngFile(PngImagePlugin.PngImageFile):
    """Pillow's reader, shown only what pixels and their colour depend on.

    Attributes:
        warnings: phrases on what was left out or is wrong, each going on from the file's name.
        cicp: coding-independent code points of primaries and transfer (ITU-T H.273); None if the file has none.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.warnings: list[str] = []
        self.cicp: tuple[int, int] | None = None
        self._profile: bytes | None = None
        self._header = b""
        self._palette = b""
        self._exif_data = b""
        self._exif_text = b""
        self._packet: bytes | None = None
        self._pixels: list[memoryview] = []
        super().__init__(BytesIO(b"".join(self._kept(stream.read()))))
        self._clock = DecodeClock(self.width * self.height)
        if self._profile is not None:
            self.info["icc_profile"] = self._profile
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
        exif = Image.Exif()
        exif.load(self._exif_data)
        return exif

    def exif_in_text(self) -> Image.Exif:
        """EXIF data that some programs write as a text. By the format it turns no picture. Raises for damaged data."""
        body = self._exif_text.partition(b"\0")[2]
        text = (_inflated(body[1:])[0] or b"") if self._exif_text[:1] == b"z" else body
        exif = Image.Exif()
        exif.load(bytes.fromhex(b"".join(text.strip().splitlines()[2:]).decode("ascii")))
        return exif

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
            self.cicp = body[0], body[1]
        elif kind == b"acTL" and int.from_bytes(body[:4]) > 1:
            self.warnings.append("is an animation, of which only the first picture is read")
        elif kind == b"iTXt" and body.startswith(_XMP):
            self._packet = _packet(body)
        elif kind in (b"tEXt", b"zTXt") and body.startswith(_EXIF_TEXTS):
            self._exif_text = kind + body
        elif kind == b"iCCP":
            profile, is_whole = _inflated(body[body.find(b"\0") + 2 :])
            self._profile = profile if is_whole else None
            if self._profile is None:
                self.warnings.append("has a colour profile that is damaged or too large, and was not used")


def _checksum_differs(chunk: bytes) -> bool:
    """Whether the last four bytes are not the CRC of the others, type included (section 5.5)."""
    return zlib.crc32(chunk[:-4]) != int.from_bytes(chunk[-4:])


def _packet(body: bytes) -> bytes | None:
    """The XMP packet in an international text (section 11.3.3.4), or the first part of it; None if it is damaged."""
    compressed, rest = body[len(_XMP) : len(_XMP) + 1] == b"\1", body[len(_XMP) + 2 :]
    _, _, text = rest.partition(b"\0")[2].partition(b"\0")
    return _inflated(text)[0] if compressed else text


def _inflated(data: bytes) -> tuple[bytes | None, bool]:
    """The first bytes, `MAX_PROFILE_BYTES` at most, and whether they are all; None if they are damaged."""
    try:
        inflater = zlib.decompressobj()
        return inflater.decompress(data, MAX_PROFILE_BYTES), inflater.eof
    except zlib.error:
        return None, False
