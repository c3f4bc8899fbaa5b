"""Whether the faults at 100 % tell something about human scores that the model's score does not.

    shamisa embed PICTURES -o features.npz
    python benchmarks/full_size_marks.py --mos mos.csv --features features.npz [--subset ss01] [--count 2000]

The table has the columns image, mos and subset. Ridge regression on the features of one half of the subset, and of
other pictures, scores the other half. Printed are the rank correlation of these scores with the human ones, and the
same once the faults are added by a linear regression with five folds (mean of twenty divisions).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from shamisa_cli.core.full_size.record import MEASURES
from shamisa_cli.core.images import decode

OTHERS, PENALTY = 1200, 0.05


def scores_of_halves(
    features: np.ndarray, marks: np.ndarray, judged: int, generator: np.random.Generator
) -> np.ndarray:
    """Scores (judged,) of the first rows, each from the other half of them and all later rows."""
    rows = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    rows = np.clip(rows, -2, 2)
    kernel = rows @ rows.T / rows.shape[1]
    order = generator.permutation(judged)
    found = np.empty(judged)
    for half, other in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        known = np.r_[half, judged : len(marks)]
        mean = marks[known].mean()
        weights = np.linalg.solve(kernel[np.ix_(known, known)] + PENALTY * np.eye(len(known)), marks[known] - mean)
        found[other] = kernel[np.ix_(other, known)] @ weights + mean
    return found


def agreement(columns: list[np.ndarray], marks: np.ndarray) -> float:
    design = np.column_stack([np.ones(len(marks)), *columns])
    found = []
    for seed in range(20):
        order, predicted = np.random.default_rng(seed).permutation(len(marks)), np.empty(len(marks))
        for fold in range(5):
            left_out = order[fold::5]
            rest = np.setdiff1d(order, left_out)
            predicted[left_out] = design[left_out] @ np.linalg.lstsq(design[rest], marks[rest], rcond=None)[0]
        found.append(spearmanr(predicted, marks)[0])
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mos", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--subset", default="ss01")
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    with options.mos.open(encoding="utf-8", newline="") as file:
        table = {Path(row["image"]).name: row for row in csv.DictReader(file)}
    stored = np.load(options.features)
    generator = np.random.default_rng(1)
    order = generator.permutation(len(stored["paths"]))
    paths = [Path(str(stored["paths"][row])) for row in order]
    subset = [table[path.name]["subset"] == options.subset for path in paths]
    judged = [place for place, inside in enumerate(subset) if inside][: options.count]
    others = [place for place, inside in enumerate(subset) if not inside][:OTHERS]
    faults = []
    for place in judged:
        seen = decode(paths[place], view_size=512, look=True).at_full_size
        faults.append([getattr(seen, measure, None) or 0.0 for measure in MEASURES])
    used = [*judged, *others]
    marks = np.array([float(table[paths[place].name]["mos"]) for place in used])
    score = scores_of_halves(stored["features"][order[used]], marks, len(judged), generator)
    marks = marks[: len(judged)]
    columns = dict(zip(MEASURES, np.array(faults).T, strict=True))
    print(f"{len(judged)} pictures; score alone {agreement([score], marks):.4f}", flush=True)
    for measure, column in columns.items():
        alone = spearmanr(column, marks)[0]
        print(f"{measure}: alone {alone:.3f}, added to the score {agreement([score, column], marks):.4f}")
    print(f"all added {agreement([score, *columns.values()], marks):.4f}")


if __name__ == "__main__":
    main()
