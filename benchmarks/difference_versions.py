"""Versions of photographs at ten strengths, for the fit and the check of the difference."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from shamisa_cli.core.images import decode, discover

Pixels = NDArray[np.uint8]

LARGEST = 1_000_000
"""Pixels that photographs are reduced to."""


def photographs(folders: Sequence[str], count: int | None = None) -> list[Path]:
    """Files in folders, an equal number of each folder, drawn with a fixed seed."""
    found: list[Path] = []
    for number, folder in enumerate(folders):
        files = discover([folder])
        share = len(files) if count is None else count // len(folders) + (number < count % len(folders))
        drawn = np.random.default_rng(0).permutation(len(files))[:share]
        found += [files[index] for index in sorted(drawn)]
    return found


def read(path: Path) -> Pixels:
    """The photograph, reduced to a megapixel where it is larger."""
    pixels = decode(path).pixels
    scale = (LARGEST / (pixels.shape[0] * pixels.shape[1])) ** 0.5
    if scale >= 1:
        return pixels
    height, width = (int(side * scale) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def coded(pixels: Pixels, kind: str, quality: int, **options: object) -> Pixels:
    """What a codec of Pillow keeps of an image."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, quality=quality, **options)
    return np.asarray(Image.open(stream).convert("RGB"))


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """JPEG with colours at half size (4:2:0)."""
    return coded(pixels, "JPEG", quality, subsampling="4:2:0")


def webp(pixels: Pixels, quality: int) -> Pixels:
    return coded(pixels, "WEBP", quality)


def avif(pixels: Pixels, quality: int) -> Pixels:
    return coded(pixels, "AVIF", quality, speed=8)


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def noisy(pixels: Pixels, deviation: float) -> Pixels:
    """Gaussian noise, the same at every strength but for its deviation."""
    noise = np.random.default_rng(0).normal(0, 1, pixels.shape)
    return np.clip(pixels + deviation * noise, 0, 255).round().astype(np.uint8)


def downscaled(pixels: Pixels, factor: float) -> Pixels:
    """Reduced and enlarged again, both bicubic."""
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels).resize((max(1, round(width / factor)), max(1, round(height / factor))))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


LADDERS: dict[str, tuple[Callable[[Pixels, float], Pixels], Sequence[float]]] = {
    "JPEG": (jpeg, (98, 95, 90, 80, 70, 60, 50, 35, 20, 10)),
    "WebP": (webp, (98, 95, 90, 80, 70, 60, 50, 35, 20, 10)),
    "AVIF": (avif, (98, 95, 90, 80, 70, 60, 50, 35, 20, 10)),
    "blur": (blurred, (0.4, 0.6, 0.8, 1.0, 1.4, 1.8, 2.4, 3.2, 4.5, 6.0)),
    "noise": (noisy, (1, 2, 4, 6, 9, 13, 18, 25, 35, 50)),
    "downscaling": (downscaled, (1.2, 1.4, 1.6, 2.0, 2.5, 3.0, 3.6, 4.4, 5.4, 7.0)),
}
"""Name → how a version is made, and ten strengths from mild to strong."""
