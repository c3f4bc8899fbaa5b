"""Linear filters and displacements that several operators share, for batches with a parameter a picture."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

GAUSSIAN_REACH = 3.0
"""A Gaussian is cut off at this many standard deviations."""


def gaussian_blur(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with mirrored borders.

    Args:
        pictures: (M, C, H, W).
        sigma: (M,) or (1,) on the CPU, standard deviation in pixels, above 0.
    """
    return convolve(pictures, _gaussian_kernels(sigma).to(pictures))


def _gaussian_kernels(sigma: Tensor) -> Tensor:
    """(M, k, k), each summing to 1."""
    radius = math.ceil(GAUSSIAN_REACH * float(sigma.max()))
    distance = torch.arange(-radius, radius + 1, dtype=torch.float64)
    profile = torch.exp(-0.5 * (distance / sigma.double().view(-1, 1)) ** 2)
    profile = profile / profile.sum(dim=1, keepdim=True)
    return profile[:, :, None] * profile[:, None, :]


def convolve(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Convolve every channel of picture m with kernel m, with mirrored borders.

    Args:
        pictures: (M, C, H, W).
        kernels: (M, k, k) or (1, k, k), k odd, each summing to 1.

    Goes through the Fourier transform: for the kernels here faster than summing, whatever their shape.
    """
    radius = kernels.shape[-1] // 2
    padded = mirror_pad(pictures, radius)
    height, width = (_fast_length(side) for side in padded.shape[2:])
    spectrum = torch.fft.rfft2(padded, s=(height, width))
    spectrum *= torch.fft.rfft2(kernels, s=(height, width))[:, None]
    filtered = torch.fft.irfft2(spectrum, s=(height, width))
    top = 2 * radius
    cropped: Tensor = filtered[..., top : top + pictures.shape[2], top : top + pictures.shape[3]]
    return cropped


def mirror_pad(pictures: Tensor, radius: int) -> Tensor:
    """Reflect `radius` pixels at each border; repeats the last ones where the picture is too small for that."""
    mode = "reflect" if radius < min(pictures.shape[2:]) else "replicate"
    return F.pad(pictures, (radius, radius, radius, radius), mode=mode)


def _fast_length(length: int) -> int:
    """The next length whose only prime factors are 2, 3 and 5."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def displaced(channel: Tensor, distance: Tensor, angle: float) -> Tensor:
    """Shift (M, H, W) by `distance` (M,) pixels towards `angle`, bilinear, the border repeated."""
    height, width = channel.shape[1:]
    distance = distance.to(channel.device, channel.dtype)
    rows = _shifted_index(height, distance * math.sin(angle))
    columns = _shifted_index(width, distance * math.cos(angle))
    moved = _sample_axis(channel, rows, axis=1)
    return _sample_axis(moved, columns, axis=2)


def _shifted_index(size: int, shift: Tensor) -> Tensor:
    index = torch.arange(size, device=shift.device, dtype=shift.dtype)
    return (index[None, :] - shift[:, None]).clamp(0, size - 1)


def _sample_axis(values: Tensor, positions: Tensor, axis: int) -> Tensor:
    """Linear interpolation of (M, H, W) along one axis at fractional `positions` (M, size)."""
    low = positions.floor()
    shape = (-1, positions.shape[1], 1) if axis == 1 else (-1, 1, positions.shape[1])
    fraction = (positions - low).view(shape)
    first = low.long()
    second = (first + 1).clamp(max=values.shape[axis] - 1)
    lower, upper = (torch.gather(values, axis, index.view(shape).expand_as(values)) for index in (first, second))
    return torch.lerp(lower, upper, fraction)
