"""Focus, noise and compression of an image at 100 %, from its survey and a dozen tiles with detail."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from shamisa_cli.core.full_size.focus import WIDEST, Plane, edge_widths
from shamisa_cli.core.full_size.motion import lost_along_one_direction
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.full_size.survey import BLOCK, Luma, Map, Survey, survey_pixels
from shamisa_cli.core.quantiles import quantiles

TILE = 128
MOST_TILES = 12
APART = 4
"""Blocks between the centres of two tiles."""
REDUCTIONS = 3
"""Edges wider than `WIDEST` are measured again in the image reduced by two, and by four."""
FOR_FOCUS = 3
"""Sharpest tiles whose mean width is the image's: one tile alone may be an artefact."""

MID_TONES = (20, 235)
"""Blocks outside are clipped, and hide their noise."""
FLATTEST = 0.02
"""Quantile of the blocks' activity that is taken for noise."""
NEARLY_FLATTEST = 0.1
UNEVEN, EVEN = 0.3, 0.75
"""Ratios of the two quantiles where blotches are no noise, and are: noise is everywhere alike, and detail is not."""
DEVIATION = 2 * math.sqrt(2 / math.pi)
"""Mean absolute diagonal difference of white noise with deviation 1."""
WHITE_REDUCED, TEXTURE_REDUCED = 0.5, 1.45
"""What is left of the deviation of white noise, and of fine texture, in the image reduced by two."""
BLOTCHES, MANY_BLOTCHES, GROWTH_BEYOND = 1.6, 4.0, 0.25
"""Weight of blotches, and the deviation beyond which they count by this power alone: most of those are gravel."""

SHARP_WIDTH, WIDTHS_PER_STEP = 0.9, 2 ** (1 / 1.5)
FAINT_NOISE, NOISE_PER_STEP = 1.0, 2.0
FAINT_GRID, GRID_PER_STEP = 0.15, 2.0
"""What reads 0, and the factor per step of severity; calibrated by `benchmarks/full_size.py`."""


Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""

FEW_REPEATED = 0.04
ENLARGED_PER_STEP, SQUARES_PER_STEP, DISPLACED_PER_STEP = math.sqrt(2), 2.0, 3.2
"""Half of the lines repeated read 2, three quarters 4; one square reads 1, three 2; nine displaced parts read 2."""
FAINT_WAVELETS, WAVELETS_PER_STEP = 0.06, 2.3


@dataclass(frozen=True)
class _Tile:
    """A measured tile: box in pixels, edge width σ in pixels, and whether both directions have edges."""

    box: Box
    width: float
    both: bool


def look_at_pixels(luma: Luma) -> AtFullSize | None:
    """Judge an image's luma (H, W) at 100 %; None below 128 pixels in a direction."""
    survey = survey_pixels(luma)
    if survey is None:
        return None
    noise = noise_deviation(survey)
    centres = tile_centres(survey.fine + 2 * survey.coarse)
    boxes = [_box(centre, TILE, luma.shape) for centre in centres]
    tiles = [tile for tile in (_measured(luma, box, noise) for box in boxes) if tile is not None]
    sharpest = sorted(tiles, key=lambda tile: (not tile.both, tile.width))[:FOR_FOCUS]
    width = sum(tile.width for tile in sharpest) / len(sharpest) if sharpest else None
    box = sharpest[0].box if sharpest else boxes[0]
    return AtFullSize(
        focus=None if width is None else severity(width, SHARP_WIDTH, WIDTHS_PER_STEP),
        noise=severity(noise, FAINT_NOISE, NOISE_PER_STEP),
        compression=_compression(survey),
        tile=(box[0], box[1], box[2] - box[0], box[3] - box[1]),
        motion=lost_along_one_direction([_cut(luma, box) for box in boxes]),
        pixels=_cut(luma, box).copy(),
    )


def severity(value: float, faint: float, factor: float) -> float:
    """Severity 0…4 of a measure: 0 up to `faint`, one more each time it grows by `factor`."""
    if value <= faint:
        return 0.0
    return round(min(4.0, math.log(value / faint) / math.log(factor)), 2)


def _compression(survey: Survey) -> float:
    """Severity of compression: a grid and enlarged pixels, one-coloured areas, displaced parts, traces of wavelets.

    They add up as independent errors do, so a fault is seen on top of another that was there before.
    """
    enlarged = 1 / (1 - survey.repeated) if survey.repeated > FEW_REPEATED else 1.0
    faults = (
        severity(survey.grid, FAINT_GRID, GRID_PER_STEP) + severity(enlarged, 1.0, ENLARGED_PER_STEP),
        severity(1.0 + survey.squares, 1.0, SQUARES_PER_STEP),
        severity(1.0 + survey.displaced, 1.0, DISPLACED_PER_STEP),
        severity(survey.wavelets, FAINT_WAVELETS, WAVELETS_PER_STEP),
    )
    return round(min(4.0, math.hypot(*faults)), 2)


def noise_deviation(survey: Survey) -> float:
    """Deviation of the noise in grey levels, in flat parts of middle tones; blotches that denoising leaves included."""
    low, high = MID_TONES
    usable = (survey.mean > low) & (survey.mean < high)
    if np.count_nonzero(usable) < usable.size // 50 + 1:
        usable[:] = True
    (fine,) = quantiles(survey.fine[usable] / DEVIATION, [FLATTEST])
    coarse, more = quantiles(survey.coarse[usable] / DEVIATION, [FLATTEST, NEARLY_FLATTEST])
    return math.hypot(_white(fine, coarse), _blotches(coarse, more))


def _white(fine: float, coarse: float) -> float:
    """Deviation of the white part of what wavers by `fine`, and by `coarse` in the image reduced by two."""
    white = (TEXTURE_REDUCED * fine) ** 2 - coarse**2
    return math.sqrt(max(0.0, white / (TEXTURE_REDUCED**2 - WHITE_REDUCED**2)))


def _blotches(coarse: float, more: float) -> float:
    """Deviation that the blotches stand for which waver by `coarse` in the flattest parts, and by `more` in others."""
    deviation = BLOTCHES * coarse
    if deviation > MANY_BLOTCHES:
        deviation = MANY_BLOTCHES * (deviation / MANY_BLOTCHES) ** GROWTH_BEYOND
    return deviation * min(1.0, max(0.0, (coarse / max(more, 1e-6) - UNEVEN) / (EVEN - UNEVEN)))


def tile_centres(activity: Map) -> list[tuple[int, int]]:
    """Row and column in pixels of the centres of the most active places, at most a dozen, apart from each other."""
    around = activity[:-1, :-1] + activity[1:, :-1] + activity[:-1, 1:] + activity[1:, 1:]
    centres = []
    for _ in range(MOST_TILES):
        row, column = np.unravel_index(int(around.argmax()), around.shape)
        if around[row, column] < 0:
            break
        centres.append((int(row + 1) * BLOCK, int(column + 1) * BLOCK))
        around[max(0, row - APART) : row + APART + 1, max(0, column - APART) : column + APART + 1] = -1
    return centres


def _box(centre: tuple[int, int], side: int, shape: tuple[int, ...]) -> Box:
    """A square around a centre, moved inside an image (H, W), or all of that."""
    top, left = (max(0, min(at - side // 2, full - side)) for at, full in zip(centre, shape, strict=True))
    return left, top, min(left + side, shape[1]), min(top + side, shape[0])


def _cut(luma: Luma, box: Box) -> Luma:
    left, top, right, bottom = box
    return luma[top:bottom, left:right]


def _measured(luma: Luma, box: Box, noise: float) -> _Tile | None:
    centre = ((box[1] + box[3]) // 2, (box[0] + box[2]) // 2)
    found: list[float | None] = [None, None]
    for reduction in range(REDUCTIONS):
        factor = 2**reduction
        part = _cut(luma, _box(centre, TILE * factor, luma.shape))
        widths = edge_widths(_reduced(part, factor), noise / factor)
        for direction, width in enumerate(widths):
            before = found[direction]
            if width is not None and (before is None or before > WIDEST * factor / 2):
                found[direction] = width * factor
        if all(width is not None and width <= WIDEST * factor for width in found):
            break
    known = [width for width in found if width is not None]
    return _Tile(box, max(known), len(known) == 2) if known else None


def _reduced(pixels: Luma, factor: int) -> Plane:
    """Means of squares of `factor` pixels, a power of two."""
    if factor == 1:
        return pixels.astype(np.float32)
    finer = _reduced(pixels, factor // 2)
    height, width = (side // 2 * 2 for side in finer.shape)
    columns = finer[:height:2, :width] + finer[1:height:2, :width]
    reduced: Plane = columns[:, ::2] + columns[:, 1::2]
    reduced *= 0.25
    return reduced
