"""What a large job costs, from rates that were measured: processor hours, time, traffic and storage.

    python benchmarks/cost.py --decode 35.3 --resize 20.8 --inference 52.3 --rest 2.0 [--pictures 100e6] [--cores 64]

The four times are milliseconds of one processor a picture, as benchmarks/score.py gives them in its account of where
the time goes; take those of pictures like yours. With --gpu-rate (pictures a second that one GPU embeds when it never
waits) inference moves to GPUs, and processors decode for them.

    processor hours  = pictures x (decode + resize + inference + rest) / 3,600,000
    hours            = processor hours / (cores x efficiency)
    traffic          = pictures x size / hours
    storage          = pictures x (bytes of a row of scores, or 4 bytes x features)
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

SCORE_ROW = 81
"""Bytes a picture in a Parquet table of scores, names of 36 characters and seven defects included."""
FEATURES = 33_792
"""Of the default model."""
MILLISECONDS = 3_600_000
"""In an hour."""


@dataclass(frozen=True)
class Rates:
    """What was measured: milliseconds of one processor a picture; pictures a second of a GPU, or 0 for none."""

    decode: float
    resize: float
    inference: float
    rest: float
    gpu_rate: float

    @property
    def on_processors(self) -> float:
        """Milliseconds of one processor a picture."""
        reading = self.decode + self.resize + self.rest
        return reading if self.gpu_rate else reading + self.inference


@dataclass(frozen=True)
class Job:
    """How much there is to do, and with what.

    Attributes:
        pictures: how many.
        kilobytes: of a stored picture.
        cores: processors.
        efficiency: which share of their time works on pictures; the rest waits for storage, restarts, ends early.
    """

    pictures: float
    kilobytes: float
    cores: int
    efficiency: float


def lines(job: Job, rates: Rates, core_price: float, gpu_price: float) -> Iterator[tuple[str, str]]:
    """What to expect, a line each."""
    core_hours = job.pictures * rates.on_processors / MILLISECONDS / job.efficiency
    hours = core_hours / job.cores
    for name in ("decode", "resize", "inference", "rest"):
        if name != "inference" or not rates.gpu_rate:
            yield f"{name}, processor hours", f"{job.pictures * getattr(rates, name) / MILLISECONDS:,.0f}"
    yield f"all, at {job.efficiency:.0%} efficiency", f"{core_hours:,.0f} processor hours"
    gpu_hours = job.pictures / rates.gpu_rate / 3600 / job.efficiency if rates.gpu_rate else 0.0
    if rates.gpu_rate:
        yield "GPU hours", f"{gpu_hours:,.0f}"
        yield "processors that keep one GPU busy", f"{rates.gpu_rate * rates.on_processors / 1000:.0f}"
    yield f"hours on {job.cores:,} processors", f"{hours:,.1f}"
    yield "pictures a second", f"{job.pictures / hours / 3600:,.0f}"
    size = job.pictures * job.kilobytes * 1000
    yield "read", f"{size / 1e12:,.1f} TB, {size / hours / 3600 / 1e6:,.0f} MB a second"
    yield "scores", f"{job.pictures * SCORE_ROW / 1e9:,.1f} GB"
    yield "features", f"{job.pictures * FEATURES * 4 / 1e12:,.1f} TB"
    if core_price or gpu_price:
        yield "price", f"{core_hours * core_price + gpu_hours * gpu_price:,.0f}"


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for stage in ("decode", "resize", "inference", "rest"):
        parser.add_argument(f"--{stage}", type=float, required=True, help="ms of one processor a picture")
    parser.add_argument("--gpu-rate", type=float, default=0.0, help="pictures a second of one GPU; 0: no GPU")
    parser.add_argument("--pictures", type=float, default=100e6)
    parser.add_argument("--kilobytes", type=float, default=100.0, help="of a stored picture")
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--efficiency", type=float, default=0.9)
    parser.add_argument("--core-price", type=float, default=0.0, help="of a processor for an hour, in any currency")
    parser.add_argument("--gpu-price", type=float, default=0.0, help="of a GPU for an hour")
    given = parser.parse_args()
    rates = Rates(given.decode, given.resize, given.inference, given.rest, given.gpu_rate)
    job = Job(given.pictures, given.kilobytes, given.cores, given.efficiency)
    print(f"| {given.pictures:,.0f} pictures of {given.kilobytes:,.0f} kB | |\n|---|---|")
    for name, value in lines(job, rates, given.core_price, given.gpu_price):
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
