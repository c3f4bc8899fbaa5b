"""Is a worse version called worse, and a repair better? On photographs that nothing was fitted on.

    python benchmarks/direction.py FOLDERS... [--count 20] [--first N] [--model FOLDER] [--store DIR] [--plot FILE]

Give lossless photographs; the middle 448 × 448 pixels of each are used, all that a direction sees of a pair. Prints, of
six ladders of ten strengths: versions called better than the original by more than a point, and steps in the wrong
order; of the engine's operators at severities 1 to 4 (half of the operators for each photograph): the share called
worse; of repairs that bring the photograph nearer, and of too much of them: the share called better, and worse; a light
and a strong Gaussian blur of white noise in the same way; one grey level; how often each chance is right. What is
measured of a photograph is kept in --store (about 9 MB each), so another head of the same encoder is judged in seconds.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from difference_versions import LADDERS, Pixels, photographs, read
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.models.direction_files import read_direction
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.relational.direction.bands import layers
from shamisa_cli.core.relational.direction.direction import ALIGNED, WINDOW, with_scores
from shamisa_cli.core.relational.direction.head import DirectionHead
from shamisa_cli.core.relational.direction.image_statistics import image_statistics
from shamisa_cli.core.relational.direction.pair_statistics import pair_statistics
from shamisa_cli.core.relational.direction.requantisation import requantised
from shamisa_cli.core.training.direction.damages import to_levels
from shamisa_cli.core.training.direction.fit import chances
from shamisa_cli.core.training.direction.pairs import DirectionPairs
from shamisa_cli.core.training.direction.repairs import REPAIRS
from shamisa_cli.core.training.direction.versions import operated

VERSION = 5
SEVERITIES = (1, 2, 3, 4)
BLURRED_NOISE = ((8, 0.5), (15, 0.6), (25, 0.7), (40, 0.8))
"""Standard deviations of white noise in levels, and of the light blur in pixels that repairs it a little."""
TOO_BLURRED = 3.0
"""Standard deviation in pixels of the blur that takes far more than the noise."""
EDGES = (0, 0.2, 0.5, 0.8, 0.95, 1.01)
CERTAIN = ("ladder", "operator", "repaired", "overdone", "repair and original")
"""Tests whose order is known, for how often each chance is right."""


@dataclass(frozen=True)
class Pair:
    """Which two versions are compared, what for, and whether the second is better (1) or worse (−1)."""

    test: str
    name: str
    first: int
    second: int
    better: int


def versions_and_pairs(pixels: Pixels, place: int) -> tuple[list[Pixels], list[Pair]]:
    """All versions of a photograph, the first being itself, and what to compare."""
    rng = np.random.default_rng(place)
    made, pairs = [pixels], list[Pair]()

    def added(version: Pixels) -> int:
        made.append(version)
        return len(made) - 1

    for name, (damage, strengths) in LADDERS.items():
        steps = [added(damage(pixels, strength)) for strength in strengths]
        pairs += [Pair("ladder", name, 0, step, -1) for step in steps]
        pairs += [Pair("step", name, *both, -1) for both in pairwise(steps)]
    for name in list(OPERATORS)[place % 2 :: 2]:
        for severity in SEVERITIES:
            pairs.append(Pair("operator", name, 0, added(operated(pixels, name, severity, rng)), -1))
    for name, repair in REPAIRS.items():
        found = repair(pixels, rng)
        damaged, repaired, overdone = (added(version) for version in (found.damaged, found.repaired, found.overdone))
        if nearer(pixels, repaired=made[repaired], damaged=made[damaged]):
            pairs.append(Pair("repaired", name, damaged, repaired, 1))
        if nearer(pixels, repaired=made[damaged], damaged=made[overdone]):
            pairs.append(Pair("overdone", name, damaged, overdone, -1))
        pairs.append(Pair("repair and original", name, 0, repaired, -1))
    for step in (-1, 1):
        level = np.clip(pixels.astype(int) + step, 0, 255).astype(np.uint8)
        pairs.append(Pair("one grey level", "", 0, added(level), 0))
    for noise, width in BLURRED_NOISE:
        noisy = to_levels(pixels + rng.normal(0, noise, pixels.shape))
        damaged, mild, strong = (
            added(version) for version in (noisy, *(blurred(noisy, w) for w in (width, TOO_BLURRED)))
        )
        if nearer(pixels, repaired=made[mild], damaged=noisy):
            pairs.append(Pair("blurred noise", f"noise {noise}, blur {width}", damaged, mild, 1))
        if nearer(pixels, repaired=noisy, damaged=made[strong]):
            pairs.append(Pair("noise blurred away", f"noise {noise}, blur {TOO_BLURRED}", damaged, strong, -1))
    return made, pairs


def blurred(pixels: Pixels, width: float) -> Pixels:
    """Gaussian blur of this standard deviation in pixels."""
    return to_levels(gaussian_filter(pixels.astype(np.float32), (width, width, 0)))


def nearer(original: Pixels, *, repaired: Pixels, damaged: Pixels) -> bool:
    """Whether difference and squared error both say so: a filter takes detail too, and not every one repairs."""
    errors = [np.square(original.astype(float) - pixels).mean() for pixels in (repaired, damaged)]
    apart = [difference(original, pixels).value for pixels in (repaired, damaged)]
    return bool(errors[0] < errors[1] and apart[0] < apart[1])


def middle(path: Path) -> Pixels:
    """The middle of a photograph, of one window."""
    pixels = read(path)
    top, left = (max(0, side - WINDOW) // 2 // ALIGNED * ALIGNED for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + WINDOW, left : left + WINDOW])


Maker = Callable[[Pixels, int], tuple[list[Pixels], list[Pair]]]
"""Versions of a photograph, the first being itself, and what to compare; the number is the photograph's place."""


def measure(path: Path, place: int, model: Model, make: Maker) -> dict[str, NDArray[Any]]:
    """What a direction is told of each pair of versions of a photograph, and the difference of the two."""
    made, pairs = make(middle(path), place)
    planes = [layers(version) for version in made]
    odd, even = zip(*(pair_statistics(planes[pair.first], planes[pair.second]) for pair in pairs), strict=True)
    return {
        "features": np.stack([model.encoder.embed(version) for version in made]).astype(np.float16),
        "statistics": np.stack([image_statistics(version) for version in made]),
        "difference": np.array([difference(made[pair.first], made[pair.second]).value for pair in pairs]),
        "proved": np.array([requantised(made[pair.first], made[pair.second]) for pair in pairs]),
        "pairs": np.array([(pair.test, pair.name) for pair in pairs]),
        "places": np.array([(pair.first, pair.second, pair.better) for pair in pairs]),
        "odd": np.stack(odd),
        "even": np.stack(even),
    }


def measured(
    path: Path, place: int, model: Model, store: Path | None, make: Maker = versions_and_pairs
) -> dict[str, NDArray[Any]]:
    """The same from the store, if it is there."""
    if store is None:
        return measure(path, place, model, make)
    key = f"{VERSION} {make.__name__} {place} {model.encoder_fingerprint}".encode() + path.read_bytes()
    kept = store / f"{hashlib.sha256(key).hexdigest()[:24]}.npz"
    if not kept.exists():
        store.mkdir(parents=True, exist_ok=True)
        np.savez(kept.with_suffix(".part.npz"), **measure(path, place, model, make))
        kept.with_suffix(".part.npz").replace(kept)
    with np.load(kept) as stored:
        return dict(stored)


@dataclass(frozen=True)
class Row:
    """A judged pair."""

    test: str
    name: str
    better: int
    direction: float
    difference: float

    @property
    def score(self) -> float:
        return self.direction * self.difference

    @property
    def right(self) -> bool:
        return self.score * self.better > 0


def judged(found: dict[str, NDArray[Any]], head: DirectionHead, probe: Probe | None) -> Iterator[Row]:
    first, second, better = found["places"].T
    nothing = np.zeros(len(better))
    pairs = DirectionPairs(
        found["features"], found["statistics"], first, second, better, nothing, nothing, found["odd"], found["even"]
    )
    directions = list(chances(head, pairs))
    if probe is not None:
        scores = 100 * probe.predict(found["features"].astype(np.float32))
        points = scores[second] - scores[first]
        directions = [with_scores(float(p), float(by)) for p, by in zip(directions, points, strict=True)]
    directions = list(np.where(found["proved"], found["proved"], directions))
    rows = zip(found["pairs"], better, directions, found["difference"], strict=True)
    for (test, name), order, direction, apart in rows:
        yield Row(str(test), str(name), int(order), float(direction), float(apart))


def report(rows: list[Row]) -> Iterator[str]:
    """Lines of text: for each test and name how many are as they should be."""
    for test in dict.fromkeys(row.test for row in rows):
        of_test = [row for row in rows if row.test == test]
        for name in [*dict.fromkeys(row.name for row in of_test), None]:
            chosen = [row for row in of_test if name in (row.name, None)]
            yield f"{test + ': ' + (name or 'all'):42s} {_summary(test, chosen)}"
    yield ""
    yield "|direction|      pairs  right  expected"
    for low, high, count, right, said in calibration(rows):
        yield f"{low:4} to {min(high, 1):<5} {count:9d}  {right:.3f}  {said:.3f}"


def _summary(test: str, rows: list[Row]) -> str:
    right, scores = sum(row.right for row in rows), [row.score for row in rows]
    if test == "one grey level":
        return f"|score| at most {max(map(abs, scores)):.2f}; {sum(abs(x) >= 1 for x in scores)} of {len(rows)} from 1"
    wrong = sum(row.score * row.better < -1 for row in rows)
    return f"right {right:5d} of {len(rows):5d} ({right / len(rows):.4f}); wrong by more than a point {wrong}"


def calibration(rows: list[Row]) -> list[tuple[float, float, int, float, float]]:
    """Of the pairs with a |direction| in each range: how many, how many are right, and how many should be."""
    certain = [row for row in rows if row.test in CERTAIN]
    p, right = np.array([abs(row.direction) for row in certain]), np.array([row.right for row in certain])
    found = []
    for low, high in pairwise(EDGES):
        inside = (p >= low) & (p < high)
        if inside.any():
            said = float((1 + p[inside].mean()) / 2)
            found.append((low, high, int(inside.sum()), float(right[inside].mean()), said))
    return found


def plot(rows: list[Row], path: Path) -> None:
    from matplotlib.figure import Figure

    points = calibration(rows)
    figure = Figure(figsize=(5, 5))
    axes = figure.add_subplot()
    axes.plot([0.5, 1], [0.5, 1], color="0.7", linewidth=1, label="chances that hold")
    axes.plot([said for *_, said in points], [right for *_, right, _ in points], "o-", color="#3366aa")
    for _, _, count, right, said in points:
        axes.annotate(f"{count:,}", (said, right), textcoords="offset points", xytext=(6, -12), fontsize=8)
    axes.set(xlabel="chance that the direction gives", ylabel="share in the right order", xlim=(0.48, 1.02))
    axes.set_ylim(min(0.48, *(right - 0.05 for *_, right, _ in points)), 1.02)
    axes.legend(frameon=False)
    figure.savefig(path, bbox_inches="tight")


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """The parser of a benchmark of the direction, with the folders, the model and the store."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--store", type=Path)
    return parser


def opened(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, Model, DirectionHead]:
    """What was typed, the model, and its direction."""
    options = parser.parse_args()
    model = load_model(options.model)
    head = None if model.folder is None else read_direction(model.folder.files)
    if head is None:
        parser.error(f"{options.model} has no direction.")
    return options, model, head


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--first", type=int, help="judge only so many of them")
    parser.add_argument("--plot", type=Path)
    options, model, head = opened(parser)
    rows: list[Row] = []
    for place, path in enumerate(photographs(options.folders, options.count)[: options.first]):
        rows += judged(measured(path, place, model, options.store), head, model.probe)
        print(f"# {place + 1} {path.name}", flush=True)
    print("\n".join(report(rows)))
    if options.plot is not None:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
