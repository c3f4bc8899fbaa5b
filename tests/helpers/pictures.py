"""Pictures made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "photos"


def save_noise(folder: Path, sizes: Sequence[tuple[int, int]], blur: float = 1) -> list[Path]:
    """Save noise as 0.jpg, 1.jpg, … of these widths and heights, each blurred by `blur` pixels more than the last."""
    folder.mkdir()
    paths = [folder / f"{number}.jpg" for number in range(len(sizes))]
    for number, (path, (width, height)) in enumerate(zip(paths, sizes, strict=True)):
        noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(blur * number)).save(path, quality=95)
    return paths


def save_soft(folder: Path, count: int, size: tuple[int, int], squares: int = 6) -> list[Path]:
    """Save soft pictures to train on as photo0.png, photo1.png, …: random squares of colour, enlarged."""
    generator = np.random.default_rng(0)
    paths = [folder / f"photo{number}.png" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(generator.integers(0, 256, (squares, squares, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(path)
    return paths


def save_small_examples(folder: Path, long_side: int = 192) -> None:
    """Save the example photographs in a new folder, under their names and with few pixels."""
    folder.mkdir(parents=True)
    for path in sorted(EXAMPLES.glob("*.jpg")):
        with Image.open(path) as picture:
            picture.thumbnail((long_side, long_side))
            picture.save(folder / path.name, quality=92)
