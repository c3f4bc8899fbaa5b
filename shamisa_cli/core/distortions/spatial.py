"""Spatial: jitter, moved patches, pixelation, quantisation, colour blocks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.distortions.operator import (
    Operator,
    OperatorContext,
    column,
    on_device_of,
    random_places,
    random_uniform,
)

JITTER_PASSES = 5
PATCH_SIZE = 16
PATCH_REACH = 16
BLOCK_SIZE = 32


def jitter(pictures: Tensor, distance: Tensor, draw: OperatorContext) -> Tensor:
    """Five passes in which every pixel is read from a place up to `distance` pixels away along each axis."""
    count, _, height, width = pictures.shape
    identity = torch.eye(2, 3, device=pictures.device, dtype=pictures.dtype).expand(count, 2, 3)
    grid = F.affine_grid(identity, [count, 1, height, width], align_corners=False)
    reach = column(distance, pictures) * on_device_of(pictures, torch.tensor([2 / width, 2 / height]))
    reach = reach.expand_as(grid).contiguous()  # broadcasting along a short last axis takes ten times as long
    for _ in range(JITTER_PASSES):
        places = random_places(tuple(grid.shape), pictures, draw).mul_(reach).add_(grid)
        pictures = F.grid_sample(pictures, places, padding_mode="border", align_corners=False)
    return pictures


def moved_patches(pictures: Tensor, number: Tensor, draw: OperatorContext) -> Tensor:
    """`number` patches of 16 px are overwritten by their surroundings up to 16 px away (non-eccentricity)."""
    count, _, height, width = pictures.shape
    tops, lefts, owner = _placed_squares(pictures, number, PATCH_SIZE, draw)
    most = tops.shape[1]
    reach = (2 * random_uniform((2, count, most), pictures, draw) - 1) * PATCH_REACH
    source_tops = (tops + reach[0].round().long()).clamp(0, max(height - PATCH_SIZE, 0))
    source_lefts = (lefts + reach[1].round().long()).clamp(0, max(width - PATCH_SIZE, 0))
    shift = (source_tops - tops) * width + (source_lefts - lefts)
    return _moved(pictures, owner, shift)


def _moved(pictures: Tensor, owner: Tensor, shift: Tensor) -> Tensor:
    """Read each pixel of (M, C, H, W) that has an owner (M, H·W) at its owner's flat `shift` (M, K)."""
    index = torch.arange(owner.shape[1], device=pictures.device).expand_as(owner)
    moved = index + torch.gather(shift, 1, owner.clamp_min(0))
    source = torch.where(owner >= 0, moved, index)
    return torch.gather(pictures.flatten(2), 2, source[:, None].expand(-1, pictures.shape[1], -1)).view_as(pictures)


def pixelate(pictures: Tensor, strength: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """Nearest-neighbour reduction to 0.95 − strength^0.6 of the size, and back."""
    scale = on_device_of(pictures, 0.95 - strength**0.6, torch.float64)
    height, width = pictures.shape[2:]
    rows = _nearest_round_trip(height, scale)
    columns = _nearest_round_trip(width, scale)
    source = rows[:, :, None] * width + columns[:, None, :]
    flat = source.flatten(1)[:, None].expand(-1, pictures.shape[1], -1)
    return torch.gather(pictures.flatten(2), 2, flat).view_as(pictures)


def _nearest_round_trip(size: int, scale: Tensor) -> Tensor:
    """(M, size): which pixel stands for each one after reduction by `scale` (M,) and enlargement."""
    small = (size * scale).round().clamp_min(1)[:, None]
    index = torch.arange(size, device=scale.device, dtype=scale.dtype)[None]
    block = ((index + 0.5) * small / size).floor()
    return ((block + 0.5) * size / small).floor().long().clamp(0, size - 1)


def quantise(pictures: Tensor, levels: Tensor, draw: OperatorContext) -> Tensor:  # noqa: ARG001
    """Each channel rounded to `levels` evenly spaced values."""
    steps = column(levels - 1, pictures)
    return (pictures * steps).round() / steps


def colour_blocks(pictures: Tensor, number: Tensor, draw: OperatorContext) -> Tensor:
    """`number` squares of 32 px, each of one random colour, at random places."""
    _, _, owner = _placed_squares(pictures, number, BLOCK_SIZE, draw)
    count, channels, height, width = pictures.shape
    colours = random_uniform((count, channels, int(number.max())), pictures, draw)
    paint = torch.gather(colours, 2, owner.clamp_min(0)[:, None].expand(-1, channels, -1))
    painted = (owner >= 0).view(count, 1, height, width)
    return torch.where(painted, paint.view_as(pictures), pictures)


def _placed_squares(
    pictures: Tensor, number: Tensor, size: int, draw: OperatorContext
) -> tuple[Tensor, Tensor, Tensor]:
    """Random squares, later ones over earlier ones: tops (M, K), lefts (M, K), and each pixel's square (M, H·W).

    K is the largest of `number` (M,); a pixel without a square has −1.
    """
    count, _, height, width = pictures.shape
    size = min(size, height, width)
    most = int(number.max())
    places = random_uniform((2, count, most), pictures, draw)
    tops = (places[0] * (height - size + 1)).long()
    lefts = (places[1] * (width - size + 1)).long()
    within = torch.arange(size, device=pictures.device)
    corner = tops * width + lefts
    pixels = corner[:, :, None, None] + within[:, None] * width + within[None, :]
    rank = torch.arange(most, device=pictures.device).expand(count, most)
    rank = torch.where(rank < on_device_of(pictures, number, torch.int64)[:, None], rank, -1)
    owner = torch.full((count, height * width), -1, device=pictures.device)
    values = rank[:, :, None, None].expand_as(pixels)
    owner = owner.scatter_reduce(1, pixels.flatten(1), values.flatten(1), "amax")
    return tops, lefts, owner


OPERATORS = (
    Operator("jitter", "spatial", (0.05, 0.1, 0.2, 0.5, 1), jitter),
    Operator("moved patches", "spatial", (20, 40, 60, 80, 100), moved_patches, integer=True),
    Operator("pixelate", "spatial", (0.01, 0.05, 0.1, 0.2, 0.5), pixelate),
    Operator("quantise", "spatial", (20, 16, 13, 10, 7), quantise, integer=True),
    Operator("colour blocks", "spatial", (2, 4, 6, 8, 10), colour_blocks, integer=True),
)
