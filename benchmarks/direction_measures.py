"""Which of two versions is the better one: the direction, which sees only these two, beside measures of both.

    python benchmarks/direction_measures.py FOLDERS... [--count 6] [--model FOLDER] [--store DIR]

Steps of ladders, repairs and too much of them, as in direction.py. A measure of piq names the version that is nearer to
the original, which the direction never sees. Also prints, over the ladders of each photograph, Spearman's correlation
of each measure, of the difference, and of the score, with the step, all six kinds together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import piq
import torch
from difference_versions import Pixels, photographs
from direction import judged, measured, middle, opened, parser_of, versions_and_pairs
from scipy.stats import spearmanr
from torch import Tensor

TESTS = ("step", "repaired", "overdone")
MEASURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "PSNR": piq.psnr,
    "SSIM": piq.ssim,
    "VSI": piq.vsi,
    "MDSI": lambda a, b: -piq.mdsi(a, b),
    "HaarPSI": piq.haarpsi,
    "MS-GMSDc": lambda a, b: -piq.multi_scale_gmsd(a, b, chromatic=True),
}
"""Likeness of two images, larger for more alike ones."""


def tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--count", type=int, default=6)
    options, model, head = opened(parser)
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    agreement: dict[str, list[float]] = defaultdict(list)
    for place, path in enumerate(photographs(options.folders, 20)[: options.count]):
        rows = list(judged(measured(path, place, model, options.store), head, model.probe))
        made, pairs = versions_and_pairs(middle(path), place)
        wanted = {number for pair in pairs if pair.test in TESTS for number in (pair.first, pair.second)}
        original, versions = tensor(made[0]), {number: tensor(made[number]) for number in sorted(wanted)}
        likeness = {
            name: {number: float(measure(original, version)) for number, version in versions.items()}
            for name, measure in MEASURES.items()
        }
        for pair, row in zip(pairs, rows, strict=True):
            if pair.test in TESTS:
                right[pair.test, "direction, without the original"].append(row.right)
                for name, values in likeness.items():
                    right[pair.test, name].append((values[pair.second] - values[pair.first]) * pair.better > 0)
        steps = [(pair.second, row) for pair, row in zip(pairs, rows, strict=True) if pair.test == "ladder"]
        for name, values in likeness.items():
            agreement[name].append(_falling([values[number] for number, _ in steps]))
        agreement["difference"].append(_falling([-row.difference for _, row in steps]))
        agreement["score"].append(_falling([row.score for _, row in steps]))
        print(f"# {place + 1} {path.name}", flush=True)
    for (test, name), values in sorted(right.items()):
        print(f"{test:10s} {name:34s} right {sum(values):5d} of {len(values):5d} ({np.mean(values):.4f})")
    for name, found in agreement.items():
        print(f"ladders    {name:34s} Spearman's correlation with the step {np.mean(found):.3f}")


def _falling(values: list[float]) -> float:
    """Spearman's correlation of ladders of ten values with their falling order."""
    return -float(spearmanr(values, np.tile(np.arange(10), len(values) // 10)).statistic)


if __name__ == "__main__":
    main()
