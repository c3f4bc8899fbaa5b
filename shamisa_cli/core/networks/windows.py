"""Comparison of two images of any size; large ones in overlapping windows, so that maps have no seams."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.networks.distortion_network import NetworkOutput
from shamisa_cli.core.networks.pair_statistics import histogram_comb_difference, level_counts
from shamisa_cli.core.networks.pixels import batch_of
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.relational.judgement import NetworkResult
from shamisa_cli.core.relational.records import MAPS, STRIDE
from shamisa_cli.core.relational.tiling import WINDOW_PIXELS, mirrored, windows
from shamisa_cli.core.torch_state import as_torch_ships

COUNTED_PIXELS = 1_000_000
"""Largest number of pixels whose levels are counted at once."""


@as_torch_ships()
def relate(model: RelationalModel, a: Pixels, b: Pixels) -> NetworkResult:
    """Compare two pictures, sRGB (H, W, 3) of one size.

    Sides that are not multiples of 16 are extended by mirroring, and the result is cropped. Swapping a and b flips
    every sign exactly.

    Args:
        model: in evaluation mode, on any device.
    """
    assert a.shape == b.shape
    height, width = a.shape[:2]
    device = next(model.parameters()).device
    combs = histogram_comb_difference(_level_counts(a, device), _level_counts(b, device))
    a, b = mirrored(a), mirrored(b)
    rows, columns = a.shape[0] // STRIDE, a.shape[1] // STRIDE
    whole = NetworkOutput(*(torch.empty(1, count, rows, columns, device=device) for count in (len(MAPS), 1, 1)))
    with torch.inference_mode():
        for y, x in windows(a.shape[0], a.shape[1], WINDOW_PIXELS, model.distortion.halo):
            seen = [batch_of(side[y.first : y.last, x.first : x.last], device) for side in (a, b)]
            part = model.distortion(*seen).part(
                _places(y.start - y.first, y.stop - y.first), _places(x.start - x.first, x.stop - x.first)
            )
            place = whole.part(_places(y.start, y.stop), _places(x.start, x.stop))
            for there, here in zip(place.tensors, part.tensors, strict=True):
                there.copy_(here)
        inside = whole.part(slice(math.ceil(height / STRIDE)), slice(math.ceil(width / STRIDE)))
        score = float(model.scoring(inside, combs)[0]) + 0.0  # removes the sign of zeros
    return NetworkResult(inside.maps[0].cpu().numpy(), score)


def _level_counts(pixels: Pixels, device: torch.device) -> Tensor:
    """Histograms of a whole image, computed some rows at a time."""
    rows = max(1, COUNTED_PIXELS // pixels.shape[1])
    parts = (pixels[start : start + rows] for start in range(0, len(pixels), rows))
    return sum((level_counts(batch_of(part, device)) for part in parts), start=torch.zeros((), device=device))


def _places(start: int, stop: int) -> slice:
    return slice(start // STRIDE, stop // STRIDE)
