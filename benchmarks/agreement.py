"""How far do scores lie apart between runtimes, and between a JPEG decoded whole and at a reduced scale?

    python benchmarks/agreement.py PHOTOS... [--model NAME] [--count 500]

The reference is torch, eager, in float32 on the CPU. Differences are in points of 100, before scores are clipped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.encoder.embedder import Embedder
from shamisa_cli.core.images import decode, discover
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.probe.ridge import POINTS
from shamisa_cli.core.scoring.scorer import require_probe

PROMISED = 0.1


def decoded_whole(path: Path, view_size: int | None) -> Pixels:
    """The pixels at the view size, made from every pixel of the file."""
    picture = decode(path)
    width, height = picture.width, picture.height
    if view_size is None or max(width, height) <= view_size:
        return np.asarray(picture.pixels)
    size = [max(1, round(side * view_size / max(width, height))) for side in (width, height)]
    return np.asarray(Image.fromarray(picture.pixels).resize((size[0], size[1]), Image.Resampling.BICUBIC))


def report(name: str, apart: list[float]) -> None:
    """One line on differences in points."""
    distance = np.abs(apart)
    print(
        f"{name:28} {len(distance):5}  mean {distance.mean():.6f}  99 % {np.quantile(distance, 0.99):.6f}  "
        f"largest {distance.max():.6f}  {'ok' if distance.max() <= PROMISED else f'over {PROMISED}'}",
        flush=True,
    )


def main() -> None:
    """Print a line for each comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--count", type=int, default=500, help="how many, drawn at random")
    arguments = parser.parse_args()

    reference = load_model(arguments.model, device="cpu", runtime="torch")
    exported = load_model(arguments.model, device="cpu", runtime="onnx")
    probe, view_size = require_probe(reference), reference.encoder.config.preprocessing.view_size

    def points(encoder: Embedder, pixels: Pixels) -> float:
        return float(POINTS * probe.predict(encoder.embed(pixels)[None])[0])

    files = discover(arguments.photos)
    chosen = np.random.default_rng(0).permutation(len(files))[: arguments.count]
    runtimes: list[float] = []
    scales: list[float] = []
    for index in chosen:
        path = files[index]
        picture = decode(path, view_size=view_size)
        score = points(exported.encoder, picture.pixels)
        runtimes.append(score - points(reference.encoder, picture.pixels))
        if view_size is not None and max(picture.width, picture.height) > view_size:
            scales.append(score - points(exported.encoder, decoded_whole(path, view_size)))
    report("onnx - torch", runtimes)
    if scales:
        report("reduced decoding - whole", scales)


if __name__ == "__main__":
    main()
