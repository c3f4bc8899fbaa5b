"""A score map as a picture a person can read: the photograph, and beside it where it gains and loses points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from shamisa_cli.core.scoring.maps import Map, ScoreMap

Pixels = npt.NDArray[np.uint8]

SMOOTHING = 1 / 32
"""Of the long side: what single positions of a feature map add is too jumpy to look at."""
FULL_COLOUR = 60.0
"""Points above or below an average picture from which on the colour gets no stronger."""
STRONGEST = 0.7
"""Opacity of the strongest colour; places like an average picture show the photograph alone, in grey."""

LOSES, GAINS = (190, 30, 45), (25, 100, 190)
BACKGROUND, INK, FAINT_INK = "#fbfaf8", "#1f1f1f", "#6d6965"

MARGIN, GAP = 16, 12
TITLE_HEIGHT, LEGEND_HEIGHT = 34, 58
LEGEND_BAR = (240, 12)
SMALLEST_LONG_SIDE = 400
MAX_TITLE = 60


def render(pixels: Pixels, score_map: ScoreMap, *, title: str, score: float) -> Image.Image:
    """Photograph and heat map side by side with a legend.

    The colours are smoothed for the eye; the numbers are in `ScoreMap.points`.

    Args:
        pixels: (H, W, 3), the picture as it was judged.
        score_map: of this picture.
        title: printed above; of a long one the end.
        score: 0…100, as it is shown elsewhere.
    """
    long_side = max(pixels.shape[:2])
    factor = max(1.0, SMALLEST_LONG_SIDE / long_side)
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    pair = [
        Image.fromarray(array).resize(size, Image.Resampling.BICUBIC) for array in (pixels, overlay(pixels, score_map))
    ]
    width = max(2 * size[0] + GAP, SMALLEST_LONG_SIDE) + 2 * MARGIN
    sheet = Image.new("RGB", (width, TITLE_HEIGHT + size[1] + LEGEND_HEIGHT + 2 * MARGIN), BACKGROUND)
    top = MARGIN + TITLE_HEIGHT
    for picture, left in zip(pair, (MARGIN, MARGIN + size[0] + GAP), strict=True):
        sheet.paste(picture, (left, top))
    pen = ImageDraw.Draw(sheet)
    _write_title(pen, width, title, score)
    _draw_legend(sheet, pen, top + size[1] + GAP, score_map.average)
    return sheet


def overlay(pixels: Pixels, score_map: ScoreMap) -> Pixels:
    """(H, W, 3): the picture in grey, red where it scores less than an average picture and blue where more."""
    deviation = smoothed(score_map.local) - score_map.average
    grey = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
    return _blended(grey, deviation)


def smoothed(values: Map) -> Map:
    """The map (H, W) smoothed over its `SMOOTHING`; its mean stays."""
    from scipy.ndimage import gaussian_filter

    result: Map = gaussian_filter(values, SMOOTHING * max(values.shape), mode="reflect")
    return result


def _blended(grey: Map, deviation: Map) -> Pixels:
    strength = np.clip(np.abs(deviation) / FULL_COLOUR, 0, 1)[..., None] * STRONGEST
    colour = np.where(deviation[..., None] < 0, np.array(LOSES, dtype=np.float64), np.array(GAINS, dtype=np.float64))
    return np.asarray((1 - strength) * grey + strength * colour).round().astype(np.uint8)


def _write_title(pen: ImageDraw.ImageDraw, width: int, title: str, score: float) -> None:
    shown = title if len(title) <= MAX_TITLE else "…" + title[1 - MAX_TITLE :]
    number = f"{score:.1f}"
    room = width - 2 * MARGIN - pen.textlength(number, font=_font(20)) - GAP
    while len(shown) > 1 and pen.textlength(shown, font=_font(16)) > room:
        shown = "…" + shown[2:]
    pen.text((MARGIN, MARGIN + 4), shown, font=_font(16), fill=INK)
    pen.text((width - MARGIN, MARGIN), number, font=_font(20), fill=INK, anchor="ra")


def _draw_legend(sheet: Image.Image, pen: ImageDraw.ImageDraw, top: int, average: float) -> None:
    length, thickness = LEGEND_BAR
    scale = np.tile(np.linspace(-FULL_COLOUR, FULL_COLOUR, length), (thickness, 1))
    bar = _blended(np.full((thickness, length, 3), 128.0), scale)
    sheet.paste(Image.fromarray(bar), (MARGIN, top))
    for share, text, anchor in (
        (0.0, f"-{FULL_COLOUR:.0f}", "la"),
        (0.5, "0", "ma"),
        (1.0, f"+{FULL_COLOUR:.0f}", "ra"),
    ):
        pen.text((MARGIN + share * length, top + thickness + 4), text, font=_font(12), fill=FAINT_INK, anchor=anchor)
    lines = (f"points against an average picture ({average:.0f})", "red pulls the score down, blue lifts it")
    for line, text in enumerate(lines):
        pen.text((MARGIN + length + GAP, top - 2 + 16 * line), text, font=_font(12), fill=FAINT_INK)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
