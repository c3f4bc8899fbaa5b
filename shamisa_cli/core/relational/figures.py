"""Figures of a comparison: overlays of its maps, and both images beside the maps of what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.images.drawings import is_drawing, write_drawing
from shamisa_cli.core.map_images import (
    BACKGROUND,
    FAINT_INK,
    GAINS,
    GAP,
    INK,
    LEGEND_BAR,
    LOSES,
    MARGIN,
    Colour,
    clipped,
    font,
    map_names,
    tinted,
)
from shamisa_cli.core.relational.records import DIFFERENCE, ENDS, FAULTS, OVERALL, Candidate

Maps = Mapping[str, npt.NDArray[np.float32]]

FULL_INTENSITY = 3.0
"""Intensity of a distortion at which the colour saturates."""
CHANGED_MEAN, CHANGED_PEAK = 0.1, 0.5
"""Intensity at which a group counts as changed: in the mean of its map, or in a hundredth of the image."""

MAX_LONG_SIDE = 1600
"""Long side of an overlay in pixels; larger images are reduced."""
PANEL_SIDE, SMALLEST_PANEL = 480, 320
COLUMNS, GROUP_PANELS = 3, 3
TITLE_HEIGHT, CAPTION_HEIGHT, LEGEND_HEIGHT = 34, 22, 44
LEGEND_WIDTH = 490

LESS, MORE = (15, 125, 115), (215, 125, 20)
"""Colours of maps whose ends are neither better nor worse."""
FAULT_LEGEND = ("red: worse there, blue: better", "in steps of severity; grey: no change")
TWO_ENDED_LEGEND = ("orange: more blur, brightness,", "contrast or saturation, green: less")

FIGURE = "figure"

FULL_DIFFERENCE = 50.0
"""Difference at which the map of it is white."""


def changed_maps(maps: Maps) -> list[str]:
    """Names of the groups and axes that changed anywhere, the largest change first."""
    sizes = {name: np.abs(maps[name]) for name in ENDS}
    found = [
        name for name, size in sizes.items() if size.mean() >= CHANGED_MEAN or np.quantile(size, 0.99) >= CHANGED_PEAK
    ]
    return sorted(found, key=lambda name: -float(sizes[name].mean()))


def overlay(pixels: Pixels, values: npt.NDArray[np.float32], name: str) -> Pixels:
    """Draw the image in grey, coloured where the map is not 0: see `ends_of`.

    Args:
        pixels: (H, W, 3), as compared; drawn with a long side of at most `MAX_LONG_SIDE`.
        values: (⌈H/8⌉, ⌈W/8⌉), the map.
        name: name of the map.
    """
    small = _at_most(pixels, MAX_LONG_SIDE)
    height, width = small.shape[:2]
    spread = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR)
    return tinted(small.mean(axis=2), np.asarray(spread, dtype=np.float64) / FULL_INTENSITY, ends_of(name))


def ends_of(name: str) -> tuple[Colour, Colour]:
    """Colours of a map's negative and positive end: blue is better and red is worse, if either end is."""
    return (GAINS, LOSES) if name in (*FAULTS, OVERALL) else (LESS, MORE)


def difference_map(pixels: Pixels, values: npt.NDArray[np.float32]) -> Image.Image:
    """Draw where the images differ, from black for no difference to white from `FULL_DIFFERENCE` on.

    Args:
        pixels: (H, W, 3), as compared, for the size; drawn with a long side of at most `MAX_LONG_SIDE`.
        values: (⌈H/8⌉, ⌈W/8⌉), the map.
    """
    height, width = _at_most(pixels, MAX_LONG_SIDE).shape[:2]
    levels = np.clip(np.sqrt(np.clip(values, 0, None) / FULL_DIFFERENCE) * 255, 0, 255).astype(np.uint8)
    return Image.fromarray(levels).resize((width, height), Image.Resampling.BILINEAR)


def overall_map(candidate: Candidate, pixels: Pixels) -> Image.Image:
    """The overlay of the overall change with a legend below."""
    assert candidate.maps is not None
    picture = Image.fromarray(overlay(pixels, candidate.maps[OVERALL], OVERALL))
    width = max(picture.width, LEGEND_WIDTH) + 2 * MARGIN
    sheet = Image.new("RGB", (width, picture.height + LEGEND_HEIGHT + 2 * MARGIN), BACKGROUND)
    sheet.paste(picture, (MARGIN, MARGIN))
    _draw_legend(sheet, MARGIN, MARGIN + picture.height + GAP, OVERALL)
    return sheet


def comparison_figure(candidate: Candidate, reference: Pixels, pixels: Pixels) -> Image.Image:
    """Reference, candidate, overall map and the groups that changed most, each with a caption.

    Args:
        candidate: compared, with its maps.
        reference, pixels: (H, W, 3) of both, as they were compared.
    """
    assert candidate.maps is not None
    shown = changed_maps(candidate.maps)[:GROUP_PANELS]
    panels = _panels(candidate, reference, pixels, shown)
    width, height = panels[0][1].size
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    two_ended = next((name for name in shown if name not in FAULTS), None)
    legends = [OVERALL] if two_ended is None else [OVERALL, two_ended]
    sheet_width = max(columns * (width + GAP) - GAP, len(legends) * LEGEND_WIDTH) + 2 * MARGIN
    row_height = height + CAPTION_HEIGHT + GAP
    sheet = Image.new("RGB", (sheet_width, TITLE_HEIGHT + rows * row_height + LEGEND_HEIGHT + 2 * MARGIN), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    _draw_title(pen, candidate, sheet_width)
    for index, (caption, picture) in enumerate(panels):
        left = MARGIN + index % columns * (width + GAP)
        top = MARGIN + TITLE_HEIGHT + index // columns * row_height
        pen.text((left, top), clipped(pen, caption, 14, width), font=font(14), fill=INK)
        sheet.paste(picture, (left, top + CAPTION_HEIGHT))
    for index, name in enumerate(legends):
        _draw_legend(sheet, MARGIN + index * LEGEND_WIDTH, MARGIN + TITLE_HEIGHT + rows * row_height, name)
    return sheet


def _panels(
    candidate: Candidate, reference: Pixels, pixels: Pixels, shown: Sequence[str]
) -> list[tuple[str, Image.Image]]:
    assert candidate.maps is not None
    assert candidate.overall is not None
    means = {**(candidate.groups or {}), **(candidate.axes or {})}
    drawn = [("reference", _panel(reference)), ("candidate", _panel(pixels))]
    captions = {OVERALL: f"overall {_signed(candidate.overall)}"}
    captions |= {name: f"{name} {_signed(means[name])}  {ENDS[name][means[name] > 0]}" for name in shown}
    return drawn + [
        (caption, _panel(overlay(pixels, candidate.maps[name], name))) for name, caption in captions.items()
    ]


def _signed(value: float, decimals: int = 1) -> str:
    # The font has a hyphen but no minus sign.
    return f"{value:+.{decimals}f}"


def _panel(pixels: Pixels) -> Image.Image:
    picture = Image.fromarray(_at_most(pixels, PANEL_SIDE))
    factor = max(1.0, SMALLEST_PANEL / max(picture.size))
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _at_most(pixels: Pixels, long_side: int) -> Pixels:
    picture = Image.fromarray(pixels)
    picture.thumbnail((long_side, long_side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(picture)


def _draw_title(pen: ImageDraw.ImageDraw, candidate: Candidate, width: int) -> None:
    assert candidate.score is not None
    number = f"{_signed(candidate.score)}  {candidate.verdict}"
    room = width - 2 * MARGIN - pen.textlength(number, font=font(20)) - GAP
    names = [_last(name, 1) for name in (candidate.path, candidate.reference)]
    if names[0] == names[1]:
        names = [_last(name, 2) for name in (candidate.path, candidate.reference)]
    title = " against ".join(names)
    pen.text((MARGIN, MARGIN), clipped(pen, title, 16, room), font=font(16), fill=INK)
    pen.text((width - MARGIN, MARGIN - 3), number, font=font(20), fill=INK, anchor="ra")


def _last(name: str, parts: int) -> str:
    return "/".join(Path(name).parts[-parts:])


def _draw_legend(sheet: Image.Image, left: int, top: int, name: str) -> None:
    """Draw the legend of the map `name`: its colour ramp and what its ends mean."""
    length, thickness = LEGEND_BAR
    pen = ImageDraw.Draw(sheet)
    ramp = tinted(np.full(LEGEND_BAR[::-1], 128.0), np.tile(np.linspace(-1, 1, length), (thickness, 1)), ends_of(name))
    sheet.paste(Image.fromarray(ramp), (left, top))
    for share, value, anchor in ((0.0, -FULL_INTENSITY, "la"), (0.5, 0.0, "ma"), (1.0, FULL_INTENSITY, "ra")):
        text = _signed(value, 0) if value else "0"
        pen.text((left + share * length, top + thickness + 4), text, font=font(12), fill=FAINT_INK, anchor=anchor)
    lines = FAULT_LEGEND if ends_of(name) == (GAINS, LOSES) else TWO_ENDED_LEGEND
    for line, text in enumerate(lines):
        pen.text((left + length + GAP, top - 2 + 16 * line), text, font=font(12), fill=FAINT_INK)


class ComparisonMapWriter:
    """Draws each candidate that it is called with: a `Watch` for `compare_with` and `compare_pairs`.

    Writes `overall.png`, `difference.png`, `figure.png` and one map for each group or axis that changed
    into the candidate's folder; maps of an earlier run that do not apply any more are removed.

    Args:
        folder: contains the candidates' folders, named by the candidates' paths below their common folder.
        candidates: all candidates of the run.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path, candidates: Sequence[Path]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folders = {name: folder / path.with_suffix("") for name, path in map_names(candidates).items()}

    def __call__(self, candidate: Candidate, reference: Pixels, pixels: Pixels) -> None:
        """Draw one compared candidate; each file appears when it is complete."""
        assert candidate.maps is not None
        folder = self._folders[candidate.path]
        small = _at_most(pixels, MAX_LONG_SIDE)
        drawn = {
            name: Image.fromarray(overlay(small, candidate.maps[name], name)) for name in changed_maps(candidate.maps)
        }
        drawn[OVERALL] = overall_map(candidate, small)
        if DIFFERENCE in candidate.maps:
            drawn[DIFFERENCE] = difference_map(small, candidate.maps[DIFFERENCE])
        drawn[FIGURE] = comparison_figure(candidate, reference, pixels)
        for name, picture in drawn.items():
            write_drawing(picture, folder / f"{name}.png", fast=True)
        for name in set(ENDS) - set(drawn):
            outdated = folder / f"{name}.png"
            if is_drawing(outdated):
                outdated.unlink()
