"""Comparison of two images of any size; large ones in overlapping windows, so that maps have no seams."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.networks.distortion_network import MULTIPLE, NetworkOutput
from shamisa_cli.core.networks.pair_statistics import comb_change, level_counts
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.relational.comparison import PairResult
from shamisa_cli.core.relational.records import MAPS, STRIDE

WINDOW_PIXELS = 1_500_000
"""Largest number of pixels compared at once: about a gigabyte of feature maps. Smaller images are never divided."""


COUNTED_PIXELS = 1_000_000
"""Largest number of pixels whose levels are counted at once."""


@dataclass(frozen=True)
class Span:
    """Part of one side, in pixels: the result for `start` to `stop` is computed from `first` to `last`."""

    start: int
    stop: int
    first: int
    last: int


def relate(model: RelationalModel, a: Pixels, b: Pixels) -> PairResult:
    """Compare two pictures, sRGB (H, W, 3) of one size.

    Sides that are not multiples of 16 are extended by mirroring, and the result is cropped. Swapping a and b flips
    every sign exactly.

    Args:
        model: in evaluation mode, on any device.
    """
    assert a.shape == b.shape
    height, width = a.shape[:2]
    device = next(model.parameters()).device
    combs = comb_change(_level_counts(a, device), _level_counts(b, device))
    a, b = _mirrored(a), _mirrored(b)
    rows, columns = a.shape[0] // STRIDE, a.shape[1] // STRIDE
    whole = NetworkOutput(*(torch.empty(1, count, rows, columns, device=device) for count in (len(MAPS), 1, 1)))
    with torch.inference_mode():
        for y, x in _windows(a.shape[0], a.shape[1], WINDOW_PIXELS, model.distortion.halo):
            seen = [_tensor(side[y.first : y.last, x.first : x.last], device) for side in (a, b)]
            part = model.distortion(*seen).part(
                _places(y.start - y.first, y.stop - y.first), _places(x.start - x.first, x.stop - x.first)
            )
            place = whole.part(_places(y.start, y.stop), _places(x.start, x.stop))
            for there, here in zip(place.tensors, part.tensors, strict=True):
                there.copy_(here)
        inside = whole.part(slice(math.ceil(height / STRIDE)), slice(math.ceil(width / STRIDE)))
        score = float(model.scoring(inside, combs)[0]) + 0.0  # removes the sign of zeros
    return PairResult(inside.maps[0].cpu().numpy(), score)


def _level_counts(pixels: Pixels, device: torch.device) -> Tensor:
    """Histograms of a whole image, computed some rows at a time."""
    rows = max(1, COUNTED_PIXELS // pixels.shape[1])
    parts = (pixels[start : start + rows] for start in range(0, len(pixels), rows))
    return sum((level_counts(_tensor(part, device)) for part in parts), start=torch.zeros((), device=device))


def _windows(height: int, width: int, most: int, halo: int) -> Iterator[tuple[Span, Span]]:
    """The cheapest grid of overlapping windows within the limit of pixels, row by row."""
    grids = (_grid(height, width, rows, most, halo) for rows in range(1, 1 + math.ceil(height / MULTIPLE)))
    rows, columns = min((grid for grid in grids if grid is not None), key=lambda grid: _seen(grid[0]) * _seen(grid[1]))
    for y in rows:
        for x in columns:
            yield y, x


def _grid(height: int, width: int, count: int, most: int, halo: int) -> tuple[list[Span], list[Span]] | None:
    """Grid of `count` rows and as few columns as the limit allows; None if even the narrowest are too large."""
    rows = _spans(height, count, halo)
    room = most // max(span.last - span.first for span in rows)
    if room >= width:
        return rows, _spans(width, 1, halo)
    part = (room - 2 * halo) // MULTIPLE * MULTIPLE
    return (rows, _spans(width, math.ceil(width / part), halo)) if part > 0 else None


def _seen(spans: list[Span]) -> int:
    return sum(span.last - span.first for span in spans)


def _spans(side: int, count: int, halo: int) -> list[Span]:
    """Divide a side into at most `count` equal parts, each with its surroundings within the image."""
    part = math.ceil(side / count / MULTIPLE) * MULTIPLE
    ends = [(start, min(side, start + part)) for start in range(0, side, part)]
    return [Span(start, stop, max(0, start - halo), min(side, stop + halo)) for start, stop in ends]


def _mirrored(pixels: Pixels) -> Pixels:
    """Extend the image to the right and downwards by mirroring, to sides that are multiples of `MULTIPLE`."""
    missing = [(0, -side % MULTIPLE) for side in pixels.shape[:2]]
    return np.pad(pixels, [*missing, (0, 0)], mode="symmetric") if any(map(any, missing)) else pixels


def _tensor(pixels: Pixels, device: torch.device) -> Tensor:
    """(H, W, 3) levels → (1, 3, H, W) in 0…1."""
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(device).permute(2, 0, 1)[None].float() / 255


def _places(start: int, stop: int) -> slice:
    return slice(start // STRIDE, stop // STRIDE)
