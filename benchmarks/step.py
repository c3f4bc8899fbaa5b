"""How fast a training step is, and how far from what the machine could do at best.

    python benchmarks/step.py [--architecture resnet50] [--device cuda] [--amp bf16] [--crop 224] [--compile]

A step is everything after the distortion engine: encoder forward and backward, relation graphs, objective, optimiser.
Crops are random numbers that lie in the device's memory already. Two floors stand beside the time it takes:

- arithmetic: the step's floating-point operations, counted by torch, at the rate of a large matrix product in the same
  precision (measured here, or given as --peak in TFLOP/s);
- memory: the bytes of all tensors that the step's operations read and write, each once an operation, at the rate of
  copying a large tensor. What stays in a cache, or is fused with the next operation, can go below it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from shamisa_cli.core.graphs.crops import crop_table
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.pretraining.batch_recipe import TrainingBatch
from shamisa_cli.core.training.pretraining.batches import BatchSettings
from shamisa_cli.core.training.pretraining.config import PRESETS, TrainingConfig
from shamisa_cli.core.training.pretraining.learner import AUTOCAST, Learner
from shamisa_cli.core.training.pretraining.step import PretrainingStep

MATRIX = {"cpu": 2048, "cuda": 8192}
COPIED = {"cpu": 2**28, "cuda": 2**32}
"""Bytes, far more than any cache holds."""


class Traffic(TorchDispatchMode):
    """Adds up the bytes that operations read and write; views cost nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        if not any(value.alias_info and not value.alias_info.is_write for value in func._schema.returns):
            touched = [value for value in tree_leaves((args, kwargs, results)) if isinstance(value, torch.Tensor)]
            self.bytes += sum(value.numel() * value.element_size() for value in touched)
        return results


def convolution_backward(gradient: Any, _pixels: Any, weight: Any, *rest: Any, **_: Any) -> int:
    """Operations of a convolution's backward pass, from shapes; torch's own count takes no note of groups."""
    forward = 2 * math.prod(gradient) * math.prod(weight[1:])
    output_mask = rest[7]
    return forward * (output_mask[0] + output_mask[1])


def synthetic_batch(settings: BatchSettings, device: torch.device) -> TrainingBatch:
    """Random crops with a record of random severities."""
    severities = torch.rand(settings.samples, settings.compositions, settings.levels) * 4
    crops = torch.rand(settings.crops, 3, settings.crop, settings.crop, device=device)
    return TrainingBatch(crops, crop_table(severities, settings.photos, settings.scales), 0, crops[:0])


def best_seconds(action: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The shortest of `repeats` times of `action`, the device's work included.

    One CPU thread is timed by the processor time it got, so that other programs disturb it less.
    """
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    times = []
    for _ in range(repeats):
        start = clock()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(clock() - start)
    return min(times)


def peak_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large matrix product."""
    size = MATRIX[device.type]
    one, other = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / best_seconds(lambda: one @ other, device, 30)


def copy_rate(device: torch.device) -> float:
    """Bytes a second that a copy of a large tensor reads and writes."""
    source = torch.zeros(COPIED[device.type], dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    return 2 * source.numel() / best_seconds(lambda: target.copy_(source), device, 30)


def settings_of(options: argparse.Namespace) -> TrainingConfig:
    paper = PRESETS["paper"]
    return replace(
        paper,
        architecture=options.architecture,
        init="none",
        batch=replace(paper.batch, samples=options.samples, crop=options.crop),
        amp=options.amp,
        channels_last=not options.channels_first,
        compile=options.compile,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="resnet50")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--amp", default="none", choices=["none", *AUTOCAST])
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--samples", type=int, default=2, help="126 crops each")
    parser.add_argument("--repeats", type=int, default=5, help="the best time of so many counts")
    parser.add_argument("--threads", type=int, default=1, help="on the CPU")
    parser.add_argument("--peak", type=float, help="TFLOP/s of the device in this precision")
    parser.add_argument("--channels-first", action="store_true")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device, config = torch.device(options.device), settings_of(options)
    work = PretrainingStep(Learner(config, None).to(device), config, World(device=device))
    batch = synthetic_batch(config.batch, device)

    def step() -> None:
        work.gradients(batch, 1)
        work.descend(1)

    for _ in range(2):
        step()
    # A GPU is given several steps at a time, as in training, so that it never waits for the next one.
    block = 10 if device.type == "cuda" else 1
    seconds = best_seconds(lambda: [step() for _ in range(block)], device, options.repeats) / block
    counts = {torch.ops.aten.convolution_backward: convolution_backward}
    with FlopCounterMode(display=False, custom_mapping=counts) as operations:
        step()
    with Traffic() as traffic:
        step()
    peak = options.peak * 1e12 if options.peak else peak_rate(device, AUTOCAST.get(config.amp, torch.float32))
    bandwidth = copy_rate(device)
    arithmetic, memory = operations.get_total_flops() / peak, traffic.bytes / bandwidth
    place = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, threads: {options.threads}"
    print(f"{config.architecture}, {place}, amp {config.amp}, {len(batch.crops)} crops of {options.crop} px a step")
    print(f"  step              {seconds:8.3f} s   {len(batch.crops) / seconds:.1f} crops/s")
    print(
        f"  arithmetic floor  {arithmetic:8.3f} s   {operations.get_total_flops() / 1e12:.3f} TFLOP at "
        f"{peak / 1e12:.3f} TFLOP/s; the step takes {seconds / arithmetic:.1f} times as long"
    )
    print(
        f"  memory floor      {memory:8.3f} s   {traffic.bytes / 1e9:.1f} GB at {bandwidth / 1e9:.1f} GB/s; "
        f"the step takes {seconds / memory:.1f} times as long"
    )
    if device.type == "cuda":
        print(f"  peak memory       {torch.cuda.max_memory_allocated(device) / 2**30:8.1f} GiB")


if __name__ == "__main__":
    main()
