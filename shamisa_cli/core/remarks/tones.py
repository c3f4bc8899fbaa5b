"""Statistics of an image's tones and colours, from the pixels that are scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Pixels

SAMPLES = 30_000
"""Pixels, about: larger images are read at a stride."""
WHITE = 251.0
"""Luma above which a pixel counts as clipped."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.998)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
NORM = 6
"""Of the mean by which the light's colour is estimated (shades of gray; Finlayson and Trezzi, 2004)."""
CLIPPED = 250
"""A channel of this value or more hides the light's colour."""
GREY_LEVELS = 4.0
"""Largest difference between the channels of a pixel without colour."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tones:
    """Tones and colours of an image; luma and chroma in grey levels 0…255.

    Attributes:
        quantiles: of the luma, at `QUANTILES`.
        white: share of pixels that are clipped.
        vivid: quantile .9 of the saturation in HSV, 0…1, of pixels that are not nearly black.
        coloured: share of pixels with any colour.
        warmth: log2 of red over blue in the colour of the light; above 0 it is warm.
        greenness: log2 of green over red and blue in it; above 0 it is green, below magenta.
    """

    quantiles: tuple[float, ...]
    white: float
    vivid: float
    coloured: float
    warmth: float
    greenness: float

    def quantile(self, at: float) -> float:
        """One of `QUANTILES` of the luma."""
        return self.quantiles[QUANTILES.index(at)]

    @property
    def lights(self) -> float:
        """Mean of the luma's quantiles .75 and .95: how light the lighter half is."""
        return (self.quantile(0.75) + self.quantile(0.95)) / 2

    @property
    def lightness(self) -> float:
        """Median of the luma as a share of white, and twice the clipped share."""
        return self.quantile(0.5) / 255 + 2 * self.white

    @property
    def range(self) -> float:
        """Luma between the quantiles .05 and .95."""
        return self.quantile(0.95) - self.quantile(0.05)

    @property
    def whole_range(self) -> float:
        """Luma between the quantiles .01 and .99."""
        return self.quantile(0.99) - self.quantile(0.01)


def tones_of(pixels: Pixels) -> Tones:
    """Measure an image (H, W, 3), sRGB."""
    stride = max(1, round((pixels.shape[0] * pixels.shape[1] / SAMPLES) ** 0.5))
    sampled = pixels[::stride, ::stride]
    values = sampled.astype(np.float32)
    luma = values @ LUMA
    largest, smallest = sampled.max(axis=2), sampled.min(axis=2)
    chroma = (largest - smallest).astype(np.float32)
    seen = largest > 20
    saturation = (chroma / np.maximum(largest, 1))[seen] if seen.any() else np.zeros(1, np.float32)
    warmth, greenness = _light(values, largest)
    return Tones(
        quantiles=tuple(np.quantile(luma, QUANTILES).tolist()),
        white=float((luma > WHITE).mean()),
        vivid=float(np.quantile(saturation, 0.9)),
        coloured=float((chroma > GREY_LEVELS).mean()),
        warmth=warmth,
        greenness=greenness,
    )


def _light(values: Values, largest: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Warmth and greenness on which two estimates of the light's colour agree: the weaker of the two, 0 if they differ.

    One takes the image to be grey on average, the other its edges (grey edge; van de Weijer et al., 2007).
    """
    usable = largest < CLIPPED
    plain = _balance(values[usable]) if usable.any() else (0.0, 0.0)
    steps = np.abs(values[1:, 1:] - values[:-1, :-1])
    inside = usable[1:, 1:] & usable[:-1, :-1]
    edges = _balance(steps[inside]) if inside.any() else (0.0, 0.0)
    return _agreed(plain[0], edges[0]), _agreed(plain[1], edges[1])


def _balance(values: Values) -> tuple[float, float]:
    squared = np.square(values / 255)
    norms = (squared * squared * squared).reshape(-1, 3).mean(axis=0, dtype=np.float64) ** (1 / NORM)
    red, green, blue = np.maximum(norms, 1e-3).tolist()
    return float(np.log2(red / blue)), float(np.log2(green / np.sqrt(red * blue)))


def _agreed(first: float, second: float) -> float:
    return 0.0 if first * second <= 0 else min(first, second, key=abs)
