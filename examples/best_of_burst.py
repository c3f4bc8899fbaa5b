"""Find the best picture of every burst in a folder: pictures taken within a moment of each other.

    python examples/best_of_burst.py FOLDER [--gap 2]

When a picture was taken stands in its EXIF data; of one without any, or that Pillow alone cannot open, the time of the
file counts. Pictures that cannot be read are named on stderr.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from PIL import ExifTags, Image

import shamisa_cli as shamisa


def taken(path: Path) -> float:
    """Seconds since some moment at which the picture was taken."""
    try:
        with Image.open(path) as picture:
            exif = picture.getexif().get_ifd(ExifTags.IFD.Exif)
        stamp = str(exif.get(ExifTags.Base.DateTimeOriginal, ""))
        fraction = str(exif.get(ExifTags.Base.SubsecTimeOriginal, "0")).strip() or "0"
        return datetime.strptime(f"{stamp}.{fraction[:6]}", "%Y:%m:%d %H:%M:%S.%f").timestamp()
    # A format of shamisa's extras, a camera whose clock was never set, more pixels than Pillow opens by itself, or
    # EXIF data that are damaged, for which Pillow has many kinds of errors.
    except Exception:
        return path.stat().st_mtime if path.exists() else 0.0  # removed since it was scored


def bursts(records: list[shamisa.ImageRecord], gap: float) -> list[list[shamisa.ImageRecord]]:
    """Pictures in the order they were taken, cut wherever more than `gap` seconds went by."""
    timed = sorted((taken(Path(record.path)), record.path, record) for record in records)
    groups: list[list[shamisa.ImageRecord]] = []
    last = float("-inf")
    for moment, _, record in timed:
        if moment - last > gap:
            groups.append([])
        groups[-1].append(record)
        last = moment
    return groups


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--gap", type=float, default=2.0, help="seconds between two pictures of one burst (default 2)")
    options = parser.parse_args()

    try:
        records = shamisa.score(options.folder)
    except shamisa.InputNotFoundError as error:
        parser.error(str(error))
    for record in records:
        if record.error is not None:
            print(record.error.message, file=sys.stderr)
    for burst in bursts([record for record in records if record.score is not None], options.gap):
        best = max(burst, key=lambda record: record.score)
        print(f"{best.score:5.1f}  {best.path}  (best of {len(burst)})")


if __name__ == "__main__":
    main()
