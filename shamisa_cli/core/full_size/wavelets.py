"""Traces of wavelet compression (JPEG 2000), which loses most of the finest coefficients, at every second pixel."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Vector

LOW_PASS = (0.602949018236360, 0.266864118442875, -0.078223266528990, -0.016864118442875, 0.026748757410810)
HIGH_PASS = (1.115087052456994, -0.591271763114247, -0.057543526228500, 0.091271763114250)
"""Cohen–Daubechies–Feauveau 9/7, analysis: the middle tap and those beside it (ISO/IEC 15444-1, annex F)."""
LINES = 64
"""Rows and columns that are read, about."""
LEVELS = 2
"""Finest levels that are looked at: where the first is lost altogether, both places of every pair are alike again."""
ROUNDING = 0.02
"""Grey levels added to both means, so that an image without details has no trace."""

Lines = npt.NDArray[np.float32]


def wavelet_trace(luma: npt.NDArray[np.uint8]) -> float:
    """How much smaller details (1D high-pass) are at every second pixel than at the others, as a natural logarithm.

    Nothing in a scene prefers every second pixel: photographs that were never coded so have at most .05. The lesser of
    both directions, as lines drawn two pixels apart show in one. Luma (H, W) of at least 128 pixels in both directions.
    """
    height, width = luma.shape
    rows = luma[:: _odd(height // LINES)].T
    columns = luma[:, :: _odd(width // LINES)]
    return min(_preference(lines.astype(np.float32)) for lines in (rows, columns))


def _odd(stride: int) -> int:
    """At least 1, and odd: lines at both places of every pair."""
    return max(1, stride) | 1


def _preference(lines: Lines) -> float:
    """The trace along lines (length, number), summed over levels."""
    trace, even, odd = _compared(lines)
    for _ in range(LEVELS - 1):
        first = int(even > odd)  # the smooth half is where details are larger; a low-pass begins a pixel later
        lines = _filtered(lines, LOW_PASS)[first::2]
        coarser, even, odd = _compared(lines)
        trace += coarser
    return trace


def _compared(lines: Lines) -> tuple[float, float, float]:
    """The trace of one level, and the mean size of details at even and at odd places."""
    sizes: Vector = np.abs(_filtered(lines, HIGH_PASS)).mean(axis=1)
    even, odd = (float(sizes[first::2].mean()) for first in (0, 1))
    return abs(math.log((even + ROUNDING) / (odd + ROUNDING))), even, odd


def _filtered(lines: Lines, taps: tuple[float, ...]) -> Lines:
    """Lines (length, number) through a symmetric filter, without its reach at both ends."""
    reach = len(taps) - 1
    last = len(lines) - reach
    filtered: Lines = np.float32(taps[0]) * lines[reach:last]
    for distance, tap in enumerate(taps[1:], 1):
        both = lines[reach - distance : last - distance] + lines[reach + distance : last + distance]
        filtered += np.float32(tap) * both
    return filtered
