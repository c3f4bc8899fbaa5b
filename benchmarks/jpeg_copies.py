"""Is a copy of a JPEG called worse than the JPEG? On photographs that were JPEGs as they came, and are in no fit.

    python benchmarks/jpeg_copies.py FOLDERS... [--count 40] [--without LIST] [--model FOLDER] [--store DIR]

The middle 448 × 448 pixels of each photograph are saved again as JPEG (4:2:0, and 4:4:4), WebP and AVIF at several
qualities. Prints how many copies are called better than their original, and by more than a point. --without names a
list of photographs, of which none is used, nor one of the same name: the fit's list by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from difference_versions import Pixels, coded, photographs
from direction import Pair, Row, judged, measured, opened, parser_of
from reference_measures import coding

FITTED = Path(__file__).with_name("direction_photographs.txt")
COPIES: dict[str, tuple[str, tuple[int, ...], dict[str, object]]] = {
    "JPEG": ("JPEG", (98, 95, 92, 88, 85, 80, 75, 70, 50, 30), {"subsampling": "4:2:0"}),
    "JPEG 4:4:4": ("JPEG", (95, 85, 75, 70, 60), {"subsampling": "4:4:4"}),
    "WebP": ("WEBP", (95, 90, 80, 70, 50), {}),
    "AVIF": ("AVIF", (95, 90, 80, 70, 50), {"speed": 8}),
}
"""Name → Pillow's format, qualities, and other settings."""


def copies(pixels: Pixels, _place: int) -> tuple[list[Pixels], list[Pair]]:
    """The photograph and its copies, each of which is worse than it."""
    made, pairs = [pixels], list[Pair]()
    for name, (kind, qualities, settings) in COPIES.items():
        for quality in qualities:
            made.append(coded(pixels, kind, quality, **settings))
            if not np.array_equal(made[-1], pixels):
                pairs.append(Pair(name, str(quality), 0, len(made) - 1, -1))
    return made, pairs


def unfitted(paths: list[Path], listed: Path) -> list[Path]:
    """Those that a list of photographs does not name, whole or halved: a reference ends in its source's name."""
    names = {Path(line).stem for line in listed.read_text(encoding="utf-8").split()}
    names |= {name.partition("_")[2] for name in names}
    return [path for path in paths if path.stem not in names]


def report(rows: list[Row]) -> Iterator[str]:
    """Lines of text: of each format and quality, and of all."""
    for test in [*dict.fromkeys(row.test for row in rows), None]:
        of_test = [row for row in rows if test in (row.test, None)]
        for name in [*(dict.fromkeys(row.name for row in of_test) if test else ()), None]:
            scores = [row.score for row in of_test if name in (row.name, None)]
            better, clearly = (sum(score > points for score in scores) for points in (0, 1))
            of = f"{test or 'all'} {name or ''}"
            yield (
                f"{of:16s} {len(scores):5d} copies: better {better:3d}, by more than a point {clearly:3d}, "
                f"at most {max(scores):+.1f}"
            )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--count", type=int, default=40, help="of photographs")
    parser.add_argument("--without", type=Path, default=FITTED, metavar="LIST")
    options, model, head = opened(parser)
    rows: list[Row] = []
    for folder in options.folders:
        free = unfitted(photographs([folder]), options.without)
        drawn = np.random.default_rng(0).permutation(len(free))[: options.count // len(options.folders)]
        for path in (free[place] for place in sorted(drawn)):
            if coding(path).quality is None:
                parser.error(f"{path} is not a JPEG.")
            found = list(judged(measured(path, 0, model, options.store, copies), head, model.probe))
            rows += found
            worst = max(found, key=lambda row: row.score)
            print(f"# {path.name}: at most {worst.score:+.1f}, {worst.test} {worst.name}", flush=True)
    print("\n".join(report(rows)))


if __name__ == "__main__":
    main()
