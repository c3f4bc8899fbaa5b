"""Writes degraded versions of photographs, and a table of what was done to each.

    python benchmarks/degraded_versions.py PHOTOS... -o FOLDER [--severities 0 1 2 3 4] [--long-side 512]

The folder gets a lossless WebP for every photograph, operator of the distortion engine and severity, the untouched
photographs, and `versions.csv` with the columns image, photo, group, operator and severity (the last is empty for the
untouched ones). Show where a model's features put them:

    shamisa embed FOLDER -o features.parquet --plot map.html --table FOLDER/versions.csv --color-by group
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.registry import BY_GROUP
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.images import decode, discover

TABLE = "versions.csv"
COLUMNS = ("image", "photo", "group", "operator", "severity")
UNTOUCHED = "untouched"
SEVERITIES = (0.0, 1.0, 2.0, 3.0, 4.0)


def versions(photo: Path, severities: Sequence[float], long_side: int) -> Iterator[tuple[str, str, str, Image.Image]]:
    """Group, operator, severity and picture of each version of a photograph, the untouched one first."""
    whole = Image.fromarray(decode(photo, view_size=long_side).pixels)
    yield UNTOUCHED, UNTOUCHED, "", whole
    pixels = pil_to_tensor(whole)[None].float() / 255
    for group in GROUPS:
        for operator in BY_GROUP[group]:
            for severity in severities:
                generator = torch.Generator().manual_seed(0)
                degraded = apply_operator(pixels, operator.name, severity, generator, angle=math.pi / 6)
                yield group, operator.name, f"{severity:g}", to_pil_image(degraded[0])


def write_versions(photos: Sequence[Path], folder: Path, severities: Sequence[float], long_side: int) -> int:
    """Write pictures and table; gives how many pictures there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for photo in photos:
            for group, operator, severity, picture in versions(photo, severities, long_side):
                name = "_".join(part for part in (photo.stem, operator.replace(" ", "-"), severity) if part) + ".webp"
                picture.save(folder / name, lossless=True, quality=20)
                table.writerow((name, photo.stem, group, operator, severity))
                count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--severities", nargs="+", type=float, default=SEVERITIES)
    parser.add_argument("--long-side", type=int, default=512)
    options = parser.parse_args()
    count = write_versions(discover(options.photos), options.output, options.severities, options.long_side)
    print(f"{options.output}: {count:,} pictures and {TABLE}")


if __name__ == "__main__":
    main()
