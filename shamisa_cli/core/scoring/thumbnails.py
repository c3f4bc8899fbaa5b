"""Thumbnails of images, of their maps and sharpest parts, kept on disk until a report uses them."""

from __future__ import annotations

import io
import os
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.atomic import naming, replacing_folder
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import is_dir, is_link
from shamisa_cli.core.images.drawings import is_drawing, signed_webp
from shamisa_cli.core.records import ImageRecord

THUMBNAIL_SIDE = 256
"""Long side in pixels: sharp in a table on a dense screen, sufficient when opened, and some 7 kB."""
MAP_SIDE = 384
QUALITY = 60
TILE_QUALITY = 80

MOST_INLINE_BYTES = 64_000_000
"""Thumbnails of more are better written beside a page than into it: a browser reads the whole page first."""
MOST_BYTES_EACH = 65_000
"""More than the thumbnail and the sharpest part of any picture take: of random pixels, 47 and 11 kB."""

KINDS = THUMBNAIL, MAP, TILE = "thumbnail", "map", "tile"
FILE_NAMES = {THUMBNAIL: "{}.webp", MAP: "{}-map.webp", TILE: "{}-100.webp"}
OWN_FILE = re.compile(r"\d+(-map|-100)?\.webp")
LEFT_BY_VIEWERS = frozenset(("Thumbs.db", "desktop.ini", "@eaDir"))
"""What systems write into folders that someone looked at, beside hidden files."""


def encode_thumbnail(pixels: Pixels, long_side: int, quality: int = QUALITY) -> bytes:
    """Encode pixels (H, W, 3) as WebP, reduced to `long_side` and never enlarged."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((long_side, long_side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    file = io.BytesIO()
    picture.save(file, format="WEBP", quality=quality)
    return file.getvalue()


class Thumbnails:
    """WebP thumbnails of scored images, their maps and sharpest parts, in one temporary file deleted on closing.

    `add` is a `Watch` for `score_files`, `add_map` a `MapWatch` for `MapWriter`. Memory holds only their offsets.
    Several threads may add at once.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as this object
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        self._writing = threading.Lock()

    def __enter__(self) -> Thumbnails:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what could not be written was said then
            self._file.close()

    @property
    def has_maps(self) -> bool:
        """Whether any map was added."""
        return any(kind == MAP for _, kind in self._places)

    @property
    def total_bytes(self) -> int:
        """Size of all thumbnails together."""
        return sum(length for _, length in self._places.values())

    def add(self, record: ImageRecord, pixels: Pixels) -> None:
        """Store the thumbnail of an image, and its sharpest part at 100 % if that is in memory."""
        self._keep(record.path, THUMBNAIL, encode_thumbnail(pixels, THUMBNAIL_SIDE))
        if record.at_full_size is not None and record.at_full_size.pixels is not None:
            tile = np.repeat(record.at_full_size.pixels[..., None], 3, axis=2)
            self._keep(record.path, TILE, encode_thumbnail(tile, max(tile.shape), TILE_QUALITY))

    def add_map(self, path: Path | str, shown: Pixels) -> None:
        """Store the thumbnail of an image's map (H, W, 3), without frame and legend."""
        self._keep(str(path), MAP, encode_thumbnail(shown, MAP_SIDE))

    def read(self, path: str, kind: str) -> bytes | None:
        """The thumbnail of this kind of a record's image, as a WebP file; None if none was added."""
        if (path, kind) not in self._places:
            return None
        start, length = self._places[path, kind]
        self._file.seek(start)
        return self._file.read(length)

    def _keep(self, path: str, kind: str, content: bytes) -> None:
        with self._writing, naming(tempfile.gettempdir()):
            self._places[path, kind] = (self._file.seek(0, io.SEEK_END), len(content))
            self._file.write(content)
            self._file.flush()


@contextmanager
def folder_of_thumbnails(folder: Path) -> Iterator[Path]:
    """Yield a new folder, hidden until the block ends without an error; it then replaces the one of an earlier page.

    Raises:
        SettingError: the folder holds what is no thumbnail of an earlier page; see `require_own_folder`.
        OSError: it cannot be written.
    """
    require_own_folder(folder)
    with replacing_folder(folder) as new:
        yield new


def require_own_folder(folder: Path) -> None:
    """Raise SettingError if this is no folder of an earlier page's thumbnails, and nothing else, but is there."""
    what = f"The thumbnails of a page of many pictures go into {folder}"
    remedy = "Move it, or give the page another name."
    if os.path.lexists(folder) and (is_link(folder) or not is_dir(folder)):
        raise SettingError(f"{what}, which is no folder of an earlier page. {remedy}")
    foreign = sorted(file.name for file in folder.iterdir() if not _is_own(file)) if is_dir(folder) else []
    if foreign:
        raise SettingError(
            f"{what}, which holds {foreign[0]}, and no page of this version brought that. {remedy} If it is of an "
            "earlier version, delete the folder."
        )


def _is_own(file: Path) -> bool:
    """Whether a file of a folder is a thumbnail of an earlier page, or comes from looking at it."""
    left_there = file.name.startswith(".") or file.name in LEFT_BY_VIEWERS
    return left_there or (OWN_FILE.fullmatch(file.name) is not None and is_drawing(file))


def write_beside(thumbnails: Thumbnails, paths: Iterable[str], folder: Path) -> Iterator[list[str | None]]:
    """Write the thumbnails of each record's image into a folder; yield the names of its files in the order of `KINDS`.

    They are signed as drawings of this program. Raises OSError if one cannot be written.
    """
    for number, path in enumerate(paths):
        yield [_written(thumbnails.read(path, kind), folder / FILE_NAMES[kind].format(number)) for kind in KINDS]


def _written(content: bytes | None, file: Path) -> str | None:
    if content is None:
        return None
    with Image.open(io.BytesIO(content)) as picture:
        file.write_bytes(signed_webp(content, *picture.size))
    return file.name
