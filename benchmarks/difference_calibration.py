"""Fits the scale of the difference to JPEG: which distance of each measure means which difference?

    python benchmarks/difference_calibration.py FOLDERS... [--count 40] [--plot FILE]

Give folders of lossless photographs; those beyond a megapixel are reduced to one. Each is saved as JPEG (4:2:0) at
rising compression. The medians of each measure become shamisa_cli/core/relational/difference/calibration.json, and the
script prints what difference they then mean. Takes about five minutes of one processor.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from difference_versions import Pixels, jpeg, photographs, read
from numpy.typing import NDArray

from shamisa_cli.core.relational.difference import calibration
from shamisa_cli.core.relational.difference.calibration import MEAN, Calibration, difference_at
from shamisa_cli.core.relational.difference.difference import MEASURES

QUALITIES = (100, 98, 95, 90, 83, 75, 65, 50, 35, 25, 20, 14, 10, 5, 1)
TARGET = Path(calibration.__file__).with_name(calibration.FILE)
SIGNIFICANT = 5

Distances = NDArray[np.float64]


def distances(a: Pixels, b: Pixels) -> list[float]:
    """Of one pair, by each measure."""
    return [measure(a, b).distance for measure in MEASURES.values()]


def measured(photos: Sequence[Path]) -> tuple[Distances, Distances]:
    """(photographs, qualities, measures) against their JPEGs, and (pairs, measures) of photographs in a row."""
    coded, unrelated = [], []
    before: Pixels | None = None
    for path in photos:
        pixels = read(path)
        coded.append([distances(pixels, jpeg(pixels, quality)) for quality in QUALITIES])
        if before is not None:
            height, width = np.minimum(before.shape, pixels.shape)[:2]
            unrelated.append(distances(before[:height, :width], pixels[:height, :width]))
        before = pixels
    return np.array(coded), np.array(unrelated)


def fitted(coded: Distances, unrelated: Distances) -> tuple[Calibration, Distances]:
    """The calibration, and the differences (photographs, qualities, measures) that it gives."""
    names = list(MEASURES)
    medians = {name: _rounded(np.median(coded[..., number], axis=0)) for number, name in enumerate(names)}
    far = {name: _rounded(np.median(unrelated[:, number : number + 1], axis=0))[0] for number, name in enumerate(names)}
    for name, values in medians.items():
        if not np.all(np.diff([0, *values, far[name], calibration.WORST_DISTANCE]) > 0):
            raise SystemExit(f"{name} does not rise from quality to quality; give more photographs.")
    first = Calibration(QUALITIES, medians, far)
    read_by_each = np.stack([_read(first, name, coded[..., number]) for number, name in enumerate(names)], axis=-1)
    means = _rounded(np.median(read_by_each.mean(axis=-1), axis=0))
    return Calibration(QUALITIES, {**medians, MEAN: means}, far), read_by_each


def _read(found: Calibration, name: str, values: Distances) -> Distances:
    return np.asarray(np.vectorize(lambda value: found.read(name, value))(values))


def _rounded(values: Distances) -> tuple[float, ...]:
    return tuple(float(f"{value:.{SIGNIFICANT}g}") for value in values)


def written(found: Calibration) -> str:
    """The calibration as JSON with a line for each measure."""
    lines = [f'  "{name}": {json.dumps(values)}' for name, values in found.distances.items()]
    return (
        f'{{\n "qualities": {json.dumps(found.qualities)},\n "distances": {{\n'
        + ",\n".join(lines)
        + f'\n }},\n "unrelated": {json.dumps(found.unrelated)}\n}}\n'
    )


def plot(found: Calibration, consensus: Distances, path: Path) -> None:
    """The curves of the measures, and the differences of all photographs by quality."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), dpi=110, layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    for name, label in zip(MEASURES, ("1 − VSI", "MDSI", "1 − HaarPSI", "MS-GMSDc"), strict=True):
        given, wanted = found.curve(name)
        fine = np.geomspace(given[1] / 3, given[-1], 400)
        (line,) = left.plot(fine, [found.read(name, value) for value in fine], label=label)
        left.plot(given[1:-2], wanted[1:-2], "o", markersize=3.5, color=line.get_color())
        left.plot(given[-2], wanted[-2], "s", markersize=4.5, color=line.get_color())
    left.set(xscale="log", xlabel="distance by the measure", ylabel="difference", ylim=(0, 102))
    left.set_title("What each measure's distance means", fontsize=11, loc="left")
    left.legend(frameon=False, loc="upper left")
    right.fill_between(QUALITIES, *np.percentile(consensus, (10, 90), axis=0), alpha=0.2, label="8 of 10 photographs")
    right.plot(QUALITIES, np.median(consensus, axis=0), "o-", markersize=3.5, label="median")
    for quality in (95, 90, 75, 20):
        value = calibration.ANCHORS[quality]
        right.annotate(f"{value:.0f} at {quality}", (quality, value), (7, 3), textcoords="offset points", fontsize=9)
    right.set(xlabel="JPEG quality", ylabel="difference", ylim=(0, 102), xlim=(0, 112), xticks=range(0, 101, 20))
    right.set_title(f"Photographs against their JPEGs ({len(consensus)} photographs)", fontsize=11, loc="left")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--count", type=int, default=40, help="photographs, an equal share of each folder")
    parser.add_argument("--plot", type=Path, help="PNG of the curves")
    options = parser.parse_args()
    photos = photographs(options.folders, options.count)
    found, by_measure = fitted(*measured(photos))
    TARGET.write_text(written(found), encoding="utf-8")
    consensus = _read(found, MEAN, by_measure.mean(axis=-1))
    print(f"{len(photos)} photographs\nquality  wanted  median  8 of 10")
    for quality, column in zip(QUALITIES, consensus.T, strict=True):
        low, high = np.percentile(column, (10, 90))
        print(f"{quality:7}  {difference_at(quality):6.1f}  {np.median(column):6.1f}  {low:.1f}…{high:.1f}")
    if options.plot:
        plot(found, consensus, options.plot)


if __name__ == "__main__":
    main()
