"""WebP files under this program's own limit of pixels, in place of Pillow's process-wide one."""

from __future__ import annotations

from typing import BinaryIO, cast

from PIL import WebPImagePlugin

_BEFORE_SIZE = 16
"""Bytes of a file before the size of its picture: RIFF, a length, WEBP, and the name of the first chunk."""


class WebpFile(WebPImagePlugin.WebPImageFile):
    """Pillow's reader, whose own check of the size refuses more than 179 megapixels, whatever the caller allows.

    It skips that check where the bytes it reads first do not hold the size. Readers before that of Pillow 13 have no
    check, and read all at once.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(cast(BinaryIO, _ShortFirst(stream)))


class _ShortFirst:
    """A stream whose first answer is short, as those of streams may be, unless all of it is asked for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._began = stream, False
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, count: int = -1) -> bytes:
        if self._began or count < 0:
            return self._stream.read(count)
        self._began = True
        return self._stream.read(_BEFORE_SIZE)
