"""A contact sheet of what the engine makes: a row an operator, severity rising from left to right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.operator import Operator
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.images.decoding import decode

CROP = 224
TILE = 160
GAP = 6
LABEL_WIDTH = 220
HEADER_HEIGHT = 44
SEVERITIES = (0.0, 1.0, 2.0, 3.0, 4.0)
BACKGROUND = "#fbfaf8"
INK, FAINT_INK = "#1f1f1f", "#7a766f"


def contact_sheet(photos: Sequence[Path], seed: int = 0) -> Image.Image:
    """All 26 operators, grouped, on crops of the given photographs in turn.

    The first column is the untouched crop, then severities 0, 1, 2, 3, 4; each tile says the parameter's value.

    Args:
        photos: one or more photographs; the crop is the middle of the picture at a moderate size.
        seed: of the random operators.

    Raises:
        SettingError: no photographs are given.
        ImageError: a photograph cannot be read.
    """
    if not photos:
        raise SettingError("A contact sheet needs at least one photograph.")
    crops = [middle_crop(path, CROP) for path in photos]
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


def middle_crop(path: Path, size: int) -> torch.Tensor:
    """(1, 3, size, size) in 0…1 from the middle of the picture, reduced so that its short side is twice the crop."""
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
