"""How fast is `shamisa score`: pictures a second, time to the first score, memory, and where the time goes.

    python benchmarks/score.py [--model NAME] [--pictures 120] [--large 24] [--runs 3] [--others [--beside NAME ...]]

Photographs are put together from examples/photos: 512x512 JPEGs, and 12-megapixel JPEGs as mosaics of them, so that
these are as hard to decode as photographs. Every figure but the last table's is of a process of its own, imports
and the loading of the model included. --others compares with what else people use, all of them in this process, on the
same files at 512 pixels, decoding included, once they are warm: the shape of ARNIQA as pyiqa and torchmetrics run it
(ResNet-50 at full and half scale, eager torch in float32, a picture at a time; random weights), and BRISQUE where piq
is installed (its support vectors are random too, so that nothing is downloaded).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shamisa_cli.core.encoder.embedder import RUNTIMES, Runtime
from shamisa_cli.core.images import decode
from shamisa_cli.core.machine import available_cpus
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.scoring.pipeline import score_files

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "photos"
SMALL, LARGE = (512, 512), (4000, 3000)
QUALITY = 90
KNOWN_PICTURES = 1000
OTHERS_PICTURES = 24
ARNIQA = "ARNIQA's shape (torch)"


@dataclass(frozen=True)
class Measured:
    """One run of the program: wall and processor time in seconds, until the first line and the end; peak in MB."""

    first: float
    wall: float
    processor: float
    peak: float


def make_pictures(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """JPEGs of that size, each another arrangement of the example photographs."""
    photos = [Image.open(path).convert("RGB") for path in sorted(EXAMPLES.glob("*.jpg")) if "_" not in path.stem]
    paths = []
    for number in range(count):
        random = np.random.default_rng(number)
        canvas = Image.new("RGB", size)
        for left in range(0, size[0], SMALL[0]):
            for top in range(0, size[1], SMALL[1]):
                tile = photos[random.integers(len(photos))].resize(SMALL)
                canvas.paste(tile.rotate(90 * int(random.integers(4))), (left, top))
        path = folder / f"{size[0]}_{number:04}.jpg"
        canvas.save(path, quality=QUALITY)
        paths.append(path)
    return paths


def run_program(pictures: list[Path], model: str, runtime: Runtime, cache: Path | None = None) -> Measured:
    """`shamisa score` on these files, writing a line for each."""
    known = ["--no-cache"] if cache is None else ["--cache", "--cache-dir", str(cache)]
    command = [sys.executable, "-m", "shamisa_cli", "score", "-", *known, "--model", model, "--runtime", runtime]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--device", "cpu", "-f", "jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n".join(map(str, pictures)).encode())
    process.stdin.close()
    process.stdout.readline()
    first = time.perf_counter() - begun
    lines = len(process.stdout.readlines())
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    if status or lines != len(pictures) - 1:
        raise SystemExit(f"shamisa score ended with {status} after {lines + 1} lines.")
    return Measured(first, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def fastest(runs: int, measure: Callable[[], Measured]) -> Measured:
    """The run with the least wall time."""
    return min((measure() for _ in range(runs)), key=lambda measured: measured.wall)


def program_table(sets: dict[str, list[Path]], model: str, runs: int) -> None:
    """Whole-program figures by runtime."""
    print("| runtime | first score of one picture | " + " | ".join(f"{name}, a second" for name in sets) + " | peak |")
    print("|---" * (3 + len(sets)) + "|")
    for runtime in RUNTIMES:
        start = fastest(runs, lambda runtime=runtime: run_program(sets["512x512"][:1], model, runtime))
        rates, peak = [], start.peak
        for pictures in sets.values():
            measured = fastest(runs, lambda runtime=runtime, pictures=pictures: run_program(pictures, model, runtime))
            rates.append(f"{len(pictures) / measured.wall:.1f} (first after {measured.first:.1f} s)")
            peak = max(peak, measured.peak)
        start_cell = f"{start.wall:.2f} s ({start.processor:.2f} s of processor)"
        print(f"| {runtime} | {start_cell} | {' | '.join(rates)} | {peak:.0f} MB |", flush=True)


def second_run(folder: Path, model: str, runs: int) -> None:
    """Whole-program figures of a run over pictures that are all known."""
    pictures = make_pictures(folder, KNOWN_PICTURES, SMALL)
    cache = folder / "cache"
    run_program(pictures, model, "onnx", cache)
    known = fastest(runs, lambda: run_program(pictures, model, "onnx", cache))
    rates = f"{len(pictures) / known.wall:.0f} a second ({len(pictures) / known.processor:.0f} a second of processor)"
    print(
        f"\nSecond run over {len(pictures)} pictures of 512x512, from the cache: {rates}, peak {known.peak:.0f} MB",
        flush=True,
    )


@contextmanager
def timed(owner: Any, method: str, into: dict[str, float], name: str) -> Iterator[None]:
    """Add the processor time that a method takes in whichever thread calls it."""
    original = getattr(owner, method)

    def measured(*arguments: Any, **settings: Any) -> Any:
        begun = time.thread_time()
        try:
            return original(*arguments, **settings)
        finally:
            into[name] += time.thread_time() - begun

    setattr(owner, method, measured)
    yield
    setattr(owner, method, original)


def account(pictures: list[Path], model_name: str, runtime: Runtime) -> dict[str, float]:
    """Milliseconds of processor time a picture, by what they went into, in one thread."""
    model = load_model(model_name, device="cpu", runtime=runtime)
    if runtime == "torch":
        import torch

        torch.set_num_threads(1)
    list(score_files(model, pictures[:2], jobs=1))
    spent: dict[str, float] = defaultdict(float)
    begun = time.process_time()
    with (
        timed(Image.Image, "resize", spent, "resize"),
        timed(_jpeg(), "load", spent, "decode"),
        timed(type(model.encoder), "embed", spent, "inference"),
    ):
        for record in score_files(model, pictures, jobs=1):
            record.to_json()
    total = time.process_time() - begun
    shares = {name: spent[name] for name in ("decode", "resize", "inference")}
    shares["rest"] = total - sum(shares.values())
    return {name: 1000 * seconds / len(pictures) for name, seconds in shares.items()}


def _jpeg() -> Any:
    from PIL import JpegImagePlugin

    return JpegImagePlugin.JpegImageFile


def account_table(sets: dict[str, list[Path]], model: str) -> None:
    """Where processor time goes."""
    print("\n| runtime | pictures | decode | resize | inference | rest | all |\n|---|---|---|---|---|---|---|")
    for runtime in RUNTIMES:
        for name, pictures in sets.items():
            spent = account(pictures[:24], model, runtime)
            total = sum(spent.values())
            cells = " | ".join(f"{value:.1f} ms ({value / total:.0%})" for value in spent.values())
            print(f"| {runtime} | {name} | {cells} | {total:.1f} ms |")


def others_table(kind: str, pictures: list[Path], models: list[str], rounds: int) -> None:
    """Speed on all processors, without the start, beside other metrics; they take turns, each `rounds` times.

    Where other work runs, compare processor time: it depends on it less than wall time does.
    """
    judges = {name: judge for model in models for name, judge in _shamisa(model).items()} | _others()
    wall, processor = dict.fromkeys(judges, 0.0), dict.fromkeys(judges, 0.0)
    for judge_all in judges.values():
        judge_all(pictures[: 2 * available_cpus()])
    for _ in range(rounds):
        for name, judge_all in judges.items():
            begun, used = time.perf_counter(), time.process_time()
            judge_all(pictures)
            wall[name] += time.perf_counter() - begun
            processor[name] += time.process_time() - used
    count = rounds * len(pictures)
    print(f"\n| in one process, {kind} | a second | ms of processor | times as fast as ARNIQA's shape, by processor |")
    print("|---|---|---|---|")
    for name in judges:
        times = f"{wall[ARNIQA] / wall[name]:.1f}, {processor[ARNIQA] / processor[name]:.1f}"
        print(f"| {name} | {count / wall[name]:.1f} | {1000 * processor[name] / count:.1f} | {times} |", flush=True)


JudgeAll = Callable[[list[Path]], Any]


def _shamisa(model_name: str) -> dict[str, JudgeAll]:
    model = load_model(model_name, device="cpu")
    return {f"{model.name} ({model.encoder.runtime})": lambda paths: list(score_files(model, paths))}


def _others() -> dict[str, JudgeAll]:
    import torch
    import torch.nn.functional as F
    from torchvision.models import resnet50

    torch.set_num_threads(available_cpus())
    network = torch.nn.Sequential(*list(resnet50(weights=None).eval().children())[:-1])
    regressor = torch.nn.Linear(2 * 2048, 1)

    def tensor(path: Path) -> torch.Tensor:
        return torch.from_numpy(decode(path, view_size=SMALL[0]).pixels).permute(2, 0, 1)[None].float() / 255

    @torch.inference_mode()
    def arniqa(paths: list[Path]) -> None:
        for path in paths:
            picture = tensor(path)
            half = F.interpolate(picture, scale_factor=0.5, mode="bilinear", antialias=True)
            features = [F.normalize(network(view).flatten(1)) for view in (picture, half)]
            regressor(torch.cat(features, dim=1)).item()

    found: dict[str, JudgeAll] = {ARNIQA: arniqa}
    try:
        import piq
    except ImportError:
        return found
    vectors = 774  # of 36 features each; the order of magnitude of the published regressor
    regression = (torch.rand(vectors, 1), torch.rand(vectors, 36))
    # Its function is hidden behind the module of the same name in the package.
    sys.modules["piq.brisque"].load_url = lambda *_, **__: tuple(each.clone() for each in regression)  # type: ignore[attr-defined]

    @torch.inference_mode()
    def brisque(paths: list[Path]) -> None:
        for path in paths:
            piq.brisque(tensor(path)).item()

    return {**found, "BRISQUE (piq)": brisque}


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--pictures", type=int, default=120, help="of 512x512")
    parser.add_argument("--large", type=int, default=24, help="of 12 megapixels")
    parser.add_argument("--runs", type=int, default=3, help="of which the fastest counts")
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--only-others", action="store_true", help="the last table alone")
    parser.add_argument("--only-account", action="store_true", help="the table of where the time goes alone")
    parser.add_argument("--beside", nargs="*", default=[], metavar="MODEL", help="further models in the last table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sets = {
            "512x512": make_pictures(Path(folder), arguments.pictures, SMALL),
            "12 megapixels": make_pictures(Path(folder), arguments.large, LARGE),
        }
        print(f"{available_cpus()} processors; load {os.getloadavg()[0]:.1f}\n", flush=True)
        if not (arguments.only_others or arguments.only_account):
            program_table(sets, arguments.model, arguments.runs)
            second_run(Path(folder), arguments.model, arguments.runs)
        if not arguments.only_others:
            account_table(sets, arguments.model)
        if arguments.others or arguments.only_others:
            models = [arguments.model, *arguments.beside]
            for kind, pictures in sets.items():
                others_table(kind, pictures[:OTHERS_PICTURES], models, arguments.runs)


if __name__ == "__main__":
    main()
