"""How fast the distortion engine is: crops of 224 px per second and core, in the paper's mix.

    python benchmarks/engine.py PHOTOS_FOLDER [--batches 10]

One thread makes whole training batches (photographs decoded and cropped, compositions drawn and applied).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.images import discover
from shamisa_cli.core.training.batches import BatchSettings, BatchStream, TrainingBatch

CROPS_A_CALL = 30
"""What the engine hands an operator in the paper's layout: six views at five levels."""


def batch_rate(stream: BatchStream, batches: int) -> tuple[float, TrainingBatch]:
    """Crops per second over `batches` batches after one to warm up, and the last batch."""
    batch = stream.batch(0)
    start = time.perf_counter()
    for step in range(1, batches + 1):
        batch = stream.batch(step)
    return batches * len(batch.nodes) / (time.perf_counter() - start), batch


def operator_milliseconds(name: str, crops: torch.Tensor, repeats: int = 3) -> float:
    """Best time of `repeats` for one crop, severities spread over 0…4."""
    generator = torch.Generator().manual_seed(0)
    severities = np.linspace(0, 4, len(crops)).tolist()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        apply_operator(crops, name, severities, generator, angle=0.7)
        times.append(time.perf_counter() - start)
    return min(times) / len(crops) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", help="a folder of photographs")
    parser.add_argument("--batches", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    stream = BatchStream(discover([Path(options.photos)]), [], BatchSettings(), seed=0, steps=options.batches + 1)
    rate, batch = batch_rate(stream, options.batches)
    print(f"whole batches, one core: {rate:.0f} crops/s ({options.batches} batches of {len(batch.nodes)} crops)")
    crops = batch.crops[batch.nodes.is_reference][:6].repeat_interleave(CROPS_A_CALL // 6, dim=0)
    for name in OPERATORS:
        print(f"  {name:<22} {operator_milliseconds(name, crops):6.2f} ms a crop")


if __name__ == "__main__":
    main()
