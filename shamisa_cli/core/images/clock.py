"""A limit on the time of decoding one picture, for decoders that give control back on the way."""

from __future__ import annotations

import time

SECONDS = 5.0
SECONDS_PER_MEGAPIXEL = 0.25
"""A progressive JPEG takes some 0.05 s a megapixel, a PNG some 0.03 s."""
_MEGAPIXEL = 1_000_000


class SlowPictureError(Exception):
    """Decoding a picture takes more time than pictures of its size do."""


class DecodeClock:
    """The processor time of this thread that one picture may take; a loaded machine does not shorten it.

    Args:
        pixels: of the whole picture.
    """

    def __init__(self, pixels: int) -> None:
        self._limit = SECONDS + SECONDS_PER_MEGAPIXEL * pixels / _MEGAPIXEL
        self._end = time.thread_time() + self._limit

    def check(self) -> None:
        """Raise SlowPictureError if the time is up."""
        if time.thread_time() > self._end:
            raise SlowPictureError(
                f"takes more than {self._limit:.0f} s to decode, several times as long as a picture of its size. "
                "Save it again as an ordinary JPEG or PNG"
            )
