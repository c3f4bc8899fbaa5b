"""Rendering of score maps: the photograph beside a heat map of where it gains and loses points."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from shamisa_cli.core.arrays import Features, Pixels
from shamisa_cli.core.images.drawings import write_drawing
from shamisa_cli.core.map_images import (
    BACKGROUND,
    FAINT_INK,
    GAP,
    INK,
    LEGEND_BAR,
    MARGIN,
    clipped,
    font,
    map_names,
    tinted,
)
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.probe.ridge import POINTS
from shamisa_cli.core.scoring.map_split import embed_and_split
from shamisa_cli.core.scoring.score_map import Map, ScoreMap, resized

SMOOTHING = 1 / 32
"""Smoothing width as a share of the long side; contributions of single positions are too noisy to show."""
FULL_COLOUR = 60.0
"""Points above or below an average image at which the colour saturates."""
TITLE_HEIGHT, LEGEND_HEIGHT = 34, 58
LEGEND_RISE = 2
"""Pixels by which the text of the legend begins above its bar."""
SMALLEST_LONG_SIDE = 400
LARGEST_LONG_SIDE = 2048
"""Pixels; larger pictures are drawn smaller, as what is smoothed shows nothing finer."""


MapWatch = Callable[[Path | str, Pixels], None]
"""Called with the file of each image whose map is drawn, and its `overlay`; in several threads at once."""


def render(pixels: Pixels, shown: Pixels, average: float, *, title: str, score: float) -> Image.Image:
    """Draw photograph and heat map side by side with a legend.

    Args:
        pixels: (H, W, 3), the image at its view size.
        shown: (H, W, 3), its `overlay`.
        average: the score of an average image, as in `ScoreMap`.
        title: printed above; of a long title the end.
        score: 0…100, as shown elsewhere.
    """
    long_side = max(pixels.shape[:2])
    factor = max(1.0, SMALLEST_LONG_SIDE / long_side)
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    pair = [Image.fromarray(array).resize(size, Image.Resampling.BICUBIC) for array in (pixels, shown)]
    width = max(2 * size[0] + GAP, SMALLEST_LONG_SIDE) + 2 * MARGIN
    sheet = Image.new("RGB", (width, TITLE_HEIGHT + size[1] + LEGEND_HEIGHT + 2 * MARGIN), BACKGROUND)
    top = MARGIN + TITLE_HEIGHT
    for picture, left in zip(pair, (MARGIN, MARGIN + size[0] + GAP), strict=True):
        sheet.paste(picture, (left, top))
    _write_title(ImageDraw.Draw(sheet), width, title, score)
    sheet.paste(_legend(average), (MARGIN, top + size[1] + GAP - LEGEND_RISE))
    return sheet


def overlay(pixels: Pixels, score_map: ScoreMap) -> Pixels:
    """(H, W, 3): the image in grey, red where it scores less than an average image and blue where more.

    The colours are smoothed for display; the numbers are in `ScoreMap.points`.
    """
    deviation = smoothed(score_map.local) - score_map.average
    return tinted(pixels.mean(axis=2, dtype=np.float32), deviation / FULL_COLOUR)


def reduced(pixels: Pixels, score_map: ScoreMap) -> tuple[Pixels, ScoreMap]:
    """An image (H, W, 3) and its map of at most `LARGEST_LONG_SIDE`; the sum of the map is kept."""
    height, width = pixels.shape[:2]
    factor = LARGEST_LONG_SIDE / max(height, width)
    if factor >= 1:
        return pixels, score_map
    rows, columns = max(1, round(height * factor)), max(1, round(width * factor))
    small = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(small), replace(score_map, points=resized(score_map.points, rows, columns))


def smoothed(values: Map) -> Map:
    """The map (H, W) smoothed by `SMOOTHING`; its mean is preserved."""
    from scipy.ndimage import gaussian_filter

    # A quarter of the places is more than the smoothing leaves visible.
    shape = tuple(-(-side // 4) for side in values.shape)
    small = resized(values, *shape) * (shape[0] * shape[1] / values.size)
    smooth = gaussian_filter(small, SMOOTHING * max(small.shape), mode="reflect")
    picture = Image.fromarray(smooth.astype(np.float32)).resize(values.shape[::-1], Image.Resampling.BICUBIC)
    result: Map = np.array(picture, dtype=np.float64)
    result += values.mean() - result.mean()
    return result


def _write_title(pen: ImageDraw.ImageDraw, width: int, title: str, score: float) -> None:
    number = f"{score:.1f}"
    room = width - 2 * MARGIN - pen.textlength(number, font=font(20)) - GAP
    pen.text((MARGIN, MARGIN + 4), clipped(pen, title, 16, room), font=font(16), fill=INK)
    pen.text((width - MARGIN, MARGIN), number, font=font(20), fill=INK, anchor="ra")


@functools.lru_cache(maxsize=8)
def _legend(average: float) -> Image.Image:
    """Colours and their points, beside an average image's score."""
    length, thickness = LEGEND_BAR
    lines = (
        "points lost (red) and gained (blue) at each place,",
        f"compared with an average picture, which scores {average:.0f}",
    )
    width = length + GAP + max(int(font(12).getlength(text)) + 1 for text in lines)
    legend = Image.new("RGB", (width, LEGEND_HEIGHT), BACKGROUND)
    pen = ImageDraw.Draw(legend)
    bar = tinted(np.full(LEGEND_BAR[::-1], 128.0), np.tile(np.linspace(-1, 1, length), (thickness, 1)))
    legend.paste(Image.fromarray(bar), (0, LEGEND_RISE))
    for share, text, anchor in (
        (0.0, f"-{FULL_COLOUR:.0f}", "la"),
        (0.5, "0", "ma"),
        (1.0, f"+{FULL_COLOUR:.0f}", "ra"),
    ):
        place = (share * length, LEGEND_RISE + thickness + 4)
        pen.text(place, text, font=font(12), fill=FAINT_INK, anchor=anchor)
    for line, text in enumerate(lines):
        pen.text((length + GAP, LEGEND_RISE - 2 + 16 * line), text, font=font(12), fill=FAINT_INK)
    return legend


class MapWriter:
    """Embeds images and writes the map of each: the `draws` of `score_files`. Safe for use by several threads.

    Args:
        model: a model with a probe.
        folder: receives the files, in the subfolders of the images; earlier maps of these names are replaced,
            and other pictures never.
        pictures: all images of the run.
        watch: called with each map too, since a map takes longer to compute than a score.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, model: Model, folder: Path, pictures: Sequence[Path], *, watch: MapWatch | None = None) -> None:
        self._model = model
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._names = map_names(pictures)
        self._watch = watch

    def __call__(self, path: Path | str, pixels: Pixels) -> Features:
        """The features (D,) of one image; a map is written of each that has a score, and appears once it is complete.

        Raises:
            OSError: the map cannot be written.
        """
        features, score_map = embed_and_split(self._model, pixels)
        if np.isfinite(score_map.average) and np.isfinite(score_map.points).all():
            score = float(np.clip(score_map.score, 0, POINTS))
            pixels, score_map = reduced(pixels, score_map)
            shown = overlay(pixels, score_map)
            picture = render(pixels, shown, score_map.average, title=Path(path).name, score=score)
            write_drawing(picture, self._folder / self._names[str(path)], fast=True)
            if self._watch is not None:
                self._watch(path, shown)
        return features
