"""Does the difference rise with every step of compression, blur, noise and downscaling? And what can nobody see?

    python benchmarks/difference_ladders.py FOLDERS... [--count N]

Give lossless photographs that the scale was not fitted on. Prints the median difference at ten strengths of six kinds,
the steps that go down or stay, the anchors (JPEG 4:2:0), and changes of one level.
"""

from __future__ import annotations

import argparse

import numpy as np
from difference_versions import LADDERS, Pixels, jpeg, photographs, read

from shamisa_cli.core.relational.difference.calibration import ANCHORS
from shamisa_cli.core.relational.difference.difference import difference


def shifted(pixels: Pixels, levels: int) -> Pixels:
    """All levels higher or lower by so many."""
    return np.clip(pixels.astype(np.int16) + levels, 0, 255).astype(np.uint8)


def dithered(pixels: Pixels) -> Pixels:
    """Each level moved by −1, 0 or 1 at random."""
    moved = np.random.default_rng(0).integers(-1, 2, pixels.shape)
    return np.clip(pixels + moved, 0, 255).astype(np.uint8)


UNSEEN = {
    "one level up": lambda pixels: shifted(pixels, 1),
    "one level down": lambda pixels: shifted(pixels, -1),
    "−1, 0 or 1 at random": dithered,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--count", type=int, help="photographs, an equal share of each folder; all by default")
    options = parser.parse_args()
    photos = photographs(options.folders, options.count)
    steps = {kind: np.zeros((len(photos), len(strengths))) for kind, (_, strengths) in LADDERS.items()}
    anchors, unseen = np.zeros((len(photos), len(ANCHORS))), np.zeros((len(photos), len(UNSEEN)))
    for row, path in enumerate(photos):
        pixels = read(path)
        for kind, (make, strengths) in LADDERS.items():
            steps[kind][row] = [difference(pixels, make(pixels, strength)).value for strength in strengths]
        anchors[row] = [difference(pixels, jpeg(pixels, quality)).value for quality in ANCHORS]
        unseen[row] = [difference(pixels, make(pixels)).value for make in UNSEEN.values()]
    print(f"{len(photos)} photographs")
    wrong = {kind: int((np.diff(values, axis=1) <= 0).sum()) for kind, values in steps.items()}
    for kind, values in steps.items():
        medians = "  ".join(
            f"{strength:g}: {median:.1f}"
            for strength, median in zip(LADDERS[kind][1], np.median(values, axis=0), strict=True)
        )
        print(f"{kind:12} {wrong[kind]} of {values[:, 1:].size} steps wrong   {medians}")
    total = sum(values[:, 1:].size for values in steps.values())
    print(f"{'all':12} {sum(wrong.values())} of {total} steps wrong")
    for quality, wanted, column in zip(ANCHORS, ANCHORS.values(), anchors.T, strict=True):
        low, high = np.percentile(column, (10, 90))
        print(f"JPEG {quality:3}: wanted {wanted:4.1f}, median {np.median(column):4.1f}, 8 of 10 {low:.1f}…{high:.1f}")
    for name, column in zip(UNSEEN, unseen.T, strict=True):
        print(f"{name}: median {np.median(column):.2f}, largest {column.max():.2f}")


if __name__ == "__main__":
    main()
