"""HaarPSI: R. Reisenhofer, S. Bosse, G. Kutyniok, T. Wiegand, A Haar wavelet-based perceptual similarity index for
image quality assessment, Signal Processing: Image Communication 61, 2018."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit

from shamisa_cli.core.relational.difference.measurement import Measurement
from shamisa_cli.core.relational.difference.planes import YIQ, Image, Plane, apart, checked_pair, mixed, reduced, strips

C = 30.0
ALPHA = 4.2
"""Constants of the similarity and of the logistic function of the paper."""
COMPARED, WEIGHING = (2, 4), 8
"""Sides of the wavelets that are compared, and of the one that weighs the places."""


def haarpsi(a: Image, b: Image) -> Measurement:
    """1 − HaarPSI of two images, RGB (H, W, 3) of one size; the same when they are swapped.

    The similarity of Haar wavelet coefficients at two scales, and of the mean colours, weighted by the coefficients of
    a third scale, at half the size. The local map has half the size.

    Raises SettingError for arrays that are not images of one size.
    """
    a, b = checked_pair(a, b)
    lost, weight = 0.0, 0.0
    local: list[Plane] = []
    for strip in strips(*a.shape[:2], reach=2 * WEIGHING, align=2):
        rows, inner = slice(strip.first, strip.last), strip.inner(2)
        strip_lost, strip_weight, strip_local = _compared(
            mixed(reduced(a[rows], 2), YIQ), mixed(reduced(b[rows], 2), YIQ)
        )
        lost += float(strip_lost[inner].sum(dtype=np.float64))
        weight += float(strip_weight[inner].sum(dtype=np.float64))
        local.append(strip_local[inner])
    return Measurement(_distance(lost / weight if weight > 0 else 0.0), np.concatenate(local))


def _compared(a: Plane, b: Plane) -> tuple[Plane, Plane, Plane]:
    """Weighted loss, weights and unweighted similarity of each place, from planes Y, I, Q (3, h, w)."""
    coefficients = [[_wavelets(planes[0], side) for side in (*COMPARED, WEIGHING)] for planes in (a, b)]
    lost, weights, change = (np.zeros(a.shape[1:], dtype=np.float32) for _ in range(3))
    for direction in (0, 1):
        in_a, in_b = ([scale[direction] for scale in each] for each in coefficients)
        far = apart(in_a[0], in_b[0], C)
        far += apart(in_a[1], in_b[1], C)
        far *= np.float32(0.5)
        weight = np.maximum(in_a[2], in_b[2])
        weights += weight
        weight *= _loss(far)
        lost += weight
        change += far
    colour = apart(_mean_colour(a[1]), _mean_colour(b[1]), C)
    colour += apart(_mean_colour(a[2]), _mean_colour(b[2]), C)
    colour *= np.float32(0.5)
    change += colour
    lost += np.float32(0.5) * weights * _loss(colour)
    weights *= np.float32(1.5)
    change *= np.float32(-1 / 3)
    change += np.float32(1)
    return lost, weights, change


def _loss(change: Plane) -> Plane:
    """By how much the logistic function falls where the similarity does so by `change`."""
    return np.asarray(np.maximum(expit(np.float32(ALPHA)) - expit(np.float32(ALPHA) * (1 - change)), 0))


def _distance(loss: float) -> float:
    """1 − HaarPSI from the mean loss: the inverse of the logistic function, squared."""
    whole = 1 / (1 + math.exp(-ALPHA))
    fallen = (math.log1p(loss / (1 - whole)) - math.log1p(-loss / whole)) / ALPHA
    return min(1.0, max(0.0, fallen * (2 - fallen)))


def _wavelets(plane: Plane, side: int) -> tuple[Plane, Plane]:
    """Magnitudes of the coefficients of the Haar wavelets of so many pixels a side, down and across."""
    padded = np.pad(plane, side // 2)[1:, 1:]
    return _steps(padded, side), _steps(padded.T, side).T


def _steps(padded: Plane, side: int) -> Plane:
    """Sums of the lower half less those of the upper half of each square, over the side."""
    half = side // 2
    sums = _sums(_sums(padded.T, side).T, half)
    steps = sums[half:] - sums[: len(sums) - half]
    steps *= np.float32(1 / side)
    return np.asarray(np.abs(steps, out=steps))


def _sums(plane: Plane, count: int) -> Plane:
    """Sums of each `count` rows that follow each other; a power of two."""
    step = 1
    while step < count:
        plane = plane[: len(plane) - step] + plane[step:]
        step *= 2
    return plane


def _mean_colour(plane: Plane) -> Plane:
    """Magnitude of the means of 2×2 pixels."""
    sums = _sums(_sums(np.pad(plane, ((0, 1), (0, 1))), 2).T, 2).T
    return np.asarray(np.abs(sums * np.float32(0.25)))
