"""A score map as a picture a person can read: the photograph, and beside it where it gains and loses points."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring.pipeline import require_probe
from shamisa_cli.core.scoring.score_map import Map, ScoreMap, split_score

Pixels = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

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

MAX_NAME_BYTES = 200
"""Of a file's name; file systems take 255, and a temporary name is longer."""

MapWatch = Callable[[ImageRecord, npt.NDArray[np.uint8], ScoreMap], None]
"""Told each scored picture, its pixels as they were judged, (H, W, 3), and its map."""


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
    return tinted(grey, deviation / FULL_COLOUR)


def smoothed(values: Map) -> Map:
    """The map (H, W) smoothed over its `SMOOTHING`; its mean stays."""
    from scipy.ndimage import gaussian_filter

    result: Map = gaussian_filter(values, SMOOTHING * max(values.shape), mode="reflect")
    return result


def tinted(grey: Map, strength: Map, ends: tuple[Colour, Colour] = (LOSES, GAINS)) -> Pixels:
    """Levels (H, W, 3) coloured by strengths (H, W): towards one of `ends` at −1, towards the other at 1 and beyond."""
    opacity = np.clip(np.abs(strength), 0, 1)[..., None] * STRONGEST
    colour = np.where(strength[..., None] < 0, np.array(ends[0], dtype=np.float64), np.array(ends[1], dtype=np.float64))
    return np.asarray((1 - opacity) * grey + opacity * colour).round().astype(np.uint8)


def clipped(pen: ImageDraw.ImageDraw, text: str, size: int, room: float) -> str:
    """`text` if it fits into so many pixels of width, else its end."""
    shown = text if len(text) <= MAX_TITLE else "…" + text[1 - MAX_TITLE :]
    while len(shown) > 1 and pen.textlength(shown, font=font(size)) > room:
        shown = "…" + shown[2:]
    return shown


def _write_title(pen: ImageDraw.ImageDraw, width: int, title: str, score: float) -> None:
    number = f"{score:.1f}"
    room = width - 2 * MARGIN - pen.textlength(number, font=font(20)) - GAP
    pen.text((MARGIN, MARGIN + 4), clipped(pen, title, 16, room), font=font(16), fill=INK)
    pen.text((width - MARGIN, MARGIN), number, font=font(20), fill=INK, anchor="ra")


def _draw_legend(sheet: Image.Image, pen: ImageDraw.ImageDraw, top: int, average: float) -> None:
    length, thickness = LEGEND_BAR
    bar = tinted(np.full((thickness, length, 3), 128.0), np.tile(np.linspace(-1, 1, length), (thickness, 1)))
    sheet.paste(Image.fromarray(bar), (MARGIN, top))
    for share, text, anchor in (
        (0.0, f"-{FULL_COLOUR:.0f}", "la"),
        (0.5, "0", "ma"),
        (1.0, f"+{FULL_COLOUR:.0f}", "ra"),
    ):
        pen.text((MARGIN + share * length, top + thickness + 4), text, font=font(12), fill=FAINT_INK, anchor=anchor)
    lines = (f"points against an average picture ({average:.0f})", "red pulls the score down, blue lifts it")
    for line, text in enumerate(lines):
        pen.text((MARGIN + length + GAP, top - 2 + 16 * line), text, font=font(12), fill=FAINT_INK)


@functools.lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own face."""
    return ImageFont.load_default(size)


def map_names(pictures: Sequence[Path]) -> dict[str, Path]:
    """A relative PNG path for each picture: its own path below the folder they all have in common, and .png."""
    absolute = {str(path): Path(os.path.abspath(path)) for path in pictures}  # noqa: PTH100 — links stay as named
    if not absolute:
        return {}
    common = os.path.commonpath([path.parent for path in absolute.values()])
    return {name: _short(path.relative_to(common)) for name, path in absolute.items()}


class MapWriter:
    """Writes the map of each picture it is told of: a `Watch` for `score_files`.

    Args:
        model: has a regressor.
        folder: gets the files, and the folders the pictures are in; earlier files of these names are replaced.
        pictures: all that may come.
        watch: told of each map as well, since a map takes as long as a score.
    """

    def __init__(self, model: Model, folder: Path, pictures: Sequence[Path], *, watch: MapWatch | None = None) -> None:
        self._model = model
        self._folder = folder
        self._names = map_names(pictures)
        self._watch = watch

    def __call__(self, record: ImageRecord, pixels: npt.NDArray[np.uint8]) -> None:
        """Write the map of one scored picture; the file appears when it is complete."""
        assert record.score is not None
        score_map = split_score(self._model.network, require_probe(self._model), pixels)
        picture = render(pixels, score_map, title=Path(record.path).name, score=record.score)
        with replacing(self._folder / self._names[record.path]) as temporary:
            picture.save(temporary, format="PNG")
        if self._watch is not None:
            self._watch(record, pixels, score_map)


def _short(path: Path) -> Path:
    name = f"{path.name}.png"
    if len(os.fsencode(name)) <= MAX_NAME_BYTES:
        return path.with_name(name)
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    start = os.fsencode(path.name)[: MAX_NAME_BYTES - 40].decode(errors="ignore")
    return path.with_name(f"{start}-{digest}.png")
