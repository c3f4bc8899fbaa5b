"""Visual saliency by simple priors (SDSP): L. Zhang, Z. Gu, H. Li, SDSP: a novel saliency detection method by
combining simple priors, ICIP 2013.

VSI gives the third prior, that warm colours attract, a σ_C of 0.001: it is 1 but at pixels that have the least of both
chromatic channels. In grey images these are the whitest pixels alone, and one level more or less makes them others. So
it is left out; for photographs in colour that changes nothing.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, rfft2

from shamisa_cli.core.relational.difference.planes import LEVELS, Image, Plane

SIDE = 256
"""The map is computed on a square of so many pixels."""
CENTRE_FREQUENCY, BANDWIDTH = 0.021, 1.34
"""ω₀ and σ_F of the log-Gabor filter, in cycles a pixel."""
LOCATION_SPREAD = 145.0
"""σ_D in pixels: people look at the middle first."""

_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""Linear sRGB → XYZ (IEC 61966-2-1)."""
_WHITE = np.array([0.9642, 1.0, 0.8251])
"""The white that CIELAB is relative to: D50, as in the published values of VSI."""


def saliency(image: Image) -> Plane:
    """Saliency 0…1 of an RGB image, (256, 256), stretched over the whole image."""
    lab = _lab(_square(image))
    spectrum = rfft2(lab, axes=(0, 1))
    filtered = irfft2(spectrum * _log_gabor()[..., None], s=(SIDE, SIDE), axes=(0, 1))
    frequency = np.sqrt((filtered**2).sum(axis=2))
    return _stretched(frequency * _location()).astype(np.float32)


def resampling(size: int, wanted: int) -> Plane:
    """Bilinear interpolation from `size` samples to `wanted` ones as a matrix (wanted, size)."""
    places = np.clip((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0, size - 1)
    left = np.minimum(np.floor(places).astype(int), max(0, size - 2))
    matrix = np.zeros((wanted, size), dtype=np.float32)
    rows = np.arange(wanted)
    matrix[rows, left] = 1 - (places - left)
    matrix[rows, np.minimum(left + 1, size - 1)] += places - left
    return matrix


def _square(image: Image) -> npt.NDArray[np.float64]:
    """The image at 256×256, interpolated bilinearly, as levels / 255."""
    scale = LEVELS if image.dtype == np.uint8 else 1
    picture: npt.NDArray[Any] = image
    for axis in (0, 1):
        size = picture.shape[axis]
        places = np.clip((np.arange(SIDE) + 0.5) * size / SIDE - 0.5, 0, size - 1)
        left = np.floor(places).astype(int)
        weight = (places - left).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        below, above = (picture.take(np.minimum(left + step, size - 1), axis=axis) for step in (0, 1))
        picture = below * (1 - weight) + above * weight
    return np.asarray(picture / scale, dtype=np.float64)


def _lab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """CIELAB of sRGB in 0…1."""
    rgb = np.clip(rgb, 0, 1)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    relative = linear @ _XYZ.T / _WHITE
    root = np.where(relative > 216 / 24389, np.cbrt(relative), (24389 / 27 * relative + 16) / 116)
    x, y, z = (root[..., channel] for channel in range(3))
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _stretched(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From 0 to 1; 0 everywhere for a flat plane."""
    low, high = plane.min(), plane.max()
    return np.zeros_like(plane) if high <= low else np.asarray((plane - low) / (high - low))


@functools.cache
def _log_gabor() -> npt.NDArray[np.float64]:
    rows, columns = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    radius = np.hypot(rows, columns)
    radius[0, 0] = 1
    gain = np.exp(-(np.log(radius / CENTRE_FREQUENCY) ** 2) / (2 * BANDWIDTH**2))
    gain[radius > 0.5] = 0
    gain[0, 0] = 0
    return np.asarray(gain)


@functools.cache
def _location() -> npt.NDArray[np.float64]:
    offsets = np.arange(1, SIDE + 1) - SIDE / 2
    return np.asarray(np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / LOCATION_SPREAD**2))
