"""Lossy JPEG 2000 without its entropy coder, which is lossless: an image at a given compressed size.

A JPEG 2000 encoder transforms, codes the bit-planes of the coefficients in three passes each, and truncates the
stream of every block of coefficients where its bits reduce the error least (ISO/IEC 15444-1; Taubman 2000, "High
performance scalable image compression with EBCOT"). All loss is in this truncation. Here the same passes are made
and truncated by the same rule, but the size of a pass is estimated from the entropy of its decisions. That takes a
third of a codec's time, for whole batches on any device; `benchmarks/jpeg2000.py` compares the results with OpenJPEG.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.distortions.colour_spaces import YCBCR_TO_RGB, mix_channels
from shamisa_cli.core.distortions.operator import on_device_of
from shamisa_cli.core.distortions.wavelet import forward_wavelet, inverse_wavelet

LEVELS = 5
TILE = 56
"""Side of the squares of coefficients that are truncated at one pass; a codec's blocks have up to 64."""

HEADER_BITS = 2200
BITS_A_COEFFICIENT = 6.0
"""Bits that a nonzero coefficient costs in total, with OpenJPEG on the paper's mix of images; the median."""

REFINEMENT_BITS = 0.95
CLEANUP_SHARE = 0.8
"""Share of the entropy of the significance of isolated coefficients that is spent; contexts save the rest."""

_SAMPLED = 127
_HALVINGS = 14


@dataclass(frozen=True)
class _Quantised:
    """Magnitudes of coefficients when all bits below a plane are unknown.

    Attributes:
        values: middle of the interval that the known bits leave, or 0.
        significant: 1 where the values are not 0, else 0.
    """

    values: Tensor
    significant: Tensor


@dataclass(frozen=True)
class _Pass:
    """One coding pass.

    Attributes:
        change: (M, 3, H, W), change of the magnitudes.
        gain: (M, 3, H / TILE, W / TILE), reduction of the sum of squared errors.
        bits: shape of `gain`, estimated number of bits.
    """

    change: Tensor
    gain: Tensor
    bits: Tensor


def jpeg2000_round_trip(pictures: Tensor, ratio: Tensor) -> Tensor:
    """Compress images to a JPEG 2000 stream of a given size and decompress them.

    Args:
        pictures: (M, 3, H, W) sRGB, 0…255.
        ratio: (M,) on the CPU, compression ratio relative to 8 bits per value.
    """
    to_rgb = torch.tensor(YCBCR_TO_RGB, dtype=torch.float64)
    mosaic = forward_wavelet(mix_channels(pictures - 128, torch.linalg.inv(to_rgb)), LEVELS)
    budget = on_device_of(pictures, (mosaic[0].numel() * 8 / ratio - HEADER_BITS).clamp_min(100))
    kept = _cut(mosaic, budget, importance=on_device_of(pictures, to_rgb.square().sum(dim=0)))
    return mix_channels(inverse_wavelet(kept, LEVELS), to_rgb).add_(128)


def _cut(mosaic: Tensor, budget: Tensor, importance: Tensor) -> Tensor:
    """Truncate coefficients (M, 3, H, W) to a `budget` (M,) of bits, with channels weighted by `importance` (3,).

    Passes are made over two bit-planes around the step at which the budget is spent: everything above them is
    kept, and everything below is lost.
    """
    height, width = mosaic.shape[2:]
    sizes = F.pad(mosaic.abs(), (0, -width % TILE, 0, -height % TILE))
    step = _step_that_leaves(budget / BITS_A_COEFFICIENT, mosaic)
    coarse, fine, finest = (_quantised(sizes, factor * step) for factor in (2, 1, 0.5))
    passes = [*_passes(sizes, coarse, fine), *_passes(sizes, fine, finest)]
    gains = torch.stack([one.gain for one in passes], dim=-1) * importance.view(3, 1, 1, 1)
    bits = torch.stack([one.bits for one in passes], dim=-1)
    bits[..., 3:] += 1e9 * (step < 2)[..., None]  # no encoder has a plane below 1
    spent = coarse.significant.sum(dim=(1, 2, 3)) * BITS_A_COEFFICIENT
    taken = _passes_taken(gains, bits, budget - spent)
    kept = coarse.values
    for number, one in enumerate(passes):
        kept.addcmul_(one.change, _pixels(taken > number, kept))
    return kept[..., :height, :width] * mosaic.sign()


def _step_that_leaves(count: Tensor, coefficients: Tensor) -> Tensor:
    """(M, 1, 1, 1): the power of two, at least 1, at which about `count` (M,) coefficients are not 0."""
    sample = coefficients.flatten(1)[:, ::_SAMPLED].abs()
    rank = (count / _SAMPLED).long().clamp(max=sample.shape[1] - 1)
    limit = sample.sort(dim=1, descending=True).values.gather(1, rank[:, None])
    return limit.log2().round().clamp_min(0).exp2()[..., None, None]


def _quantised(sizes: Tensor, step: Tensor) -> _Quantised:
    whole = (sizes / step).floor_()
    significant = whole.clamp(max=1)
    return _Quantised(whole.add_(0.5).mul_(step).mul_(significant), significant)


def _passes(sizes: Tensor, before: _Quantised, after: _Quantised) -> list[_Pass]:
    """The three passes of a bit-plane: significance propagation, magnitude refinement and cleanup."""
    change = after.values - before.values
    gain = (sizes - before.values).mul_(2).sub_(change).mul_(change)
    near = _neighbourhood(before.significant) - before.significant
    found = near * after.significant
    old_tiles, near_tiles, found_tiles = _sums(before.significant), _sums(near), _sums(found)
    late_tiles = _sums(after.significant) - old_tiles - found_tiles
    far_tiles = TILE**2 - old_tiles - near_tiles
    found_change, old_change = change * found, change * before.significant
    found_gain, old_gain = _sums(gain * found), _sums(gain * before.significant)
    return [
        _Pass(found_change, found_gain, _entropy(found_tiles, near_tiles) + found_tiles),
        _Pass(old_change, old_gain, REFINEMENT_BITS * old_tiles),
        _Pass(
            change - found_change - old_change,
            _sums(gain) - found_gain - old_gain,
            CLEANUP_SHARE * _entropy(late_tiles, far_tiles) + late_tiles,
        ),
    ]


def _neighbourhood(mask: Tensor) -> Tensor:
    """1 wherever a pixel or one of its eight neighbours is 1."""
    rows = mask.clone()
    torch.maximum(rows[..., 1:, :], mask[..., :-1, :], out=rows[..., 1:, :])
    torch.maximum(rows[..., :-1, :], mask[..., 1:, :], out=rows[..., :-1, :])
    both = rows.clone()
    torch.maximum(both[..., 1:], rows[..., :-1], out=both[..., 1:])
    torch.maximum(both[..., :-1], rows[..., 1:], out=both[..., :-1])
    return both


def _sums(values: Tensor) -> Tensor:
    """(M, 3, H, W) → (M, 3, H / TILE, W / TILE)."""
    height, width = values.shape[2:]
    return values.view(-1, 3, height // TILE, TILE, width // TILE, TILE).sum(dim=(3, 5))


def _pixels(tiles: Tensor, like: Tensor) -> Tensor:
    """(M, 3, H / TILE, W / TILE) → (M, 3, H, W)."""
    return tiles.to(like.dtype).repeat_interleave(TILE, dim=2).repeat_interleave(TILE, dim=3)


def _entropy(ones: Tensor, count: Tensor) -> Tensor:
    """Entropy in bits of `count` binary decisions with `ones` ones among them."""
    zeros = count - ones
    return (torch.xlogy(count, count) - torch.xlogy(ones, ones) - torch.xlogy(zeros, zeros)) / math.log(2)


def _passes_taken(gains: Tensor, bits: Tensor, budget: Tensor) -> Tensor:
    """(M, 3, H / TILE, W / TILE): number of passes of each tile that makes the best use of an image's budget (M,).

    Lagrangian optimisation: at a given price per bit every tile takes the passes of greatest net gain; the price is
    found by bisection.
    """
    gain = F.pad(gains.cumsum(dim=-1), (1, 0))
    cost = F.pad(bits.cumsum(dim=-1), (1, 0))
    low, high = torch.full_like(budget, -10.0), torch.full_like(budget, 25.0)  # logarithms of the price
    for _ in range(_HALVINGS):
        price = (low + high) / 2
        taken = (gain - price.exp2().view(-1, 1, 1, 1, 1) * cost).argmax(dim=-1, keepdim=True)
        affordable = cost.gather(-1, taken).sum(dim=(1, 2, 3, 4)) <= budget
        low, high = torch.where(affordable, low, price), torch.where(affordable, price, high)
    return (gain - high.exp2().view(-1, 1, 1, 1, 1) * cost).argmax(dim=-1)
