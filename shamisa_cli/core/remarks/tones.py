"""Statistics of an image's tones and colours, from the pixels that are scored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.quantiles import quantiles

SAMPLES = 30_000
"""Pixels, about: larger images are read at a stride."""
WHITE = 251.0
"""Luma above which a pixel counts as clipped."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.998)
VIVID = 0.9
"""Quantile of the saturation."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
NORM = 6
"""Of the mean by which the light's colour is estimated (shades of gray; Finlayson and Trezzi, 2004)."""
CLIPPED = 250
"""A channel of this value or more hides the light's colour."""
GREY_LEVELS = 4.0
"""Largest difference between the channels of a pixel without colour."""

DARK, COLOURED, NEARLY_EMPTY = 40, 40, 8
"""Luma of dark pixels; difference between the channels of those with a strong colour; value near the end, 0."""
FEW, DETAIL_COUNTS = 0.003, 3
"""Share of pixels that makes no pile; power of the detail in colour beside that of the pile."""
BLOCK = 4
"""Pixels, of those that are read, on the side of the blocks whose detail counts: noise is smaller there."""

NEARLY_BLACK = 20
"""The saturation of pixels whose channels are at most this is not counted."""

Planes = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.uint8]
Channel = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Tones:
    """Tones and colours of an image; luma and chroma in grey levels 0…255.

    Attributes:
        quantiles: of the luma, at `QUANTILES`.
        white: share of pixels that are clipped.
        vivid: quantile .9 of the saturation in HSV, 0…1, of pixels that are not nearly black.
        overdone: how far colours were pushed, in octaves: see `_overdone`.
        coloured: share of pixels with any colour.
        warmth: log2 of red over blue in the colour of the light; above 0 it is warm.
        greenness: log2 of green over red and blue in it; above 0 it is green, below magenta.
    """

    quantiles: tuple[float, ...]
    white: float
    vivid: float
    overdone: float
    coloured: float
    warmth: float
    greenness: float

    def quantile(self, at: float) -> float:
        """One of `QUANTILES` of the luma."""
        return self.quantiles[QUANTILES.index(at)]

    @property
    def lights(self) -> float:
        """Mean of the luma's quantiles .75 and, twice, .998: how light the lighter half and the lightest spots are."""
        return (self.quantile(0.75) + 2 * self.quantile(0.998)) / 3

    @property
    def lightness(self) -> float:
        """Median of the luma as a share of white, and twice the clipped share."""
        return self.quantile(0.5) / 255 + 2 * self.white

    @property
    def harshness(self) -> float:
        """The luma's quantile .95, or less where the quantile .05 is not near black: 255 less three times that."""
        return min(self.quantile(0.95), 255 - 3 * self.quantile(0.05))

    @property
    def whole_range(self) -> float:
        """Luma between the quantiles .01 and .99."""
        return self.quantile(0.99) - self.quantile(0.01)


def tones_of(pixels: Pixels) -> Tones:
    """Measure an image (H, W, 3), sRGB."""
    stride = max(1, round((pixels.shape[0] * pixels.shape[1] / SAMPLES) ** 0.5))
    planes = np.ascontiguousarray(pixels[::stride, ::stride].transpose(2, 0, 1))
    red, green, blue = planes
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    largest = np.maximum(np.maximum(red, green), blue)
    chroma = largest - np.minimum(np.minimum(red, green), blue)
    seen = largest > NEARLY_BLACK
    saturation = chroma[seen].astype(np.float32) / largest[seen] if seen.any() else np.zeros(1, np.float32)
    warmth, greenness = _light(planes, largest < CLIPPED)
    return Tones(
        quantiles=tuple(quantiles(luma, QUANTILES)),
        white=np.count_nonzero(luma > WHITE) / luma.size,
        vivid=quantiles(saturation, [VIVID])[0],
        overdone=_overdone(planes, luma, chroma),
        coloured=np.count_nonzero(chroma > GREY_LEVELS) / chroma.size,
        warmth=warmth,
        greenness=greenness,
    )


def _overdone(planes: Planes, luma: Channel, chroma: Levels) -> float:
    """How far colours were pushed: their detail beside that of the luma, and how they pile up at the end of a channel.

    A scene's detail is mostly one of lightness, and few of its colours meet the end of a channel exactly; those that
    were pushed beyond it all do. Only the dark end counts: exposure and the light's colour send others to the bright.

    Args:
        planes: red, green and blue, (3, H, W).
        luma: (H, W).
        chroma: (H, W), difference between the largest and the smallest channel.
    """
    least = planes.min(axis=0)
    empty = np.count_nonzero((least == 0) & (luma > DARK)) / luma.size + FEW
    nearly_empty = np.count_nonzero((least <= NEARLY_EMPTY) & (chroma > COLOURED)) / luma.size + FEW
    red, green, blue = (_blocks(plane) for plane in planes)
    steps = np.hypot(_steps(red - green), _steps((red + green) / 2 - blue))
    lightness = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    detail = _median(steps) / (_median(_steps(lightness)) + 1)
    return math.log2(empty) - math.log2(nearly_empty) / 2 + DETAIL_COUNTS * math.log2(1 + detail)


def _blocks(values: Levels) -> Channel:
    """Means of whole blocks of (H, W); none where a side is shorter than a block."""
    rows, columns = (length // BLOCK * BLOCK for length in values.shape)
    narrow = np.zeros((rows // BLOCK, columns), np.float32)
    for first in range(BLOCK):
        narrow += values[first:rows:BLOCK, :columns]
    blocks: Channel = np.zeros((rows // BLOCK, columns // BLOCK), np.float32)
    for first in range(BLOCK):
        blocks += narrow[:, first::BLOCK]
    return blocks / BLOCK**2


def _steps(values: Channel) -> Channel:
    """Differences (H, W − 1) between neighbours in the rows of (H, W)."""
    steps: Channel = np.abs(np.diff(values, axis=1))
    return steps


def _median(values: Channel) -> float:
    """Median, 0 of none."""
    return quantiles(values, [0.5])[0] if values.size else 0.0


def _light(planes: Planes, usable: Mask) -> tuple[float, float]:
    """Warmth and greenness on which four estimates of the light's colour agree: the weakest, 0 if they differ in sign.

    Two take the image to be grey, two its edges (grey edge; van de Weijer et al., 2007): each once on average, where
    large areas decide, and once by `NORM`, where the lightest do. A blue sky or a lawn seldom rules all four; a tint
    that lies over the whole image does.

    Args:
        planes: red, green and blue, (3, H, W).
        usable: (H, W), the pixels that are not clipped.
    """
    ahead, behind = planes[:, 1:, 1:], planes[:, :-1, :-1]
    steps = np.maximum(ahead, behind) - np.minimum(ahead, behind)
    estimates = (*_balances(planes, usable), *_balances(steps, usable[1:, 1:] & usable[:-1, :-1]))
    warmth, greenness = zip(*estimates, strict=True)
    return _agreed(warmth), _agreed(greenness)


def _balances(planes: Planes, usable: Mask) -> list[tuple[float, float]]:
    """Warmth and greenness of three planes on average and by `NORM`; 0 where no pixel is usable."""
    if not usable.any():
        return [(0.0, 0.0)]
    values = [plane[usable].astype(np.float32) / 255 for plane in planes]
    return [_balance([max(norm(each), 1e-3) for each in values]) for norm in (_mean, _norm)]


def _balance(light: Sequence[float]) -> tuple[float, float]:
    """Warmth and greenness of red, green and blue."""
    red, green, blue = light
    return math.log2(red / blue), math.log2(green / math.sqrt(red * blue))


def _mean(values: npt.NDArray[np.float32]) -> float:
    return float(np.mean(values))


def _norm(values: npt.NDArray[np.float32]) -> float:
    """Root of the mean sixth power (`NORM`) of a channel's values (n,), 0…1; products, since `np.power` is slow."""
    squares = np.square(values)
    norm: float = float(np.mean(squares * squares * squares)) ** (1 / NORM)
    return norm


def _agreed(estimates: Sequence[float]) -> float:
    """The weakest of estimates of one sign, 0 if they differ in it."""
    least, most = min(estimates), max(estimates)
    return max(least, 0.0) + min(most, 0.0)
