"""Damaged photographs with a repair, and with too much of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter
from scipy.signal import wiener

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.training.direction import damages
from shamisa_cli.core.training.direction.damages import to_levels


@dataclass(frozen=True)
class Repair:
    """A photograph's damaged version, a repair of it, and the same overdone."""

    damaged: Pixels
    repaired: Pixels
    overdone: Pixels


def denoising(pixels: Pixels, rng: np.random.Generator) -> Repair:
    """Noise, then one of `_denoised`, and far too strong a median or blur."""
    make = damages.sensor_noise if rng.random() < 0.6 else damages.gaussian_noise
    noisy = make(pixels, float(rng.uniform(0.4, 1)), rng)
    mild = _denoised(noisy, rng)
    strong = damages.over_smoothed(noisy, float(rng.uniform(0.6, 1)), rng)
    if rng.random() < 0.5:
        strong = damages.soft(noisy, float(rng.uniform(0.75, 1)), rng)
    return Repair(noisy, mild, strong)


def _denoised(noisy: Pixels, rng: np.random.Generator) -> Pixels:
    """By a filter that leaves edges, a small median, a slight blur, Wiener's filter, or one of the colours only."""
    sigma = max(2.0, noise_level(noisy))
    kind = rng.integers(6)
    if kind == 0:
        return np.asarray(Image.fromarray(noisy).filter(ImageFilter.MedianFilter(3)))
    if kind == 1:
        return damages.soft(noisy, float(rng.uniform(0.15, 0.4)), rng)
    if kind == 2:
        # SciPy divides by the variance of each place, which may be 0.
        with np.errstate(all="ignore"):
            planes = [wiener(noisy[..., at].astype(np.float64), 5, sigma**2) for at in range(3)]
        return to_levels(np.where(np.isfinite(found := np.stack(planes, axis=-1)), found, noisy))
    if kind == 3:
        luma, *chroma = np.moveaxis(np.asarray(Image.fromarray(noisy).convert("YCbCr")), -1, 0)
        width = float(rng.uniform(1.5, 4))
        planes = [luma, *(gaussian_filter(plane.astype(np.float32), width) for plane in chroma)]
        return np.asarray(Image.fromarray(to_levels(np.stack(planes, axis=-1)), "YCbCr").convert("RGB"))
    return bilateral(noisy, sigma * float(rng.uniform(1.2, 2.2)), int(kind) - 2)


def sharpening(pixels: Pixels, rng: np.random.Generator) -> Repair:
    """A soft picture, then an unsharp mask of about its width, and one of far too much."""
    sigma = float(rng.uniform(0.7, 1.8))
    blurred = to_levels(gaussian_filter(pixels.astype(np.float32), (sigma, sigma, 0)))
    picture = Image.fromarray(blurred)
    radius = sigma * float(rng.uniform(0.8, 1.2))
    mild = picture.filter(ImageFilter.UnsharpMask(radius, round(rng.uniform(50, 130)), 0))
    strong = picture.filter(ImageFilter.UnsharpMask(radius * 1.5, round(rng.uniform(450, 900)), 0))
    return Repair(blurred, np.asarray(mild), np.asarray(strong))


def deblocking(pixels: Pixels, rng: np.random.Generator) -> Repair:
    """JPEG, then the mean of JPEGs of the shifted picture (A. Nosratinia, J. VLSI Signal Processing 27, 2001)."""
    quality = round(rng.uniform(8, 40))
    blocky = damages.coded(pixels, "JPEG", quality=quality)
    total = np.zeros(pixels.shape, dtype=np.float32)
    places = [(0, 0), (4, 4), (2, 6), (6, 2), (3, 1), (1, 5), (5, 3), (7, 7)]
    for down, right in places:
        moved = damages.coded(np.roll(blocky, (down, right), (0, 1)), "JPEG", quality=quality)
        total += np.roll(moved, (-down, -right), (0, 1))
    strong = damages.over_smoothed(blocky, float(rng.uniform(0.6, 1)), rng)
    return Repair(blocky, to_levels(total / len(places)), strong)


def exposing(pixels: Pixels, rng: np.random.Generator) -> Repair:
    """A wrong exposure or gamma, mostly corrected, and corrected far beyond."""
    stops = float(rng.uniform(0.7, 2)) * (1 if rng.random() < 0.4 else -1)
    change = damages.exposed if rng.random() < 0.6 else damages.gamma_changed
    wrong = change(pixels, stops)
    overdone = change(wrong, -stops - np.sign(stops) * float(rng.uniform(1.5, 2.5)) * max(1.0, abs(stops)))
    return Repair(wrong, change(wrong, -stops * float(rng.uniform(0.5, 1.05))), overdone)


def contrasting(pixels: Pixels, rng: np.random.Generator) -> Repair:
    """Too little contrast, mostly restored, and overdone."""
    factor = float(rng.uniform(0.35, 0.7))
    flat = damages.contrasted(pixels, factor)
    mild = damages.contrasted(flat, 1 + (1 / factor - 1) * float(rng.uniform(0.5, 1.05)))
    return Repair(flat, mild, damages.contrasted(flat, 1 / factor * float(rng.uniform(2.2, 3.5))))


def balancing(pixels: Pixels, rng: np.random.Generator) -> Repair:
    """A cast of colour, mostly removed, and turned into the opposite."""
    towards = rng.choice([-1.0, 1.0]) * float(rng.uniform(0.2, 0.6))
    tint = float(rng.uniform(-0.2, 0.2))
    gains = 2.0 ** np.array([towards, tint, -towards])
    cast = damages.balanced(pixels, gains)
    mild = damages.balanced(cast, gains ** -float(rng.uniform(0.6, 1.05)))
    return Repair(cast, mild, damages.balanced(cast, gains ** -float(rng.uniform(2.8, 4))))


REPAIRS: dict[str, Callable[[Pixels, np.random.Generator], Repair]] = {
    "denoising": denoising,
    "sharpening": sharpening,
    "deblocking": deblocking,
    "exposing": exposing,
    "contrasting": contrasting,
    "balancing": balancing,
}


def noise_level(pixels: Pixels) -> float:
    """The standard deviation of noise in levels, from the median of the finest diagonal differences."""
    values = pixels.astype(np.float32).mean(axis=2)
    diagonal = (values[:-1, :-1] + values[1:, 1:] - values[1:, :-1] - values[:-1, 1:]) / 2
    return float(np.median(np.abs(diagonal)) / 0.6745) if diagonal.size else 0.0


def bilateral(pixels: Pixels, levels: float, reach: int) -> Pixels:
    """Mean of near pixels of like colour (C. Tomasi, R. Manduchi, ICCV 1998), with a window of 2·reach + 1."""
    values = pixels.astype(np.float32)
    guide = gaussian_filter(values, (0.7, 0.7, 0))
    total, weights = np.zeros_like(values), np.zeros((*values.shape[:2], 1), dtype=np.float32)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            moved, like = (np.roll(image, (down, right), (0, 1)) for image in (values, guide))
            apart = ((like - guide) ** 2).mean(axis=2, keepdims=True) / (2 * levels**2)
            weight = np.exp(-apart - (down**2 + right**2) / (2 * reach**2)).astype(np.float32)
            total += weight * moved
            weights += weight
    return to_levels(total / weights)
