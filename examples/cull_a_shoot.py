"""Cull a shoot: keep the better part of a folder, and set the rest aside.

    python examples/cull_a_shoot.py FOLDER [--keep 50] [--move-to REJECTS]

Without --move-to nothing is moved; look at the list first. Nothing is ever deleted or overwritten. Scores judge
technique and not the moment, so this saves looking at the worst, and does not choose the best.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import shamisa_cli as shamisa


def set_aside(picture: Path, folder: Path) -> None:
    """Move a picture into `folder`, under another name where there is one of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / picture.name
    number = 1
    while target.exists():
        target = folder / f"{picture.stem}-{number}{picture.suffix}"
        number += 1
    shutil.move(picture, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--keep", type=float, default=50.0, help="how many per cent to keep (default 50)")
    parser.add_argument("--move-to", type=Path, help="where to move the rest")
    options = parser.parse_args()

    records = shamisa.score(options.folder)
    ranked = sorted((record for record in records if record.score is not None), key=lambda record: -record.score)
    kept = round(len(ranked) * options.keep / 100)
    for place, record in enumerate(ranked):
        print(f"{'keep' if place < kept else 'cull'}  {record.score:5.1f}  {record.path}")
    for record in records:
        if record.error is not None:
            print(f"skip     --  {record.path}: {record.error.message}")
    if options.move_to is not None:
        for record in ranked[kept:]:
            set_aside(Path(record.path), options.move_to)


if __name__ == "__main__":
    main()
