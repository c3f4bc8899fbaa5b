"""The wavelet transform of lossy JPEG 2000: Cohen–Daubechies–Feauveau 9/7 by lifting (ISO/IEC 15444-1, annex F)."""

from __future__ import annotations

import torch
from torch import Tensor

_LIFTING = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
_GAIN = 1.230174104914001 / 2**0.5
"""Scales the two halves so that the transform about preserves the L2 norm."""


def forward_wavelet(pictures: Tensor, levels: int) -> Tensor:
    """(…, H, W) → the coefficients in the same shape: the low-pass image in the upper left, around it the detail
    bands of each level (right, below, and diagonal), the finest outermost."""
    mosaic = pictures.clone()
    for height, width in _sizes(pictures, levels):
        region = mosaic[..., :height, :width]
        _split(_split(region, torch.empty_like(region), axis=-2), region, axis=-1)
    return mosaic


def inverse_wavelet(mosaic: Tensor, levels: int) -> Tensor:
    """The inverse of `forward_wavelet`."""
    pictures = mosaic.clone()
    for height, width in reversed(_sizes(mosaic, levels)):
        region = pictures[..., :height, :width]
        _merge(_merge(region, torch.empty_like(region), axis=-1), region, axis=-2)
    return pictures


def _sizes(pictures: Tensor, levels: int) -> list[tuple[int, int]]:
    """Height and width that each level transforms, for as many levels as can be halved."""
    height, width = pictures.shape[-2:]
    sizes = [(-(-height // 2**level), -(-width // 2**level)) for level in range(levels)]
    return [size for size in sizes if min(size) > 1]


def _split(values: Tensor, out: Tensor, axis: int) -> Tensor:
    """The smooth half, then the detailed half along one axis, put into `out`."""
    even, odd = _halves(out, axis)
    for half, place in zip((even, odd), _interleaved(values, axis), strict=True):
        half.copy_(place)
    for step, weight in enumerate(_LIFTING):
        _lift(even, odd, step, weight, axis)
    even.div_(_GAIN)
    odd.mul_(_GAIN)
    return out


def _merge(values: Tensor, out: Tensor, axis: int) -> Tensor:
    """The inverse of `_split`."""
    smooth, detail = _halves(values, axis)
    even, odd = smooth * _GAIN, detail / _GAIN
    for step in reversed(range(len(_LIFTING))):
        _lift(even, odd, step, -_LIFTING[step], axis)
    for half, place in zip((even, odd), _interleaved(out, axis), strict=True):
        place.copy_(half)
    return out


def _halves(values: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    smooth = -(-values.shape[axis] // 2)
    return values.narrow(axis, 0, smooth), values.narrow(axis, smooth, values.shape[axis] - smooth)


def _interleaved(values: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The pixels at even and at odd places, as views."""
    if axis == -1:
        return values[..., 0::2], values[..., 1::2]
    return values[..., 0::2, :], values[..., 1::2, :]


def _lift(even: Tensor, odd: Tensor, step: int, weight: float, axis: int) -> None:
    """Add `weight` times both neighbours: to the odd pixels in the steps 0 and 2, to the even ones in 1 and 3."""
    if step % 2 == 0:
        _add_shifted(odd, even, 0, weight, axis)
        _add_shifted(odd, even, 1, weight, axis)
    else:
        _add_shifted(even, odd, -1, weight, axis)
        _add_shifted(even, odd, 0, weight, axis)


def _add_shifted(target: Tensor, source: Tensor, offset: int, weight: float, axis: int) -> None:
    """target[i] += weight · source[i + offset]; source's first and last are repeated, which mirrors the border."""
    count, known = target.shape[axis], source.shape[axis]
    first, last = max(0, -offset), min(count, known - offset)
    inner = target.narrow(axis, first, last - first)
    inner.add_(source.narrow(axis, first + offset, last - first), alpha=weight)
    if first > 0:
        target.narrow(axis, 0, 1).add_(source.narrow(axis, 0, 1), alpha=weight)
    if last < count:
        target.narrow(axis, last, 1).add_(source.narrow(axis, known - 1, 1), alpha=weight)
