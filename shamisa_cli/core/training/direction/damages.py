"""Damage by cameras, codecs and editors beside the engine's operators, as functions of a strength 0…1."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.images.formats import open_image
from shamisa_cli.core.relational.direction.bands import bands, colour_planes

Damage = Callable[[Pixels, float, np.random.Generator], Pixels]
GAMMA = 2.2
SHARP = 0.5
"""Energy of the finest detail to that of the next band, from which a picture is sharp: of 100 photographs blurred by
0.7 pixels none reaches it."""


def to_levels(values: NDArray[Any]) -> Pixels:
    """Round to 8 bits; values are in levels."""
    levels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def coded(pixels: Pixels, kind: str, **settings: Any) -> Pixels:
    """The image after writing and reading a file of this format."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **settings)
    stream.seek(0)
    return np.asarray(open_image(kind, stream).convert("RGB"))


def jpeg(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """JPEG from quality 98 to 5, with colour at half or at full resolution."""
    sampling = "4:2:0" if rng.random() < 0.6 else "4:4:4"
    return coded(pixels, "JPEG", quality=_quality(strength, 98, 5), subsampling=sampling)


def webp(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """WebP from quality 97 to 1."""
    return coded(pixels, "WEBP", quality=_quality(strength, 97, 1), method=int(rng.integers(1, 5)))


def avif(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """AVIF from quality 95 to 5, with colour at half or at full resolution."""
    sampling = "4:2:0" if rng.random() < 0.7 else "4:4:4"
    return coded(pixels, "AVIF", quality=_quality(strength, 95, 5), speed=9, subsampling=sampling)


def _quality(strength: float, first: int, last: int) -> int:
    exact: float = first + (last - first) * strength**1.3
    return round(exact)


def soft(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Gaussian blur of σ 0.35 to 5 pixels."""
    del rng
    sigma = 0.35 * (5 / 0.35) ** strength
    return to_levels(gaussian_filter(pixels.astype(np.float32), (sigma, sigma, 0)))


def out_of_focus(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Blur by a disk of radius 0.8 to 7 pixels."""
    del rng
    radius = 0.8 * (7 / 0.8) ** strength
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1).astype(np.float32)
    edges = [(reach, reach), (reach, reach), (0, 0)]
    padded = np.pad(pixels.astype(np.float32), edges, mode="symmetric")
    return to_levels(fftconvolve(padded, (disk / disk.sum())[..., None], mode="valid", axes=(0, 1)))


def sensor_noise(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Shot and read noise in linear light; a third of the time smoothed a little, as cameras leave it."""
    gain = 0.001 * 60**strength
    linear = (pixels.astype(np.float32) / 255) ** GAMMA
    drawn = rng.standard_normal(linear.shape, dtype=np.float32)
    if rng.random() < 1 / 3:
        drawn = gaussian_filter(drawn, (0.6, 0.6, 0)) * 2
    noisy = linear + drawn * np.sqrt(gain**2 * linear + gain**2 / 100)
    return to_levels(np.clip(noisy, 0, 1) ** (1 / GAMMA) * 255)


def gaussian_noise(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """White noise of σ 0.7 to 50 levels, the same in all colours a third of the time."""
    shape = (*pixels.shape[:2], 1 if rng.random() < 1 / 3 else 3)
    return to_levels(pixels + rng.standard_normal(shape, dtype=np.float32) * (0.7 * (50 / 0.7) ** strength))


def reduced(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Reduced by 1.1 to 8 and enlarged again, with bilinear, bicubic or Lanczos kernels."""
    factor = 1.1 * (8 / 1.1) ** strength
    kernels = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    down, up = (kernels[int(rng.integers(3))] for _ in range(2))
    picture = Image.fromarray(pixels)
    size = (max(4, round(picture.width / factor)), max(4, round(picture.height / factor)))
    return np.asarray(picture.resize(size, down).resize(picture.size, up))


def over_sharpened(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Unsharp mask of 30 to 500 %; of a picture that is not sharp, which a little would repair, of 150 % at least."""
    radius = float(rng.uniform(0.7, 2.5))
    least = 30 if _sharp(pixels) else 150
    percent = round(least + (500 - least) * strength**1.3)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.UnsharpMask(radius, percent, 0)))


def _sharp(pixels: Pixels) -> bool:
    fine, coarse = (float(np.square(band).mean()) for band in bands(colour_planes(pixels)[0], 2))
    return fine > SHARP * coarse


def over_smoothed(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """A median over 3 to 9 pixels, which leaves patches as of paint."""
    del rng
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.MedianFilter(3 + 2 * round(3 * strength))))


def posterised(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Fewer levels: 64 to 5."""
    del rng
    levels = 64 * (5 / 64) ** strength
    return to_levels(np.rint(pixels / 255 * (levels - 1)) / (levels - 1) * 255)


def over_toned(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Local contrast raised with halos, as by heavy tone mapping."""
    values = pixels.astype(np.float32)
    sigma = float(rng.uniform(8, 30))
    base = gaussian_filter(values, (sigma, sigma, 0))
    return to_levels(128 + (base - 128) * (1 - 0.5 * strength) + (values - base) * (1.4 + 1.6 * strength))


def exposed(pixels: Pixels, stops: float) -> Pixels:
    """Exposure changed in linear light; what is too bright is clipped."""
    linear = (pixels.astype(np.float32) / 255) ** GAMMA * 2.0**stops
    return to_levels(np.clip(linear, 0, 1) ** (1 / GAMMA) * 255)


def gamma_changed(pixels: Pixels, stops: float) -> Pixels:
    """Lightness changed by a power, so that black and white stay: the middle grey by about this many stops."""
    levels = np.arange(256) / 255
    return to_levels(levels ** (2 ** (-stops / GAMMA)) * 255)[pixels]


def balanced(pixels: Pixels, gains: NDArray[np.float64]) -> Pixels:
    """Channels multiplied in linear light, with the lightness kept on the whole."""
    linear = (pixels.astype(np.float32) / 255) ** GAMMA * gains.astype(np.float32)
    return to_levels(np.clip(linear, 0, 1) ** (1 / GAMMA) * 255)


def contrasted(pixels: Pixels, factor: float) -> Pixels:
    """Contrast multiplied around the mean lightness."""
    values = pixels.astype(np.float32)
    return to_levels((values - values.mean()) * factor + values.mean())


DAMAGES: dict[str, Damage] = {
    "JPEG file": jpeg,
    "WebP": webp,
    "AVIF": avif,
    "soft": soft,
    "out of focus": out_of_focus,
    "sensor noise": sensor_noise,
    "Gaussian noise": gaussian_noise,
    "reduced": reduced,
    "over-sharpened": over_sharpened,
    "over-smoothed": over_smoothed,
    "posterised": posterised,
    "over-toned": over_toned,
}
