"""The look at 100 %, measured: does each fault grow with its cause, and what do untouched photographs read?

    python benchmarks/full_size.py PHOTOS...

Each photograph's central part, 2,000 pixels wide at its own resolution, is blurred, shaken, given sensor noise and
compressed, each at five strengths. Printed are the median severity at each strength and the median rank
correlation of a photograph's severities with the strength; ties count as they stand.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter1d
from scipy.stats import spearmanr

from shamisa_cli.core.full_size.look import look_at_pixels
from shamisa_cli.core.images import decode, discover

WIDTH, HEIGHT = 2000, 1500
Cause = Callable[[np.ndarray, float], np.ndarray]


def focus_blur(pixels: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter(pixels.astype(np.float32), (sigma, sigma, 0))


def motion_blur(pixels: np.ndarray, length: float) -> np.ndarray:
    return uniform_filter1d(pixels.astype(np.float32), int(length), axis=1)


def sensor_noise(pixels: np.ndarray, strength: float) -> np.ndarray:
    """Poisson-Gaussian noise in linear light, denoised with σ 0.6."""
    linear = (pixels / 255.0) ** 2.2
    noise = np.random.default_rng(0).normal(size=pixels.shape) * np.sqrt(strength * (0.02 * linear + 0.05 * strength))
    return gaussian_filter(np.clip(linear + noise, 0, 1) ** (1 / 2.2) * 255, (0.6, 0.6, 0))


def compressed(pixels: np.ndarray, quality: float) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=int(quality))
    return np.asarray(Image.open(stream))


CAUSES: dict[str, tuple[str, Cause, tuple[float, ...]]] = {
    "focus blur, σ in pixels": ("focus", focus_blur, (1, 2, 3, 4.5, 6)),
    "motion blur, pixels": ("focus", motion_blur, (3, 7, 13, 21, 31)),
    "sensor noise, denoised": ("noise", sensor_noise, (0.02, 0.05, 0.1, 0.2, 0.4)),
    "JPEG, quality": ("compression", compressed, (80, 65, 50, 30, 10)),
}


def severity(pixels: np.ndarray, measure: str) -> float:
    found = look_at_pixels(np.asarray(Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8)).convert("L")))
    value = None if found is None else getattr(found, measure)
    return float("nan") if value is None else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    options = parser.parse_args()
    crops = []
    for path in discover(options.photos):
        pixels = decode(path).pixels
        top, left = max(0, pixels.shape[0] - HEIGHT) // 2, max(0, pixels.shape[1] - WIDTH) // 2
        crops.append(pixels[top : top + HEIGHT, left : left + WIDTH])
    for measure in ("focus", "noise", "compression"):
        untouched = [severity(crop.astype(np.float32) - 0.5, measure) for crop in crops]
        print(f"untouched: {measure} {np.nanmedian(untouched):.2f}, at most {np.nanmax(untouched):.2f}", flush=True)
    for name, (measure, cause, strengths) in CAUSES.items():
        table = np.array([[severity(cause(crop, strength), measure) for strength in strengths] for crop in crops])
        ranks = [spearmanr(row, range(len(row)), nan_policy="omit")[0] for row in table]
        shown = ", ".join(f"{s:g}: {v:.2f}" for s, v in zip(strengths, np.nanmedian(table, axis=0), strict=True))
        print(f"{name}: {measure} {shown}; rank correlation {np.nanmedian(ranks):.2f}, least {np.nanmin(ranks):.2f}")


if __name__ == "__main__":
    main()
