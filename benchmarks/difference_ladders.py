"""Does the difference rise with every step of compression, blur, noise and downscaling? And what do other changes make?

    python benchmarks/difference_ladders.py FOLDERS... [--count N]

Give lossless photographs that the scale was not fitted on. Prints the median difference at ten strengths of six kinds,
the steps that go down or stay (also by other ways to join the measures), the anchors (JPEG 4:2:0), and other changes.
"""

from __future__ import annotations

import argparse

import numpy as np
from difference_versions import LADDERS, Pixels, jpeg, photographs, read
from PIL import Image

from shamisa_cli.core.relational.difference.calibration import ANCHORS
from shamisa_cli.core.relational.difference.difference import MEASURES, difference


def shifted(pixels: Pixels, levels: int) -> Pixels:
    """All levels higher or lower by so many."""
    return np.clip(pixels.astype(np.int16) + levels, 0, 255).astype(np.uint8)


def dithered(pixels: Pixels) -> Pixels:
    """Each level moved by −1, 0 or 1 at random."""
    moved = np.random.default_rng(0).integers(-1, 2, pixels.shape)
    return np.clip(pixels + moved, 0, 255).astype(np.uint8)


def coloured(pixels: Pixels) -> Pixels:
    """A white balance that is off by 15 %."""
    return np.clip(pixels * np.array([1.15, 1, 0.87]), 0, 255).astype(np.uint8)


def grey(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


CHANGES = {
    "one level up": lambda pixels: shifted(pixels, 1),
    "one level down": lambda pixels: shifted(pixels, -1),
    "−1, 0 or 1 at random": dithered,
    "20 levels up": lambda pixels: shifted(pixels, 20),
    "one pixel to the side": lambda pixels: np.roll(pixels, 1, axis=1),
    "white balance": coloured,
    "no colour": grey,
}


STRENGTHS = 10


def wrong(differences: np.ndarray) -> int:
    """Steps (…, strengths) that go down or stay."""
    return int((np.diff(differences, axis=-1) <= 0).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--count", type=int, help="photographs, an equal share of each folder; all by default")
    options = parser.parse_args()
    photos = photographs(options.folders, options.count)
    steps = {kind: np.zeros((len(photos), len(strengths))) for kind, (_, strengths) in LADDERS.items()}
    apart = np.zeros((len(photos), len(LADDERS), STRENGTHS, len(MEASURES)))
    anchors, changes = np.zeros((len(photos), len(ANCHORS))), np.zeros((len(photos), len(CHANGES)))
    for row, path in enumerate(photos):
        pixels = read(path)
        for number, (kind, (make, strengths)) in enumerate(LADDERS.items()):
            found = [difference(pixels, make(pixels, strength)) for strength in strengths]
            steps[kind][row] = [each.value for each in found]
            apart[row, number] = [list(each.measures.values()) for each in found]
        anchors[row] = [difference(pixels, jpeg(pixels, quality)).value for quality in ANCHORS]
        changes[row] = [difference(pixels, make(pixels)).value for make in CHANGES.values()]
    print(f"{len(photos)} photographs")
    for kind, values in steps.items():
        medians = "  ".join(
            f"{strength:g}: {median:.1f}"
            for strength, median in zip(LADDERS[kind][1], np.median(values, axis=0), strict=True)
        )
        print(f"{kind:12} {wrong(values)} of {values[:, 1:].size} steps wrong   {medians}")
    total = apart[:, :, 1:, 0].size
    print(f"{'all':12} {sum(wrong(values) for values in steps.values())} of {total} steps wrong")
    others = {
        "median": np.median(apart, axis=-1),
        "mean without the highest": np.sort(apart, axis=-1)[..., :-1].mean(axis=-1),
    }
    for name, values in {**others, **dict(zip(MEASURES, np.moveaxis(apart, -1, 0), strict=True))}.items():
        print(f"  instead the {name}: {wrong(values)}")
    for quality, wanted, column in zip(ANCHORS, ANCHORS.values(), anchors.T, strict=True):
        low, high = np.percentile(column, (10, 90))
        print(f"JPEG {quality:3}: wanted {wanted:4.1f}, median {np.median(column):4.1f}, 8 of 10 {low:.1f}…{high:.1f}")
    for name, column in zip(CHANGES, changes.T, strict=True):
        print(f"{name}: median {np.median(column):.2f}, {column.min():.2f}…{column.max():.2f}")


if __name__ == "__main__":
    main()
