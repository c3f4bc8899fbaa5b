"""Pictures that the program draws: PNGs and WebPs that say so, and never replace a photograph."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.existence import is_file

SIGNATURE = ("Software", "shamisa")
"""Text in each PNG that the program draws; only these, and signed WebPs, are ever replaced or removed."""
HEAD_BYTES = 256
"""Texts are written before pixels, so `SIGNATURE` is within these."""
_PNG = b"\x89PNG\r\n\x1a\n"
_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="shamisa"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
"""Metadata in each WebP that the program writes as a file, its last chunk."""
_HAS_XMP = 4
"""Flag in the header of an extended WebP (RFC 9649, 2.7.1.1)."""
_UP = 2
"""Number of PNG's filter that takes the difference from the row above."""


def write_drawing(image: Image.Image, target: Path, *, fast: bool = False) -> None:
    """Write a PNG, which appears when it is complete, in the place of nothing but an earlier drawing.

    Args:
        image: the drawing.
        target: its file.
        fast: takes less than half the time, for a file that is a tenth larger.

    Raises:
        FileExistsError: there is a file that this program did not draw.
        OSError: the file cannot be written.
    """
    require_no_other_file(target)
    with replacing(target) as temporary:
        if fast:
            temporary.write_bytes(quick_png(np.asarray(image.convert("RGB"))))
            return
        signed = PngInfo()
        signed.add_text(*SIGNATURE)
        image.save(temporary, format="PNG", pnginfo=signed)


def quick_png(pixels: Pixels) -> bytes:
    """A signed PNG of pixels (H, W, 3), each row as its difference from the one above, compressed by runs alone.

    Pillow tries five filters for each row, which takes longer than everything else.
    """
    height, width = pixels.shape[:2]
    flat = pixels.reshape(height, 3 * width)
    rows = np.full((height, 1 + 3 * width), _UP, np.uint8)
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    deflate = zlib.compressobj(1, strategy=zlib.Z_RLE)
    data = deflate.compress(rows.tobytes()) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    text = b"\0".join(part.encode() for part in SIGNATURE)
    chunks = ((b"IHDR", header), (b"tEXt", text), (b"IDAT", data), (b"IEND", b""))
    return _PNG + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def signed_webp(content: bytes, width: int, height: int) -> bytes:
    """A WebP of pixels alone (H, W), as `Pillow` writes it without alpha and metadata, with the signature added."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    header = _riff_chunk(b"VP8X", struct.pack("<I", _HAS_XMP) + sides)
    return _riff_chunk(b"RIFF", b"WEBP" + header + content[12:] + _riff_chunk(b"XMP ", _XMP))


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def require_no_other_file(target: Path) -> None:
    """Raise FileExistsError if a file of this name holds something and is no drawing of this program."""
    if is_file(target) and target.stat().st_size and not is_drawing(target):
        raise FileExistsError(
            errno.EEXIST,
            "a file of this name, which was not drawn here, is not replaced; remove or rename it",
            str(target),
        )


def is_drawing(path: Path) -> bool:
    """Whether a file exists and is a PNG that `write_drawing` wrote, or a WebP with the signature of `signed_webp`."""
    if not is_file(path):
        return False
    with path.open("rb", buffering=0) as stream:
        head = stream.read(HEAD_BYTES)
        if head.startswith(_PNG):
            signed = b"\0".join(part.encode() for part in SIGNATURE)
            return struct.pack(">I", len(signed)) + b"tEXt" + signed in head
        if head[12:16] != b"VP8X" or head[8:12] != b"WEBP":
            return False
        last = _riff_chunk(b"XMP ", _XMP)
        stream.seek(-min(len(last), len(head)), os.SEEK_END)
        return stream.read() == last
