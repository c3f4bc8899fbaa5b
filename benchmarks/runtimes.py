"""How far ONNX Runtime is from eager PyTorch: scores of photographs and their maps, comparisons and their maps.

python benchmarks/runtimes.py FOLDER [--model NAME] [--count 500] [--maps 30] [--pairs FOLDER ... --pair-count 200]

Pairs are photographs of the folders and versions of them: each of six kinds of change at ten strengths in turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from difference_versions import LADDERS, Pixels, photographs, read
from numpy.typing import NDArray

import shamisa_cli as shamisa
from shamisa_cli.core.models.loading import load_relational_model
from shamisa_cli.core.relational.records import MAPS

RUNTIMES = ("onnx", "torch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="model that scores; otherwise the default one")
    parser.add_argument("--count", type=int, default=500, help="photographs that are scored")
    parser.add_argument("--maps", type=int, default=30, help="how many of them are mapped")
    parser.add_argument("--pairs", nargs="+", default=[], help="folders of photographs to compare with versions")
    parser.add_argument("--pair-count", type=int, default=200, help="pairs that are compared")
    asked = parser.parse_args()
    names = [asked.model] if asked.model else []
    models = [shamisa.load_model(*names, runtime=runtime, device="cpu") for runtime in RUNTIMES]
    files = shamisa.discover([asked.folder])
    files = files[:: max(1, len(files) // asked.count)][: asked.count]
    compare_scores(models, files)
    compare_score_maps(models, files[: asked.maps])
    if asked.pairs:
        compare_pairs(asked.pairs, asked.pair_count)


def compare_scores(models: list[shamisa.Model], files: list[Path]) -> None:
    scores = [
        np.array([record.score for record in shamisa.score_files(model, files) if record.score is not None])
        for model in models
    ]
    apart = np.abs(scores[0] - scores[1])
    print(
        f"{len(apart)} photographs: scores differ by {apart.mean():.6f} points of 100 on average, "
        f"{apart.max():.6f} at most",
        flush=True,
    )


def compare_score_maps(models: list[shamisa.Model], files: list[Path]) -> None:
    shares = []
    for file in files:
        light, heavy = (shamisa.score_map(file, model).local for model in models)
        shares.append(np.abs(light - heavy).max() / np.ptp(heavy))
    print(f"{len(shares)} score maps: largest difference {100 * max(shares):.4f} % of a map's own range", flush=True)


def versions(folders: list[str], count: int) -> Iterator[tuple[Pixels, Pixels]]:
    """Photographs and versions of them, `count` pairs."""
    files = photographs(folders)
    for number in range(count):
        make, strengths = list(LADDERS.values())[number % len(LADDERS)]
        original = read(files[number % len(files)])
        yield original, make(original, strengths[number // len(LADDERS) % len(strengths)])


def compare_pairs(folders: list[str], count: int) -> None:
    light, heavy = (load_relational_model(runtime=runtime, device="cpu") for runtime in RUNTIMES)
    scores, own, apart, ranges = [], [], [], []
    for a, b in versions(folders, count):
        of_light, of_heavy = light.relate(a, b), heavy.relate(a, b)
        scores.append(abs(of_light.score - of_heavy.score))
        maps, expected = of_light.maps, of_heavy.maps
        assert maps is not None
        assert expected is not None
        apart.append(np.abs(maps - expected).max(axis=(1, 2)))
        ranges.append(np.ptp(expected, axis=(1, 2)))
        own.append(apart[-1].max() / ranges[-1].max())
    print(f"{count} pairs: scores differ by {np.mean(scores):.6f} points on average, {max(scores):.6f} at most")
    print(f"largest difference of a pair's maps {100 * max(own):.4f} % of their range")
    for name, share in zip(MAPS, _shares(np.array(apart), np.array(ranges)), strict=True):
        print(f"    {name}: {share[0]:.4f} % of the map's own range in one pair, {share[1]:.4f} % of it over all pairs")


def _shares(apart: NDArray[np.float32], ranges: NDArray[np.float32]) -> NDArray[np.float64]:
    """(9, 2): largest difference of each map in per cent of its range in that pair, and of its largest range."""
    return 100 * np.stack([(apart / ranges).max(axis=0), apart.max(axis=0) / ranges.max(axis=0)], axis=1)


if __name__ == "__main__":
    main()
