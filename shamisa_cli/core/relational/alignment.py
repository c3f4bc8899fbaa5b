"""Pairs that are the same picture moved by a few pixels: found by phase correlation, and cut to what both show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Pixels

MOST = 2
"""Pixels by which images of one size may be shifted."""
MOST_CROPPED = 16
"""Pixels by which a side of one image may be longer, for the other to be a crop of it."""
WINDOW = 512
"""Side in pixels of the part in the middle that is correlated."""
CLEAR, TIMES = 0.08, 2.0
"""Least height of the peak, which is 1 for identical images, and how much higher it must be than that of no shift."""
SMALLEST = 32
"""Side in pixels from which images are looked at."""


@dataclass(frozen=True)
class Shift:
    """The second image shows at (y, x) what the first shows at (y + down, x + right)."""

    down: int
    right: int


def find_shift(a: Pixels, b: Pixels) -> Shift | None:
    """The shift of two images, RGB (H, W, 3), if there is one and it is certain; None for images in place.

    Images of one size may be shifted by `MOST` pixels; sides that differ by up to `MOST_CROPPED` are those of a crop.
    The phase correlation is that of C. D. Kuglin and D. C. Hines (IEEE Conf. Cybernetics and Society, 1975).
    """
    unequal = [abs(long - short) for long, short in zip(a.shape[:2], b.shape[:2], strict=True)]
    if max(unequal) > MOST_CROPPED or min(*a.shape[:2], *b.shape[:2]) < SMALLEST:
        return None
    height, width = (min(sides) for sides in zip(a.shape[:2], b.shape[:2], strict=True))
    top, left = max(0, height - WINDOW) // 2, max(0, width - WINDOW) // 2
    parts = [_detail(image[top : min(height, top + WINDOW), left : min(width, left + WINDOW)]) for image in (a, b)]
    spectra = [np.fft.rfft2(part) for part in parts]
    cross = spectra[0].conj() * spectra[1]
    peaks = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=parts[0].shape)
    row, column = (int(place) for place in np.unravel_index(np.argmax(peaks), peaks.shape))
    # A picture moved down by n has its peak at n: the first shows it n higher.
    down, right = (
        -(place - size if place > size // 2 else place) for place, size in zip((row, column), peaks.shape, strict=True)
    )
    allowed = [most if most else MOST for most in unequal] if any(unequal) else [MOST, MOST]
    if (down, right) == (0, 0):
        return Shift(0, 0) if any(unequal) and peaks[0, 0] >= CLEAR else None
    if abs(down) > allowed[0] or abs(right) > allowed[1]:
        return None
    certain = peaks[row, column] >= max(CLEAR, TIMES * float(peaks[0, 0]))
    return Shift(down, right) if certain else None


def overlap(a: Pixels, b: Pixels, shift: Shift) -> tuple[Pixels, Pixels]:
    """The parts of two images that show the same, of one size."""
    spans = [
        (max(0, move), max(0, -move), min(first - max(0, move), second - max(0, -move)))
        for first, second, move in zip(a.shape[:2], b.shape[:2], (shift.down, shift.right), strict=True)
    ]
    (top_a, top_b, height), (left_a, left_b, width) = spans
    return (
        np.ascontiguousarray(a[top_a : top_a + height, left_a : left_a + width]),
        np.ascontiguousarray(b[top_b : top_b + height, left_b : left_b + width]),
    )


def _detail(pixels: Pixels) -> npt.NDArray[np.float64]:
    """Lightness without its mean, fading out at the edges."""
    grey = pixels.astype(np.float64).mean(axis=2)
    rows, columns = (np.hanning(side + 2)[1:-1] for side in grey.shape)
    faded: npt.NDArray[np.float64] = (grey - grey.mean()) * np.outer(rows, columns)
    return faded
