"""Statistics of a pair of images without learned parameters: colour and gradient channels, and their similarity."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.relational.records import COMB_FLOOR, EMPTY, LEVELS, SEEN_LEVEL

CHANNELS = 8
"""Lightness, two opponent colours, gradients of lightness at three scales and of both colours at the middle one."""

LIKENESSES = 6
"""Gradients at three scales, both colours together at two, and lightness."""

COMBS = 8
"""Roughness and share of empty levels of the histograms of red, green, blue and lightness."""

GRADIENT_FLOOR = 0.003
COLOUR_FLOOR = 0.003
LIGHTNESS_FLOOR = 0.002
"""Constants c of the similarity (2xy + c) / (x² + y² + c) of values in 0…1, which suppress small differences."""


def picture_channels(pictures: Tensor) -> tuple[Tensor, ...]:
    """sRGB (N, 3, H, W) in 0…1, sides multiples of 8 → channels to compare, by scale.

    Returns:
        Three tensors: (N, 4, H, W) lightness, two colours, gradient; (N, 3, H/2, W/2) gradients of the same
        three at half size; (N, 1, H/4, W/4) gradient at a quarter.
    """
    red, green, blue = pictures.unbind(1)
    opponent = torch.stack([0.299 * red + 0.587 * green + 0.114 * blue, red - green, 0.5 * (red + green) - blue], dim=1)
    half = F.avg_pool2d(opponent, 2)
    quarter = F.avg_pool2d(half[:, :1], 2)
    return torch.cat([opponent, gradient(opponent[:, :1])], dim=1), gradient(half), gradient(quarter)


def gradient(channels: Tensor) -> Tensor:
    """Magnitude of Scharr's gradient of each channel, (N, C, H, W) → the same shape."""
    count = channels.shape[1]
    kernel = channels.new_tensor([[3.0, 0.0, -3.0], [10.0, 0.0, -10.0], [3.0, 0.0, -3.0]]) / 16
    kernels = torch.stack([kernel, kernel.T])[:, None].repeat(count, 1, 1, 1)
    padded = F.pad(channels, (1, 1, 1, 1), mode="replicate")
    slopes = F.conv2d(padded, kernels, groups=count)
    across, down = slopes[:, 0::2], slopes[:, 1::2]
    return (across.square() + down.square() + 1e-8).sqrt()


def dissimilarity(a: tuple[Tensor, ...], b: tuple[Tensor, ...], stride: int) -> Tensor:
    """1 − similarity of two images' channels, averaged over squares of `stride` pixels: (N, 6, H/stride, W/stride).

    Symmetric in the two images, and 0 where they are equal. The form is that of SSIM and its
    descendants (Wang et al. 2004; gradients: Xue et al. 2014).
    """
    (full_a, half_a, quarter_a), (full_b, half_b, quarter_b) = a, b
    maps = [
        (_unlike(full_a[:, 3:4], full_b[:, 3:4], GRADIENT_FLOOR), stride),
        (_unlike(half_a[:, :1], half_b[:, :1], GRADIENT_FLOOR), stride // 2),
        (_unlike(quarter_a, quarter_b, GRADIENT_FLOOR), stride // 4),
        (_colours_unlike(full_a[:, 1:3], full_b[:, 1:3]), stride),
        (_unlike(half_a[:, 1:], half_b[:, 1:], GRADIENT_FLOOR).mean(dim=1, keepdim=True), stride // 2),
        (_unlike(full_a[:, :1], full_b[:, :1], LIGHTNESS_FLOOR), stride),
    ]
    return torch.cat([F.avg_pool2d(unlike, factor) for unlike, factor in maps], dim=1)


def _unlike(x: Tensor, y: Tensor, floor: float) -> Tensor:
    return (x - y).square() / (x.square() + y.square() + floor)


def _colours_unlike(x: Tensor, y: Tensor) -> Tensor:
    """Dissimilarity of signed colour channels: a small difference counts more, the greyer both images are."""
    return ((x - y).square() / (x.square() + y.square() + COLOUR_FLOOR)).mean(dim=1, keepdim=True)


@torch.no_grad()
def level_counts(pictures: Tensor) -> Tensor:
    """sRGB (N, 3, H, W) in 0…1 → histograms of 256 levels of red, green, blue and lightness, (N, 4, 256); counts of
    parts of an image add up to those of the whole."""
    red, green, blue = pictures.unbind(1)
    lightness = 0.299 * red + 0.587 * green + 0.114 * blue
    levels = (torch.stack([red, green, blue, lightness], dim=1).flatten(2) * (LEVELS - 1)).round().long()
    counts = pictures.new_zeros(len(pictures), 4, LEVELS)
    return counts.scatter_add_(2, levels, torch.ones((), device=counts.device).expand(levels.shape))


def histogram_comb_difference(a: Tensor, b: Tensor) -> Tensor:
    """Compare how comb-like two histograms are: (N, 8) in −1…1 from `level_counts` of both; odd in the order.

    A tone curve applied to an image of 256 levels leaves some of them empty and merges others, which distinguishes
    an original from a processed version where brightness and contrast alone do not.
    """
    combs_a, combs_b = _combs(a), _combs(b)
    return (combs_b - combs_a) / (combs_b + combs_a + COMB_FLOOR)


def _combs(counts: Tensor) -> Tensor:
    shares = counts / counts.sum(dim=2, keepdim=True)
    inner, beside = shares[..., 1:-1], (shares[..., :-2] + shares[..., 2:]) / 2
    rough = (inner - beside).abs().sum(dim=2)
    empty = ((inner < EMPTY * beside) & (beside > SEEN_LEVEL)).float().mean(dim=2)
    return torch.cat([rough, 5 * empty], dim=1)
