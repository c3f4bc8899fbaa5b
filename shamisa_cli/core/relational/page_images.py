"""Small copies of compared images and of their maps, kept on disk until a page uses them."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType

from PIL import Image

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.atomic import naming
from shamisa_cli.core.relational.figures import difference_map, overlay
from shamisa_cli.core.relational.records import DIFFERENCE, OVERALL, Candidate

LONG_SIDE = 1200
"""Long side in pixels: fills the page, and shows most of what compression does."""
PICTURE_QUALITY, MAP_QUALITY = 90, 75
"""WebP qualities: the copies of pictures should not add changes that can be seen."""


class ComparisonImages:
    """WebP copies of both images of each comparison and of two maps, in one temporary file deleted on closing.

    A `Watch` for `compare_with` and `compare_pairs`. Equal copies, as of a reference with many candidates, are kept
    once. Memory holds only their offsets.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as this object
        self._spans: list[tuple[int, int]] = []
        self._numbers: dict[bytes, int] = {}
        self._shown: dict[tuple[str, str], tuple[int, ...]] = {}

    def __enter__(self) -> ComparisonImages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what could not be written was said then
            self._file.close()

    def __call__(self, candidate: Candidate, reference: Pixels, pixels: Pixels) -> None:
        """Keep copies of one comparison."""
        assert candidate.maps is not None
        drawn = (
            (Image.fromarray(reference), PICTURE_QUALITY),
            (Image.fromarray(pixels), PICTURE_QUALITY),
            (difference_map(pixels, candidate.maps[DIFFERENCE]), MAP_QUALITY),
            (Image.fromarray(overlay(pixels, candidate.maps[OVERALL], OVERALL)), MAP_QUALITY),
        )
        kept = tuple(self._kept(_encoded(picture, quality)) for picture, quality in drawn)
        self._shown[candidate.reference, candidate.path] = kept

    def numbers(self, candidate: Candidate) -> tuple[int, ...] | None:
        """Places among the copies: reference, candidate, difference, overall change; None if it was not compared."""
        return self._shown.get((candidate.reference, candidate.path))

    def __iter__(self) -> Iterator[bytes]:
        """All copies as WebP files, in the order of their numbers."""
        for start, length in self._spans:
            self._file.seek(start)
            yield self._file.read(length)

    def _kept(self, content: bytes) -> int:
        digest = hashlib.sha256(content).digest()
        if digest not in self._numbers:
            self._numbers[digest] = len(self._spans)
            with naming(tempfile.gettempdir()):
                self._spans.append((self._file.seek(0, io.SEEK_END), len(content)))
                self._file.write(content)
                self._file.flush()
        return self._numbers[digest]


def _encoded(picture: Image.Image, quality: int) -> bytes:
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, format="WEBP", quality=quality)
    return file.getvalue()
