"""Pictures that the program draws: PNGs that say so, and never replace a photograph."""

from __future__ import annotations

import errno
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.images.formats import begins_like_a_picture

SIGNATURE = ("Software", "shamisa")
"""Text in each PNG that the program draws; only these are ever replaced or removed."""
FAST = {"compress_level": 1, "compress_type": 3}
"""PNG's compression, by runs alone (zlib's Z_RLE): a quarter of the time of Pillow's usual, and hardly larger files."""
HEAD_BYTES = 256
"""Pillow writes texts before pixels, so `SIGNATURE` is within these."""


def write_drawing(image: Image.Image, target: Path, **how: int | bool) -> None:
    """Write a PNG, which appears when it is complete, in the place of nothing but an earlier drawing.

    Args:
        image: the drawing.
        target: its file.
        how: options of Pillow's PNG writer.

    Raises:
        FileExistsError: the file is a picture that this program did not draw.
        OSError: the file cannot be written.
    """
    require_no_photograph(target)
    signed = PngInfo()
    signed.add_text(*SIGNATURE)
    with replacing(target) as temporary:
        image.save(temporary, format="PNG", pnginfo=signed, **how)


def require_no_photograph(target: Path) -> None:
    """Raise FileExistsError if a file of this name begins like a picture and is no drawing of this program."""
    if begins_like_a_picture(target) and not is_drawing(target):
        raise FileExistsError(errno.EEXIST, "a picture of this name is not replaced; remove or rename it", str(target))


def is_drawing(path: Path) -> bool:
    """Whether a file exists and is a PNG that `write_drawing` wrote."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return b"tEXt" + b"\0".join(part.encode() for part in SIGNATURE) in stream.read(HEAD_BYTES)
