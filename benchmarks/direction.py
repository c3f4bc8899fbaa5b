"""Is a worse version called worse, and a repair better? On photographs that nothing was fitted on.

    python benchmarks/direction.py FOLDERS... [--count N] [--model FOLDER] [--skip operators]

Give lossless photographs. Prints, of six ladders of ten strengths: versions called better than the original by more
than a point, and steps in the wrong order; of the engine's operators at severities 1 to 4: the share called worse; of
repairs, and of too much of them: the share called better, and worse; one grey level; how often each chance is right.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from difference_versions import LADDERS, Pixels, photographs, read

from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.models.loading import load_direction, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.training.direction.repairs import REPAIRS
from shamisa_cli.core.training.direction.versions import operated

Judge = Callable[[Pixels, Pixels], tuple[float, float]]
"""From two images to the score of the second against the first, and the direction."""
EDGES = (0, 0.2, 0.5, 0.8, 0.95, 1.01)


def judge_of(model: str) -> Judge:
    direction = load_direction(load_model(model))

    def judge(a: Pixels, b: Pixels) -> tuple[float, float]:
        found = difference(a, b)
        p = direction.better(a, b, found.local) if found.value else 0.0
        return p * found.value, p

    return judge


def ladders(pixels: Pixels, judge: Judge) -> Iterator[tuple[str, list[float], list[float]]]:
    """Name, scores against the original, and scores of each step against the one before."""
    for name, (damage, strengths) in LADDERS.items():
        versions = [damage(pixels, strength) for strength in strengths]
        against = [judge(pixels, version)[0] for version in versions]
        steps = [judge(first, second)[0] for first, second in pairwise(versions)]
        yield name, against, steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--skip", nargs="*", default=[], choices=["ladders", "operators", "repairs"])
    options = parser.parse_args()
    judge = judge_of(options.model)
    rows: dict[str, list[float]] = defaultdict(list)
    chances: list[tuple[float, bool]] = []
    for place, path in enumerate(photographs(options.folders)[: options.count]):
        pixels, rng = read(path), np.random.default_rng(place)
        if "ladders" not in options.skip:
            for name, against, steps in ladders(pixels, judge):
                rows[f"ladder {name}: better than the original by > 1"] += [score > 1 for score in against]
                rows[f"ladder {name}: steps in the wrong order"] += [score >= 0 for score in steps]
                rows[f"ladder {name}: steps wrong by > 3"] += [score > 3 for score in steps]
        if "operators" not in options.skip:
            for name in OPERATORS:
                for severity in (1, 2, 3, 4):
                    score, p = judge(pixels, operated(pixels, name, severity, rng))
                    rows[f"operator {name}: worse"].append(score < 0)
                    rows["operators: worse"].append(score < 0)
                    chances.append((p, score < 0))
        if "repairs" not in options.skip:
            for name, repair in REPAIRS.items():
                made = repair(pixels, rng)
                repaired, p = judge(made.damaged, made.repaired)
                rows[f"repair {name}: better"].append(repaired > 0)
                chances.append((p, p > 0))
                rows[f"repair {name}: worse than the original"].append(judge(pixels, made.repaired)[0] < 0)
                rows[f"overdone {name}: worse"].append(judge(made.damaged, made.overdone)[0] < 0)
        for step in (-1, 1):
            level = np.clip(pixels.astype(int) + step, 0, 255).astype(np.uint8)
            rows["one grey level: |score| ≥ 1"].append(abs(judge(pixels, level)[0]) >= 1)
        print(f"# {place + 1} {path}", flush=True)
    for name, values in sorted(rows.items()):
        print(f"{name:60s} {sum(values):5.0f} of {len(values):5d}  {np.mean(values):.4f}")
    p, right = np.abs([chance for chance, _ in chances]), np.array([good for _, good in chances])
    for low, high in pairwise(EDGES):
        inside = (p >= low) & (p < high)
        if inside.any():
            said = (1 + p[inside].mean()) / 2
            print(f"|p| {low}…{high}: {inside.sum()} pairs, right {right[inside].mean():.3f}, {said:.3f} said")


if __name__ == "__main__":
    main()
