"""What a large job costs: processor hours, time, traffic and storage, from rates that are measured here and now.

    python benchmarks/cost.py [--pictures 100e6] [--cores 64] [--core-price X]

It takes a minute on a machine at rest, and prints the table of docs/scale.md: a column for 512x512 JPEGs and one for
12-megapixel JPEGs, put together as benchmarks/score.py does. Measured are the milliseconds of one processor a picture,
the size of the files, and the bytes of their rows in a part of a job. With --gpu-rate (pictures a second that one GPU
embeds when it never waits) inference moves to GPUs, and processors decode for them.

    processor hours  = pictures x (decode + resize + inference + rest) / 3,600,000
    hours            = processor hours / (cores x efficiency)
    traffic          = pictures x size / hours
    storage          = pictures x (bytes of a row of scores, or 4 bytes x features)
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from hardware import hardware
from score import LARGE, SMALL, account, make_pictures

from shamisa_cli.core.cluster.ray_job import PICTURES_PER_PART
from shamisa_cli.core.encoder.embedder import RUNTIMES
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.scoring.feature_formats import FileStamp
from shamisa_cli.core.scoring.pipeline import score_files
from shamisa_cli.core.scoring.score_table import score_source, scores_schema, scores_table, write_scores

MILLISECONDS = 3_600_000
"""In an hour."""
STAGES = ("decode", "resize", "inference", "rest")
SETS = {"512 x 512": (SMALL, 24), "12 megapixels": (LARGE, 12)}
"""Sizes, and how many pictures of each are measured."""


@dataclass(frozen=True)
class Rates:
    """What was measured of one kind of pictures.

    Attributes:
        times: milliseconds of one processor a picture, by what they go into.
        kilobytes: of a stored picture.
        score_row, feature_row: bytes a picture in the result.
        gpu_rate: pictures a second of a GPU, or 0 for none.
    """

    times: dict[str, float]
    kilobytes: float
    score_row: float
    feature_row: float
    gpu_rate: float

    @property
    def on_processors(self) -> float:
        """Milliseconds of one processor a picture."""
        return sum(self.times[stage] for stage in STAGES if stage != "inference" or not self.gpu_rate)


@dataclass(frozen=True)
class Job:
    """How much there is to do, and with what.

    Attributes:
        pictures: how many.
        cores: processors.
        efficiency: which share of their time works on pictures; the rest waits for storage, restarts, ends early.
        core_price, gpu_price: for an hour, in any currency.
    """

    pictures: float
    cores: int
    efficiency: float
    core_price: float
    gpu_price: float


def measured(pictures: list[Path], model: Model, runtime: str, runs: int, gpu_rate: float) -> Rates:
    """The rates of these pictures; of several runs the fastest counts."""
    accounts = [account(pictures, DEFAULT_MODEL, runtime) for _ in range(runs)]  # type: ignore[arg-type]
    times = min(accounts, key=lambda spent: sum(spent.values()))
    kilobytes = sum(path.stat().st_size for path in pictures) / len(pictures) / 1000
    return Rates(times, kilobytes, score_row(pictures[0], model), 4 * model.encoder.feature_length, gpu_rate)


def score_row(picture: Path, model: Model) -> float:
    """Bytes a row of a part of a job, as a worker writes it, under addresses as long as those of object stores."""
    (record,) = score_files(model, [picture])
    random = np.random.default_rng(0)
    rows = []
    for number in range(PICTURES_PER_PART):
        score, mos, low, high = random.random(4).tolist()
        defects = {name: round(4 * random.random(), 3) for name in record.defects or {}}
        address = f"s3://bucket/photos/{random.bytes(8).hex()}.jpg"
        found = replace(record, path=address, score=score, mos=mos, interval=(low, high), defects=defects)
        rows.append((FileStamp(address, 100_000 + number, 10**18 + number * 10**9), found))
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.parquet"
        write_scores(part, scores_table(rows, scores_schema(score_source(model, "model"))))
        return part.stat().st_size / len(rows)


def lines(job: Job, rates: Rates) -> Iterator[tuple[str, str]]:
    """What to expect, a line each."""
    core_hours = job.pictures * rates.on_processors / MILLISECONDS / job.efficiency
    hours = core_hours / job.cores
    size = job.pictures * rates.kilobytes * 1000
    yield "a picture is stored in", f"{rates.kilobytes:,.0f} kB"
    for stage in STAGES:
        if stage != "inference" or not rates.gpu_rate:
            time = rates.times[stage]
            yield f"{stage}, processor hours", f"{job.pictures * time / MILLISECONDS:,.0f} ({time:.1f} ms a picture)"
    yield f"all, at {job.efficiency:.0%} efficiency", f"{core_hours:,.0f} processor hours"
    gpu_hours = job.pictures / rates.gpu_rate / 3600 / job.efficiency if rates.gpu_rate else 0.0
    if rates.gpu_rate:
        yield "GPU hours", f"{gpu_hours:,.0f}"
        yield "processors that keep one GPU busy", f"{rates.gpu_rate * rates.on_processors / 1000:.0f}"
    yield f"hours on {job.cores:,} processors", f"{hours:,.1f}"
    yield "pictures a second", f"{job.pictures / hours / 3600:,.0f}"
    yield "read", f"{size / 1e12:,.1f} TB, {size / hours / 3600 / 1e6:,.0f} MB a second"
    yield "scores", f"{job.pictures * rates.score_row / 1e9:,.1f} GB ({rates.score_row:.0f} bytes a row)"
    yield "features", f"{job.pictures * rates.feature_row / 1e12:,.1f} TB ({rates.feature_row / 1000:.0f} kB a row)"
    if job.core_price or job.gpu_price:
        yield "price", f"{core_hours * job.core_price + gpu_hours * job.gpu_price:,.0f}"


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=float, default=100e6)
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--efficiency", type=float, default=0.9)
    parser.add_argument("--runtime", choices=RUNTIMES, default="onnx")
    parser.add_argument("--runs", type=int, default=3, help="of which the fastest counts")
    parser.add_argument("--gpu-rate", type=float, default=0.0, help="pictures a second of one GPU; 0: no GPU")
    parser.add_argument("--core-price", type=float, default=0.0, help="of a processor for an hour, in any currency")
    parser.add_argument("--gpu-price", type=float, default=0.0, help="of a GPU for an hour")
    given = parser.parse_args()
    job = Job(given.pictures, given.cores, given.efficiency, given.core_price, given.gpu_price)
    model = load_model(DEFAULT_MODEL, device="cpu")
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        for size, count in SETS.values():
            pictures = make_pictures(Path(folder), count, size)
            columns.append(lines(job, measured(pictures, model, given.runtime, given.runs, given.gpu_rate)))
        print(f"{hardware(torch.device('cpu'))}; load {os.getloadavg()[0]:.1f}\n")
        print(f"| {given.pictures:,.0f} pictures | {' | '.join(SETS)} |")
        print("|---" * (1 + len(SETS)) + "|")
        for cells in zip(*columns, strict=True):
            print(f"| {cells[0][0]} | {' | '.join(value for _, value in cells)} |")


if __name__ == "__main__":
    main()
