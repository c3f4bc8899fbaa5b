"""The project's ridge regression beside scikit-learn's: processor time, memory and agreement, for a grid of penalties.

python benchmarks/ridge.py [--rows 3600] [--columns 30000] [--penalties 33]

One training set, a fifth of it held out; each way standardises, tries every penalty on the held-out rows, and is run in
a process of its own, on one thread. Clipping and balancing are left out, so that all solve the same problem.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def data(rows: int, columns: int) -> tuple[NDArray[np.float32], Matrix]:
    """Correlated features of falling spread, and scores that a few directions of them explain in part."""
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=(rows, 200)).astype(np.float32) * np.geomspace(1, 0.05, 200, dtype=np.float32)
    features = hidden @ draw.normal(size=(200, columns)).astype(np.float32)
    features += 0.5 * draw.normal(size=features.shape).astype(np.float32)
    return features, hidden[:, :5].sum(axis=1).astype(np.float64) + draw.normal(size=rows)


def own(train: Matrix, scores: Matrix, held: Matrix, penalties: Matrix) -> Matrix:
    from shamisa_cli.core.probe.ridge_path import ridge_path

    return ridge_path(train, scores, standardise=False).predictions(held, penalties)


def library(train: Matrix, scores: Matrix, held: Matrix, penalties: Matrix) -> Matrix:
    """`Ridge`, once for each penalty: what a grid search does."""
    from sklearn.linear_model import Ridge

    return np.stack([Ridge(alpha=alpha).fit(train, scores).predict(held) for alpha in penalties], axis=1)


def library_path(train: Matrix, scores: Matrix, held: Matrix, penalties: Matrix) -> Matrix:
    """`RidgeCV`: one decomposition, but it chooses by leaving one row out, and gives the solution that it chose."""
    from sklearn.linear_model import RidgeCV

    return RidgeCV(alphas=penalties).fit(train, scores).predict(held)[:, None]


WAYS: dict[str, Callable[[Matrix, Matrix, Matrix, Matrix], Matrix]] = {
    "ridge_path, every penalty": own,
    "sklearn Ridge, once a penalty": library,
    "sklearn RidgeCV, its own choice": library_path,
}


def measure(name: str, rows: int, columns: int, penalties: Matrix) -> tuple[float, float, Matrix]:
    """Processor time in s, the most that was allocated beside the data in MB, and predictions."""
    import sklearn.linear_model  # noqa: F401  # its import is not what is measured
    from threadpoolctl import threadpool_limits

    features, scores = data(rows, columns)
    whole, held = features.astype(np.float64), rows // 5
    with threadpool_limits(1):
        WAYS[name](whole[:60], scores[:60], whole[60:70], penalties)  # once warm
        tracemalloc.start()
        started = time.process_time()
        found = WAYS[name](whole[held:], scores[held:], whole[:held], penalties)
        return time.process_time() - started, tracemalloc.get_traced_memory()[1] / 1e6, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3600, help="rows of the data, a fifth of which is held out")
    parser.add_argument("--columns", type=int, default=30000, help="features of a row")
    parser.add_argument("--penalties", type=int, default=33, help="penalties that are tried, from 1e-4 to 1e4 a column")
    asked = parser.parse_args()
    penalties = asked.columns * np.geomspace(1e-4, 1e4, asked.penalties)
    found = {}
    for name in WAYS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, memory, found[name] = pool.apply(measure, (name, asked.rows, asked.columns, penalties))
        print(f"{name}: {seconds:.2f} s of processor time, {memory:.0f} MB beside the data", flush=True)
    ours, theirs = (found[name] for name in list(WAYS)[:2])
    print(f"largest difference of a prediction: {np.abs(ours - theirs).max() / theirs.std():.1e} of their deviation")


if __name__ == "__main__":
    main()
