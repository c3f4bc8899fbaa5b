"""Linear filters and displacements shared by operators, for batches with one parameter per image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.distortions.operator import on_device_of

GAUSSIAN_REACH = 3.0
"""A Gaussian is cut off at this many standard deviations."""

SUMMED_RADIUS = 8
"""Up to this radius a Gaussian is summed tap by tap; beyond, multiplying by a matrix is faster on a CPU."""


def gaussian_blur(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with mirrored borders, along columns and then along rows.

    Args:
        pictures: (M, C, H, W).
        sigma: (M,) or (1,) on the CPU, standard deviation in pixels, above 0.
    """
    radius = math.ceil(GAUSSIAN_REACH * float(sigma.max()))
    profiles = on_device_of(pictures, _gaussian_profiles(sigma, radius))
    if radius <= SUMMED_RADIUS:
        padded = mirror_pad(pictures, radius)
        return _summed(_summed(padded, profiles, axis=2), profiles, axis=3)
    height, width = pictures.shape[2:]
    rows = _filter_matrices(profiles, height)[:, None]
    columns = rows if width == height else _filter_matrices(profiles, width)[:, None]
    return rows @ pictures @ columns.transpose(2, 3)


def _gaussian_profiles(sigma: Tensor, radius: int) -> Tensor:
    """(M, 2·radius + 1), each summing to 1."""
    distance = torch.arange(-radius, radius + 1, dtype=torch.float64)
    profile = torch.exp(-0.5 * (distance / sigma.double().view(-1, 1)) ** 2)
    return profile / profile.sum(dim=1, keepdim=True)


def _summed(padded: Tensor, profiles: Tensor, axis: int) -> Tensor:
    """Filter along one axis by symmetric `profiles` (M, 2r + 1); the result is 2r shorter there."""
    radius = profiles.shape[1] // 2
    size = padded.shape[axis] - 2 * radius
    weights = profiles[:, radius:].T.reshape(radius + 1, -1, 1, 1, 1)
    total = padded.narrow(axis, radius, size) * weights[0]
    for offset in range(1, radius + 1):
        pair = padded.narrow(axis, radius - offset, size) + padded.narrow(axis, radius + offset, size)
        total.addcmul_(pair, weights[offset])
    return total


def _filter_matrices(profiles: Tensor, size: int) -> Tensor:
    """(M, size, size): multiplying a column of pixels by it filters that column, its borders mirrored."""
    radius = profiles.shape[1] // 2
    reached = torch.arange(size)[:, None] + torch.arange(-radius, radius + 1)
    sources = on_device_of(profiles, _within(reached, size), dtype=torch.int64)
    matrices = profiles.new_zeros(len(profiles), size, size)
    return matrices.scatter_add_(
        2, sources.expand(len(profiles), -1, -1), profiles[:, None].expand(-1, size, -1).contiguous()
    )


def _within(places: Tensor, size: int) -> Tensor:
    """Mirror indices beyond 0…size − 1 at the border, or clamp them if the axis is too short (see `mirror_pad`)."""
    if int(places.max()) >= 2 * size - 1:
        return places.clamp(0, size - 1)
    return (size - 1) - ((size - 1) - places.abs()).abs()


def convolve(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Convolve every channel of picture m with kernel m, with mirrored borders.

    Args:
        pictures: (M, C, H, W).
        kernels: (M, k, k) or (1, k, k), k odd, each summing to 1.

    Uses the Fourier transform, which is faster than direct summation for kernels of the sizes used here.
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


def displace(channel: Tensor, distance: Tensor, angle: float) -> Tensor:
    """Shift (M, H, W) by `distance` (M,) pixels towards `angle`, bilinear, the border repeated."""
    height, width = channel.shape[1:]
    distance = on_device_of(channel, distance)
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
