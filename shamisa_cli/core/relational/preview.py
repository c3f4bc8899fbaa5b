"""A contact sheet of what the relational networks are trained on: a row a pair, its masks and its target maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from shamisa_cli.core.distortions.preview import BACKGROUND, FAINT_INK, INK, font, middle_crop, picture_tile
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.relational.triplets import STRIDE, TARGETS, OrderedSet, Region, SetKind, draw_ordered_set

ROWS = 12
CROP = 256
TILE, GAP = 150, 6
CAPTION_HEIGHT = 34
FRAME = "#c9c4bb"
HEADER_HEIGHT = 76
MASKS, MAPS = 4, 5
"""Columns for masks and for maps; a pair with more of them shows the first."""

STRONGEST = 4.0
"""Intensity at which colours are deepest."""

COLOURS = "RdBu_r"
"""Blue below zero, red above, white at zero."""

KINDS: tuple[SetKind, ...] = ("ladder", "nested", "mixed")
"""The sets that are shown: those with regions."""


def contact_sheet(photos: Sequence[Path], seed: int = 0) -> Image.Image:
    """Pairs of versions of the photographs in turn: both pictures, the mask of each region, and the target maps.

    A caption names a mask's operator and its intensity, or a map; only maps that are not zero are shown. Red is
    more of it in the second picture, blue less.

    Args:
        photos: one or more photographs; a crop is the middle of a picture at a moderate size.
        seed: of everything that is drawn.

    Raises:
        SettingError: no photographs are given.
        ImageError: a photograph cannot be read.
    """
    if not photos:
        raise SettingError("A contact sheet needs at least one photograph.")
    rng = np.random.default_rng(seed)
    width = (2 + MASKS + MAPS) * (TILE + GAP) + 3 * GAP
    sheet = Image.new("RGB", (width, HEADER_HEIGHT + ROWS * (TILE + CAPTION_HEIGHT) + GAP), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    _write_header(sheet, pen)
    for row in range(ROWS):
        crop = middle_crop(photos[row % len(photos)], CROP)[0]
        drawn = draw_ordered_set(crop, 3, rng, kind=KINDS[row % len(KINDS)])
        for column, (tile, caption) in _tiles(drawn):
            place = (_left(column), HEADER_HEIGHT + row * (TILE + CAPTION_HEIGHT))
            sheet.paste(tile, place)
            pen.rectangle((place[0] - 1, place[1] - 1, place[0] + TILE, place[1] + TILE), outline=FRAME)
            pen.text((place[0] + 2, place[1] + TILE + 3), caption, font=font(12), fill=INK)
    return sheet


def _tiles(drawn: OrderedSet) -> list[tuple[int, tuple[Image.Image, str]]]:
    """Column, tile and caption of one pair: the first and the last version of a set."""
    shared, whole = drawn.regions[0], drawn.regions[-1]
    masks = [(_mask_tile(region), _caption(region, region in shared)) for region in whole]
    change = drawn.targets[-1] - drawn.targets[0]
    moved = [index for index in range(len(TARGETS)) if bool(change[index].any())]
    maps = [(_map_tile(change[index]), TARGETS[index]) for index in moved[:MAPS]]
    pictures = [(picture_tile(drawn.pictures[index], TILE), name) for index, name in ((0, "first"), (-1, "second"))]
    places = [*range(2), *range(2, 2 + len(masks[:MASKS])), *range(2 + MASKS, 2 + MASKS + len(maps))]
    return list(zip(places, [*pictures, *masks[:MASKS], *maps], strict=True))


def _caption(region: Region, shared: bool) -> str:
    return f"{region.step.operator} {region.intensity:.1f}" + (", both" if shared else "")


def _mask_tile(region: Region) -> Image.Image:
    return picture_tile(region.mask.expand(3, -1, -1), TILE)


def _map_tile(values: Tensor) -> Image.Image:
    return _coloured(values).resize((TILE, TILE), Image.Resampling.NEAREST)


def _coloured(values: Tensor) -> Image.Image:
    """Intensities (h, w) as a picture of h × w pixels."""
    from matplotlib import colormaps

    shown = (values / (2 * STRONGEST) + 0.5).clamp(0, 1).numpy()
    pixels = (colormaps[COLOURS](shown)[..., :3] * 255).round().astype(np.uint8)
    return Image.fromarray(pixels)


def _left(column: int) -> int:
    """Where a column begins; a little more room parts pictures, masks and maps."""
    groups = (column >= 2) + (column >= 2 + MASKS)
    return GAP + column * (TILE + GAP) + groups * GAP


def _write_header(sheet: Image.Image, pen: ImageDraw.ImageDraw) -> None:
    titles = {
        0: "two versions",
        2: "masks: operator and intensity (0 to 4)",
        2 + MASKS: f"targets, second less first, one value for {STRIDE} by {STRIDE} px",
    }
    for column, title in titles.items():
        pen.text((_left(column), 12), title, font=font(15), fill=INK)
    left, width = _left(2 + MASKS), 2 * TILE
    ramp = torch.linspace(-STRONGEST, STRONGEST, width)[None]
    sheet.paste(_coloured(ramp).resize((width, 12), Image.Resampling.NEAREST), (left, 38))
    for share, label in ((0, f"less -{STRONGEST:g}"), (0.5, "0"), (1, f"+{STRONGEST:g} more")):
        pen.text(
            (left + share * width, 52),
            label,
            font=font(12),
            fill=FAINT_INK,
            anchor=("la", "ma", "ra")[round(2 * share)],
        )
