"""Contact sheets of training data: the engine's operators, and ordered sets with their target maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.operator import Operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.errors import SettingError, Unread
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.relational.records import STRIDE, TARGETS
from shamisa_cli.core.training.photographs import made_of_each, pass_over
from shamisa_cli.core.training.relational.ordered_sets import MaskedOperator, OrderedSet, SetKind, draw_ordered_set

CROP = 224
TILE = 160
GAP = 6
LABEL_WIDTH = 220
HEADER_HEIGHT = 44
SEVERITIES = (0.0, 1.0, 2.0, 3.0, 4.0)
BACKGROUND = "#fbfaf8"
INK, FAINT_INK = "#1f1f1f", "#7a766f"

ROWS = 12

SET_CROP = 256

SET_TILE, SET_GAP = 150, 6

CAPTION_HEIGHT = 34

FRAME = "#c9c4bb"

SET_HEADER_HEIGHT = 76

MASKS, MAPS = 4, 5
"""Number of columns for masks and for maps; of a pair with more, the first are shown."""

STRONGEST = 4.0
"""Intensity at which colours saturate."""

COLOURS = "RdBu_r"
"""Blue below zero, red above, white at zero."""

KINDS: tuple[SetKind, ...] = ("ladder", "nested", "mixed")
"""Kinds of sets that are shown: those with regions."""


def operator_sheet(photos: Sequence[Path], seed: int = 0, *, unread: Unread = pass_over) -> Image.Image:
    """Draw one row per operator, by group, on crops of the given photographs in turn, with rising severity.

    The first column is the undistorted crop, then severities 0, 1, 2, 3, 4; each tile states the parameter's value.

    Args:
        photos: one or more photographs; the crop is from the middle of the image, reduced moderately.
        seed: of the random operators.
        unread: told of the photographs that are left out.

    Raises:
        SettingError: no photographs are given, or none can be read.
    """
    crops = _middle_crops(photos, CROP, unread)
    pitch = TILE + GAP
    size = (LABEL_WIDTH + (1 + len(SEVERITIES)) * pitch + GAP, HEADER_HEIGHT + len(OPERATORS) * pitch + GAP)
    sheet = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    _write_header(pen, pitch)
    generator = torch.Generator().manual_seed(seed)
    for row, operator in enumerate(OPERATORS.values()):
        top = HEADER_HEIGHT + row * pitch
        _write_label(pen, operator, top)
        for place, tile in enumerate(_tiles(operator, crops[row % len(crops)], generator)):
            sheet.paste(tile, (LABEL_WIDTH + place * pitch, top))
    return sheet


def _middle_crops(photos: Sequence[Path], size: int, unread: Unread) -> list[Tensor]:
    """A `middle_crop` of each photograph at which nothing goes wrong. Raises SettingError if there is none."""

    def make(_: int, path: Path) -> Tensor:
        return middle_crop(path, size)

    found = made_of_each(enumerate(photos), make, unread=unread, advance=lambda _photos: None)
    crops = [crop for _, crop in found]
    if not crops:
        raise SettingError("A contact sheet needs at least one photograph that can be read.")
    return crops


def middle_crop(path: Path, size: int) -> torch.Tensor:
    """(1, 3, size, size) in 0…1 from the middle of the image, reduced so that its short side is twice the crop."""
    photo = Image.fromarray(decode(path).pixels)
    scale = max(size / min(photo.size), min(1.0, 2 * size / min(photo.size)))
    photo = photo.resize((math.ceil(photo.width * scale), math.ceil(photo.height * scale)), Image.Resampling.BICUBIC)
    left, top = (photo.width - size) // 2, (photo.height - size) // 2
    pixels = np.asarray(photo.crop((left, top, left + size, top + size)))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def _tiles(operator: Operator, crop: torch.Tensor, generator: torch.Generator) -> list[Image.Image]:
    versions = apply_operator(
        crop.repeat(len(SEVERITIES), 1, 1, 1), operator.name, SEVERITIES, generator, angle=math.pi / 6
    )
    values = operator.value(np.asarray(SEVERITIES))
    return [_tile(crop[0]), *(_tile(version, f"{value:g}") for version, value in zip(versions, values, strict=True))]


def picture_tile(picture: torch.Tensor, size: int) -> Image.Image:
    """A picture (3, H, W) in 0…1 as a square of `size` pixels."""
    pixels = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)


def _tile(picture: torch.Tensor, caption: str = "") -> Image.Image:
    tile = picture_tile(picture, TILE)
    if caption:
        pen = ImageDraw.Draw(tile)
        face = font(13)
        width = pen.textlength(caption, font=face) + 8
        pen.rectangle((0, TILE - 20, width, TILE), fill="#000000")
        pen.text((4, TILE - 18), caption, font=face, fill="#ffffff")
    return tile


def _write_header(pen: ImageDraw.ImageDraw, pitch: int) -> None:
    titles = ["reference", *(f"severity {severity:g}" for severity in SEVERITIES)]
    for place, title in enumerate(titles):
        pen.text((LABEL_WIDTH + place * pitch, 16), title, font=font(15), fill=INK)


def _write_label(pen: ImageDraw.ImageDraw, operator: Operator, top: int) -> None:
    pen.text((16, top + TILE // 2 - 22), operator.name, font=font(17), fill=INK)
    pen.text((16, top + TILE // 2 + 4), operator.group, font=font(14), fill=FAINT_INK)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of contact sheets."""
    return ImageFont.load_default(size)


def ordered_set_sheet(photos: Sequence[Path], seed: int = 0, *, unread: Unread = pass_over) -> Image.Image:
    """Draw pairs of versions of the photographs in turn: both images, the mask of each region, and the target maps.

    A caption names a mask's operator and its intensity, or a map; maps that are zero are not shown. Red means more
    in the second image, blue less.

    Args:
        photos: one or more photographs; crops are from the middle of the image, reduced moderately.
        seed: of all random choices.
        unread: told of the photographs that are left out.

    Raises:
        SettingError: no photographs are given, or none can be read.
    """
    crops = _middle_crops(photos, SET_CROP, unread)
    rng = np.random.default_rng(seed)
    width = (2 + MASKS + MAPS) * (SET_TILE + SET_GAP) + 3 * SET_GAP
    sheet = Image.new("RGB", (width, SET_HEADER_HEIGHT + ROWS * (SET_TILE + CAPTION_HEIGHT) + SET_GAP), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    _write_set_header(sheet, pen)
    for row in range(ROWS):
        drawn = draw_ordered_set(crops[row % len(crops)][0], 3, rng, kind=KINDS[row % len(KINDS)])
        for column, (tile, caption) in _set_tiles(drawn):
            place = (_left(column), SET_HEADER_HEIGHT + row * (SET_TILE + CAPTION_HEIGHT))
            sheet.paste(tile, place)
            pen.rectangle((place[0] - 1, place[1] - 1, place[0] + SET_TILE, place[1] + SET_TILE), outline=FRAME)
            pen.text((place[0] + 2, place[1] + SET_TILE + 3), caption, font=font(12), fill=INK)
    return sheet


def _set_tiles(drawn: OrderedSet) -> list[tuple[int, tuple[Image.Image, str]]]:
    """Yield column, tile and caption for one pair: the first and the last version of a set."""
    shared, whole = drawn.regions[0], drawn.regions[-1]
    masks = [(_mask_tile(region), _caption(region, region in shared)) for region in whole]
    change = drawn.targets[-1] - drawn.targets[0]
    moved = [index for index in range(len(TARGETS)) if bool(change[index].any())]
    maps = [(_map_tile(change[index]), TARGETS[index]) for index in moved[:MAPS]]
    pictures = [(picture_tile(drawn.pictures[index], SET_TILE), name) for index, name in ((0, "first"), (-1, "second"))]
    places = [*range(2), *range(2, 2 + len(masks[:MASKS])), *range(2 + MASKS, 2 + MASKS + len(maps))]
    return list(zip(places, [*pictures, *masks[:MASKS], *maps], strict=True))


def _caption(region: MaskedOperator, shared: bool) -> str:
    return f"{region.step.operator} {region.intensity:.1f}" + (", both" if shared else "")


def _mask_tile(region: MaskedOperator) -> Image.Image:
    return picture_tile(region.mask.expand(3, -1, -1), SET_TILE)


def _map_tile(values: Tensor) -> Image.Image:
    return _coloured(values).resize((SET_TILE, SET_TILE), Image.Resampling.NEAREST)


def _coloured(values: Tensor) -> Image.Image:
    """Colour intensities (h, w) as an image of h × w pixels."""
    from matplotlib import colormaps

    shown = (values / (2 * STRONGEST) + 0.5).clamp(0, 1).numpy()
    pixels = (colormaps[COLOURS](shown)[..., :3] * 255).round().astype(np.uint8)
    return Image.fromarray(pixels)


def _left(column: int) -> int:
    """Left edge of a column in pixels; wider gaps separate images, masks and maps."""
    groups = (column >= 2) + (column >= 2 + MASKS)
    return SET_GAP + column * (SET_TILE + SET_GAP) + groups * SET_GAP


def _write_set_header(sheet: Image.Image, pen: ImageDraw.ImageDraw) -> None:
    titles = {
        0: "two versions",
        2: "masks: operator and intensity (0 to 4)",
        2 + MASKS: f"targets: second minus first, one value per {STRIDE} by {STRIDE} px",
    }
    for column, title in titles.items():
        pen.text((_left(column), 12), title, font=font(15), fill=INK)
    left, width = _left(2 + MASKS), 2 * SET_TILE
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
