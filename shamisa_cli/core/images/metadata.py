"""Metadata that a picture's file holds, EXIF and XMP, read without decoding its pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from PIL import ExifTags, Image

from shamisa_cli.core.existence import is_file
from shamisa_cli.core.images.boxes import top_boxes
from shamisa_cli.core.images.decoder_warnings import collected
from shamisa_cli.core.images.formats import HEAD_BYTES, is_raw_file, open_image
from shamisa_cli.core.images.jxl import JxlFile, metadata_in
from shamisa_cli.core.images.pillow_switches import as_shipped
from shamisa_cli.core.images.png import PngFile, exif_of
from shamisa_cli.core.images.raw import preview_of
from shamisa_cli.core.images.tiff_directories import FIRST_BYTES, Directories

XMP_TAG, RATING = 700, 0x4746
"""Tags of TIFF; Windows and some cameras write the second, 0…5 stars."""
_XMP_OF_ISO_MEDIA = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_LARGEST_PACKET = 16_000_000

Tags = Mapping[int, Any]
_NO_TAGS: Tags = {}
T = TypeVar("T")


@dataclass(frozen=True)
class Metadata:
    """Metadata of one file.

    Attributes:
        rating: of EXIF, 0…5 stars; None without one.
        stamp, fraction: EXIF's texts for the moment it was taken at, and for the fraction of its second; None without.
        xmp: the XMP packet; empty without one.
    """

    rating: int | None = None
    stamp: str | None = None
    fraction: str | None = None
    xmp: bytes = b""


def read_metadata(path: Path) -> Metadata:
    """The metadata of a file. Raises nothing: damaged files and files of other kinds have none.

    A camera RAW file is not developed; those of RAF, CR3 and other files that are not made like a TIFF are of its
    preview, but for the XMP packet of a CR3.
    """
    try:
        if not is_file(path) or not path.stat().st_size:  # reading /proc/kmsg, of no size, may never end
            return Metadata()
        with as_shipped(), collected(), path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            return _of_tiff(stream) if head.startswith(FIRST_BYTES) else _of_other(path, stream, head)
    except Exception:  # damaged files make Pillow raise many types
        return Metadata()


def _of_tiff(stream: BinaryIO) -> Metadata:
    directories = Directories(stream)
    tags = directories.first
    place = _value(tags, ExifTags.IFD.Exif)
    exif = _unless_damaged(lambda: directories.at(place), _NO_TAGS) if isinstance(place, int) else _NO_TAGS
    return _metadata(tags, exif, _value(tags, XMP_TAG))


def _of_other(path: Path, stream: BinaryIO, head: bytes) -> Metadata:
    found = _of_image(path, stream, head)
    if found.xmp or head[4:8] != b"ftyp":
        return found
    return replace(found, xmp=_unless_damaged(lambda: _packet_in_box(stream), b""))


def _of_image(path: Path, stream: BinaryIO, head: bytes) -> Metadata:
    stream.seek(0)
    image = preview_of(stream) if is_raw_file(head) else open_image(path, stream)
    if image is None:
        return Metadata()
    with image:
        if isinstance(image, JxlFile):  # which scores need none of
            image.info.update(metadata_in(stream))
        tags = _unless_damaged(image.getexif, Image.Exif())
        profiles = image.raw_profiles() if isinstance(image, PngFile) else {}
        if "exif" in profiles and not tags:
            tags = _unless_damaged(lambda: exif_of(profiles["exif"]), tags)
        exif = _unless_damaged(lambda: tags.get_ifd(ExifTags.IFD.Exif), _NO_TAGS)
        return _metadata(tags, exif, image.info.get("xmp") or profiles.get("xmp"))


def _packet_in_box(stream: BinaryIO) -> bytes:
    """The XMP packet in a box of its own, as in CR3 files."""
    for box in top_boxes(stream):
        if box.kind == b"uuid" and box.read(stream, 16) == _XMP_OF_ISO_MEDIA:
            return box.read(stream, _LARGEST_PACKET)[16:]
    return b""


def _metadata(tags: Tags, exif: Tags, xmp: object) -> Metadata:
    rating, stamp = _value(tags, RATING), _value(exif, ExifTags.Base.DateTimeOriginal)
    fraction = _value(exif, ExifTags.Base.SubsecTimeOriginal)
    return Metadata(
        rating if isinstance(rating, int) else None,
        stamp if isinstance(stamp, str) else None,
        fraction if isinstance(fraction, str) else None,
        xmp if isinstance(xmp, bytes) else b"",
    )


def _value(tags: Tags, number: int) -> object:
    """The value of a tag; None without one, or where it is damaged, which is seen when it is asked for."""
    return _unless_damaged(lambda: tags.get(number), None)


def _unless_damaged(read: Callable[[], T], otherwise: T) -> T:
    """Read one part of the metadata, so that a damaged one takes no other with it."""
    try:
        return read()
    except Exception:  # Pillow raises many types
        return otherwise
