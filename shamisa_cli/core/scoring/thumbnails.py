"""Thumbnails of the images of a run and of their maps, kept on disk until a report uses them."""

from __future__ import annotations

import io
import tempfile
from types import TracebackType

from PIL import Image

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring.heatmap import overlay
from shamisa_cli.core.scoring.score_map import ScoreMap

THUMBNAIL_SIDE = 256
"""Long side in pixels: sharp in a table on a dense screen, sufficient when opened, and some 7 kB."""
MAP_SIDE = 384
QUALITY = 60


def encode_thumbnail(pixels: Pixels, long_side: int) -> bytes:
    """Encode pixels (H, W, 3) as WebP, reduced to `long_side` and never enlarged."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((long_side, long_side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    file = io.BytesIO()
    picture.save(file, format="WEBP", quality=QUALITY)
    return file.getvalue()


class Thumbnails:
    """WebP thumbnails of scored images and of their maps, in one temporary file that is deleted on closing.

    `add` is a `Watch` for `score_files`, `add_map` a `MapWatch` for `MapWriter`. Memory holds only their offsets.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as this object
        self._thumbnails: dict[str, tuple[int, int]] = {}
        self._maps: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Thumbnails:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def has_maps(self) -> bool:
        """Whether any map was added."""
        return bool(self._maps)

    def add(self, record: ImageRecord, pixels: Pixels) -> None:
        """Store the thumbnail of an image."""
        self._thumbnails[record.path] = self._kept(encode_thumbnail(pixels, THUMBNAIL_SIDE))

    def add_map(self, record: ImageRecord, pixels: Pixels, score_map: ScoreMap) -> None:
        """Store the thumbnail of an image's map, without frame and legend."""
        self._maps[record.path] = self._kept(encode_thumbnail(overlay(pixels, score_map), MAP_SIDE))

    def thumbnail(self, path: str) -> bytes | None:
        """The thumbnail of a record's image; None if none was added."""
        return self._read(self._thumbnails.get(path))

    def map(self, path: str) -> bytes | None:
        """The map of a record's image; None if none was added."""
        return self._read(self._maps.get(path))

    def _kept(self, content: bytes) -> tuple[int, int]:
        start = self._file.seek(0, io.SEEK_END)
        self._file.write(content)
        return start, len(content)

    def _read(self, place: tuple[int, int] | None) -> bytes | None:
        if place is None:
            return None
        start, length = place
        self._file.seek(start)
        return self._file.read(length)
