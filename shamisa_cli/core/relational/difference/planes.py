"""Planes of two images that the measures share: levels, reductions, gradients, strips of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.errors import SettingError

Image = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
"""RGB in sRGB, (H, W, 3): uint8 levels 0…255, or float32 in 0…1."""

Plane = npt.NDArray[np.float32]

LEVELS = 255
"""White; all the measures' constants are for planes of 0…255."""

SMALLEST = 16
"""Pixels a side that every measure can work on; smaller images are reflected up to it."""

STRIP_PIXELS = 1 << 18
"""About how many pixels are worked on at a time, so that a strip's planes stay near the processor."""

VIEW = 256
"""Short side in pixels that VSI and MDSI reduce to."""

YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""RGB → Y, I and Q of NTSC."""

PREWITT, SCHARR = (1 / 3, 1 / 3), (3 / 16, 10 / 16)
"""Weights of a gradient's three rows (outer, middle)."""


@dataclass(frozen=True)
class Strip:
    """Rows of an image that are worked on together.

    Attributes:
        start, stop: the rows, in full size.
        first, last: the rows that are read, with what lies around within a filter's reach.
    """

    start: int
    stop: int
    first: int
    last: int

    def inner(self, factor: int = 1) -> slice:
        """The strip's own rows among those read, where the image is reduced by a factor."""
        begin = (self.start - self.first) // factor
        return slice(begin, begin - (self.start - self.stop) // factor)


def checked_pair(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> tuple[Image, Image]:
    """Two images as they came, or reflected up to `SMALLEST` pixels a side.

    Raises SettingError unless both are (H, W, 3) of one size and type, uint8 or finite float32 in 0…1.
    """
    for image in (a, b):
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype not in (np.uint8, np.float32):
            raise SettingError(
                f"An image is an array of {image.dtype} {image.shape}; RGB pixels (H, W, 3) are needed, "
                "as uint8 or as float32 in 0…1."
            )
        if image.dtype == np.float32 and not (image.min() >= 0 and image.max() <= 1):
            raise SettingError("An image has values outside 0…1; divide levels by 255, or give them as uint8.")
    if a.dtype != b.dtype:
        raise SettingError("One image is uint8 and the other float32; give both as the same type.")
    if a.shape != b.shape:
        raise SettingError(
            f"The images are {a.shape[1]}×{a.shape[0]} and {b.shape[1]}×{b.shape[0]} pixels; "
            "resize one of them to the size of the other."
        )
    return _grown(a), _grown(b)


def _grown(image: Image) -> Image:
    missing = [max(0, SMALLEST - side) for side in image.shape[:2]]
    if not any(missing):
        return image
    around = [(each // 2, each - each // 2) for each in missing]
    return cast(Image, np.pad(image, [*around, (0, 0)], mode="symmetric"))


def levels(image: Image) -> Plane:
    """The image as float32 levels 0…255."""
    if image.dtype == np.uint8:
        return image.astype(np.float32)
    return np.asarray(image * np.float32(LEVELS), dtype=np.float32)


def mixed(image: Plane, matrix: npt.NDArray[np.float64]) -> Plane:
    """Planes (n, H, W) of levels (H, W, 3), by a matrix (n, 3)."""
    red, green, blue = (np.ascontiguousarray(image[..., channel]) for channel in range(3))
    planes = np.empty((len(matrix), *image.shape[:2]), dtype=np.float32)
    for plane, row in zip(planes, matrix.astype(np.float32), strict=True):
        np.multiply(red, row[0], out=plane)
        plane += row[1] * green
        plane += row[2] * blue
    return planes


def factor_of(height: int, width: int) -> int:
    """By how much VSI and MDSI reduce an image, as their papers have it."""
    return max(1, round(min(height, width) / VIEW))


def reduced(image: Image, factor: int) -> Plane:
    """Means of squares of pixels as levels, (⌈H/factor⌉, ⌈W/factor⌉, 3); the last row and column are repeated."""
    if factor == 1:
        return levels(image)
    whole = _whole_squares(image, factor)
    rows: npt.NDArray[Any] = whole[::factor].astype(np.uint16 if image.dtype == np.uint8 else np.float32)
    for offset in range(1, factor):
        rows += whole[offset::factor]
    sums: npt.NDArray[Any] = rows[:, ::factor].astype(np.uint32 if image.dtype == np.uint8 else np.float32)
    for offset in range(1, factor):
        sums += rows[:, offset::factor]
    scale = (1 if image.dtype == np.uint8 else LEVELS) / factor**2
    return np.asarray(sums * np.float32(scale), dtype=np.float32)


def _whole_squares(image: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    missing = [-side % factor for side in image.shape[:2]]
    if not any(missing):
        return image
    return np.pad(image, [(0, each) for each in missing] + [(0, 0)] * (image.ndim - 2), mode="edge")


def halved(plane: Plane) -> Plane:
    """Means of 2×2 pixels of a plane (H, W)."""
    whole = _whole_squares(plane, 2)
    rows = whole[::2] + whole[1::2]
    means = rows[:, ::2] + rows[:, 1::2]
    means *= np.float32(0.25)
    return np.asarray(means)


def gradient(plane: Plane, weights: tuple[float, float]) -> Plane:
    """Magnitude of the gradient of a plane (H, W), which is 0 beyond its edges.

    Differences of the neighbours on both sides, each smoothed over three rows by `weights`.
    """
    outer, middle = (np.float32(weight) for weight in weights)
    padded = np.pad(plane, 1)
    smooth = padded[:-2] + padded[2:]
    smooth *= outer
    smooth += middle * padded[1:-1]
    across = smooth[:, 2:] - smooth[:, :-2]
    smooth = padded[:, :-2] + padded[:, 2:]
    smooth *= outer
    smooth += middle * padded[:, 1:-1]
    along = smooth[2:] - smooth[:-2]
    across *= across
    along *= along
    across += along
    return np.asarray(np.sqrt(across, out=across))


def apart(a: Plane, b: Plane, constant: float) -> Plane:
    """1 − (2ab + c) / (a² + b² + c), the measures' usual similarity, exactly 0 where a = b."""
    difference = a - b
    difference *= difference
    power = a * a
    power += b * b
    power += np.float32(constant)
    difference /= power
    return np.asarray(difference)


def strips(height: int, width: int, *, reach: int, align: int) -> Iterator[Strip]:
    """Strips that cover an image; each begins at a multiple of `align`, and `reach` rows around it are read."""
    rows = max(align, STRIP_PIXELS // max(1, width) // align * align)
    for start in range(0, height, rows):
        stop = min(height, start + rows)
        yield Strip(start, stop, max(0, start - reach), min(height, stop + reach))


def blocks(plane: Plane, side: int) -> Plane:
    """Means of squares of a plane (H, W), (⌈H/side⌉, ⌈W/side⌉)."""
    if side == 1:
        return plane
    whole = _whole_squares(plane, side)
    height, width = whole.shape
    return np.asarray(whole.reshape(height // side, side, width // side, side).mean(axis=(1, 3), dtype=np.float32))
