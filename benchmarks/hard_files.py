"""What is said of files on which scores used to mislead: soft, noisy, small, and no photographs.

    python benchmarks/hard_files.py PHOTO... [--model NAME]
    python benchmarks/hard_files.py PHOTO --cost

PHOTO is a large sharp photograph. The first prints the score, its reliability, the faults at 100 % and the remarks of
versions of it, and of drawn pictures. The second prints the processor time of reading it with and without the look at
100 % and of scoring it, and the peak memory of processes that score pictures of 12 to 100 megapixels.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from not_photographs import KINDS
from PIL import Image
from scipy.ndimage import gaussian_filter

import shamisa_cli as shamisa
from shamisa_cli.core.images import decode

SIDES = (1024, 512, 256, 224, 128, 64, 32, 16, 6, 1)
MEGAPIXELS = (12, 24, 48, 100)
SAID = 1.5
"""Severity from which the table of `shamisa score` names a fault at 100 %."""
PEAK = (
    "import sys; from shamisa_cli.cli.app import main; sys.argv[0] = 'shamisa'\n"
    "try: main()\n"
    "except SystemExit: pass\n"
    "status = open('/proc/self/status').read()\n"
    "print(int(status.split('VmHWM:')[1].split()[0]) // 1024, file=sys.stderr)"
)
"""A run of the program that ends with its peak memory in MB; `ru_maxrss` would count that of this process too."""


def saved(pixels: np.ndarray, path: Path, **settings: int) -> Path:
    Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8)).save(path, **settings)
    return path


def versions(photo: Path, folder: Path) -> Iterator[Path]:
    pixels = decode(photo).pixels.astype(np.float32)
    yield saved(pixels, folder / "original.jpg", quality=95)
    for sigma in (3, 6):
        yield saved(gaussian_filter(pixels, (sigma, sigma, 0)), folder / f"blurred with σ {sigma}.jpg", quality=95)
    noise = np.random.default_rng(0).normal(0, 20, pixels.shape)
    yield saved(pixels + noise, folder / "noise of deviation 20.jpg", quality=95)
    image = Image.fromarray(pixels.astype(np.uint8))
    for side in SIDES:
        small = image.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        small.save(folder / f"{side} pixels.png")
        yield folder / f"{side} pixels.png"
    image.resize((512, 51), Image.Resampling.LANCZOS).save(folder / "strip of 512 × 51.png")
    yield folder / "strip of 512 × 51.png"


def drawn(folder: Path) -> Iterator[Path]:
    for kind, draw in KINDS.items():
        draw(np.random.default_rng(0), 0).save(folder / f"{kind}.png")
        yield folder / f"{kind}.png"


def tell(records: list[shamisa.ImageRecord]) -> None:
    for record in records:
        low, high = record.interval or (0.0, 100.0)
        faults = (
            [f"{phrase} {value:.1f}" for phrase, value in record.at_full_size.phrases if value >= SAID]
            if record.at_full_size
            else []
        )
        said = ", ".join([*record.reliability_reasons, *faults, *record.remarks])
        name = Path(record.path).stem
        print(
            f"{name}: {record.score:.1f} ({low:.0f} to {high:.0f}), reliability {record.reliability}: {said}",
            flush=True,
        )


def cost(photo: Path) -> None:
    content = photo.read_bytes()
    model = shamisa.load_model()
    view_size = model.encoder.config.preprocessing.view_size
    pixels = decode(photo, view_size=view_size).pixels
    model.encoder.embed(pixels)
    tasks = {
        "reading": lambda: decode("x", content=content, view_size=view_size),
        "reading, with the look": lambda: decode("x", content=content, view_size=view_size, look=True),
        "embedding": lambda: model.encoder.embed(pixels),
    }
    for name, task in tasks.items():
        start = time.process_time()
        for _ in range(5):
            task()
        print(f"{name}: {(time.process_time() - start) * 200:.0f} ms of processor time", flush=True)
    image = Image.open(io.BytesIO(content)).convert("RGB")
    with tempfile.TemporaryDirectory() as folder:
        for megapixels in MEGAPIXELS:
            height = int((megapixels * 1e6 / 1.5) ** 0.5)
            large = image.resize((height * 3 // 2, height))
            for suffix in (".jpg", ".png"):
                path = Path(folder) / f"{megapixels}{suffix}"
                large.save(path, **({"quality": 95} if suffix == ".jpg" else {"compress_level": 1}))
                command = [sys.executable, "-c", PEAK, "score", str(path), "--no-cache", "-f", "csv"]
                run = subprocess.run(
                    command, capture_output=True, text=True, check=True, env=os.environ | {"NO_COLOR": "1"}
                )
                print(f"{megapixels} megapixels, {suffix}: {run.stderr.split()[-1]} MB at most", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    if options.cost:
        cost(options.photos[0])
        return
    model = shamisa.load_model(*([options.model] if options.model else []))
    with tempfile.TemporaryDirectory() as folder:
        for photo in options.photos:
            tell(list(shamisa.score(list(versions(photo, Path(folder))), model=model)))
        tell(list(shamisa.score(list(drawn(Path(folder))), model=model)))


if __name__ == "__main__":
    main()
