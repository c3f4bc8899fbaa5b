"""How fast the distortion engine is: crops of 224 px per second, in the paper's mix.

    python benchmarks/engine.py PHOTOS_FOLDER [--batches 10] [--device cuda] [--threads 8]
    python benchmarks/engine.py PHOTOS_FOLDER --preset quick --steps 10 --workers 1

One process makes whole training batches (photographs decoded and cropped, compositions drawn and applied), then
runs every operator alone. A handful of batches holds some operators more often than others; so the last
figure weights what each operator took by how often the paper's compositions run it.
On a CPU it is this process's processor time that counts, so that other programs disturb less.
With --preset, a few real training steps from random weights, and the share of each spent waiting for crops.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np
import torch
from hardware import hardware

from shamisa_cli.core.distortions.composition import draw_composition
from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.images import discover
from shamisa_cli.core.machine import keep_freed_memory
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.pretraining.batches import BatchSettings, BatchStream
from shamisa_cli.core.training.pretraining.config import PRESETS, with_settings
from shamisa_cli.core.training.pretraining.step import StepMetrics
from shamisa_cli.core.training.pretraining.task import batch_source
from shamisa_cli.core.training.run_folder import RunFolder
from shamisa_cli.core.training.trainer import Trainer

CROPS_A_CALL = 30
"""What the engine hands an operator in the paper's layout: six views at five levels."""

COMPOSITIONS_COUNTED = 5000


def batch_seconds(stream: BatchStream, batches: int, device: torch.device, threads: int) -> tuple[float, float]:
    """Seconds a batch takes after one to warm up: reading and cropping the photographs, and all the rest."""
    read, distorted = [], []
    for step in range(batches + 1):
        start = _seconds(device)
        recipe = stream.recipe(step)
        read.append(_seconds(device) - start)
        recipe.batch(device, threads)
        distorted.append(_seconds(device) - start - read[-1])
    return sum(read[1:]) / batches, sum(distorted[1:]) / batches


def operator_milliseconds(name: str, crops: torch.Tensor, threads: int, repeats: int = 3) -> float:
    """Best time of `repeats` for one crop, severities spread over 0…4."""
    generator = torch.Generator(crops.device).manual_seed(0)
    severities = np.linspace(0, 4, len(crops)).tolist()
    times = []
    for _ in range(repeats):
        start = _seconds(crops.device)
        apply_operator(crops, name, severities, generator, angle=0.7, threads=threads)
        times.append(_seconds(crops.device) - start)
    return min(times) / len(crops) * 1000


def runs_a_crop(settings: BatchSettings) -> Counter[str]:
    """How often each operator runs for one crop of a batch: for each level from the varying factor on, before it
    once for all levels; references are not distorted."""
    rng = np.random.default_rng(0)
    drawn = [draw_composition(settings.levels, settings.severity_law, rng) for _ in range(COMPOSITIONS_COUNTED)]
    distorted = settings.compositions * settings.levels / (1 + settings.compositions * settings.levels)
    runs: Counter[str] = Counter()
    for composition in drawn:
        for place, step in enumerate(composition.steps):
            shared = place < composition.varying
            runs[step.operator] += distorted / (settings.levels if shared else 1) / len(drawn)
    return runs


def waiting_steps(photos: list[Path], options: argparse.Namespace, device: torch.device) -> list[StepMetrics]:
    """The numbers of real training steps, but the first, which waits for the workers to start."""
    config = with_settings(PRESETS[options.preset], {"init": "none", "steps": options.steps + 1})
    batches = batch_source(photos, photos, config, workers=options.workers)
    steps: list[StepMetrics] = []
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        Trainer(config, run, batches, world=World(device=device)).train(on_step=steps.append)
    return steps[1:]


def _seconds(device: torch.device) -> float:
    """Processor time of this process, or on a GPU the time of day when all its work is done."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def print_engine(photos: list[Path], options: argparse.Namespace, device: torch.device) -> None:
    settings = BatchSettings()
    stream = BatchStream(photos, [], settings, seed=0, steps=options.batches + 1)
    reading, distorting = batch_seconds(stream, options.batches, device, options.threads)
    print(
        f"whole batches: {settings.crops / (reading + distorting):.0f} crops/s ({options.batches} batches of "
        f"{settings.crops}; {reading / (reading + distorting):.0%} of the time reading photographs)"
    )
    crops = stream.recipe(0).batch(device).crops[:6].repeat_interleave(CROPS_A_CALL // 6, dim=0)
    runs = runs_a_crop(settings)
    total = reading / settings.crops * 1000
    for name in OPERATORS:
        each = operator_milliseconds(name, crops, options.threads)
        total += each * runs[name]
        print(f"  {name:<22} {each:6.2f} ms a crop, run {runs[name]:.3f} times")
    print(f"operators in the paper's mix, and reading: {1000 / total:.0f} crops/s")


def print_training(photos: list[Path], options: argparse.Namespace, device: torch.device) -> None:
    steps = waiting_steps(photos, options, device)
    print(
        f"training, preset {options.preset}, {options.workers} workers: {median(s.crops_per_s for s in steps):.0f} "
        f"crops/s, {median(s.wait_share for s in steps):.0%} of a step spent waiting for crops (median of {len(steps)})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", help="a folder of photographs")
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--device", default="cpu", help="where crops are distorted, and where steps are computed")
    parser.add_argument("--threads", type=int, default=1, help="for the codecs of an engine on a GPU")
    parser.add_argument("--preset", choices=PRESETS, help="run training steps of this preset instead")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches for training steps")
    options = parser.parse_args()
    device = torch.device(options.device)
    if options.preset is None:
        torch.set_num_threads(1)
        keep_freed_memory()  # as processes that make batches do
    print(hardware(device))
    photos = discover([Path(options.photos)])
    (print_training if options.preset else print_engine)(photos, options, device)


if __name__ == "__main__":
    main()
