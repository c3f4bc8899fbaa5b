"""Capture times of photographs, from EXIF."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from shamisa_cli.core.images.metadata import read_metadata

FORMAT = "%Y:%m:%d %H:%M:%S"
"""EXIF 2.3, tags 0x9003 (DateTimeOriginal) and 0x9291 (SubSecTimeOriginal)."""


def capture_time(path: Path) -> datetime | None:
    """The moment a photograph was taken, in the camera's own time zone, without one; None if the file does not say.

    Raises nothing: damaged files and files of other kinds have no capture time.
    """
    metadata = read_metadata(path)
    return read_capture_time(metadata.stamp, metadata.fraction)


def read_capture_time(stamp: object, fraction: object = None) -> datetime | None:
    """The time in EXIF's texts for a moment and for the fraction of its second; None if there is none in them."""
    try:
        moment = datetime.strptime(str(stamp).strip("\0 "), FORMAT)
    except ValueError:
        return None
    digits = str(fraction or "").strip("\0 ")
    return moment.replace(microsecond=round(float(f"0.{digits}") * 1e6) % 1_000_000) if digits.isdecimal() else moment
