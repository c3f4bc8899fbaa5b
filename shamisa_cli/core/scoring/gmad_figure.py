"""Figure of a gMAD competition: the image pairs, to judge by eye which of the two models is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import item_error
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.images.drawings import write_drawing
from shamisa_cli.core.map_images import BACKGROUND, FAINT_INK, INK, clipped, font
from shamisa_cli.core.probe.gmad import Contestant
from shamisa_cli.core.scoring.gmad import CONTESTANTS, Gmad, GmadDuel, GmadPicture

Read = Callable[[str], Pixels | None]

COLOURS: dict[Contestant, str] = {"a": "#1964be", "b": "#c2571a"}
TRACK, EMPTY = "#e4e0da", "#ece8e2"
CELL = (320, 240)
"""Width and height of the space for an image, which keeps its aspect ratio."""
MARGIN, GAP, PAIR_GAP = 24, 10, 44
TITLE_HEIGHT, HEADER_HEIGHT, ROW_GAP = 74, 30, 26
LEVEL_WIDTH = 78
BAR_HEIGHT, BAR_ROW, LETTER, NUMBER = 10, 20, 20, 44
CAPTION_HEIGHT = 22
TITLE = "Where the two models differ most"


def draw_gmad(target: Path, found: Gmad, read: Read | None = None) -> None:
    """Write a PNG: one row per level of quality, with the pair of each defender and both models' scores below.

    Args:
        target: the file; it appears once it is complete.
        found: the pairs.
        read: returns the pixels (H, W, 3) of an image, or None if it cannot be read any more; by default decodes
            the file.

    Raises:
        OSError: the file cannot be written.
    """
    sheet = gmad_figure(found, read or _decoded)
    write_drawing(sheet, target)


def gmad_figure(found: Gmad, read: Read) -> Image.Image:
    """The figure that `draw_gmad` writes."""
    levels = list(dict.fromkeys(duel.level for duel in sorted(found.duels, key=lambda duel: -duel.pair.level)))
    with_mos = any(duel.better.mos is not None for duel in found.duels)
    row_height = CELL[1] + CAPTION_HEIGHT + BAR_ROW * (2 + with_mos) + ROW_GAP
    pair_width = 2 * CELL[0] + GAP
    width = 2 * MARGIN + LEVEL_WIDTH + 2 * pair_width + PAIR_GAP
    height = 2 * MARGIN + TITLE_HEIGHT + HEADER_HEIGHT + max(1, len(levels)) * row_height - ROW_GAP
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    _draw_title(pen, found, width)
    top = MARGIN + TITLE_HEIGHT + HEADER_HEIGHT
    for row, level in enumerate(levels):
        pen.text((MARGIN, top + row * row_height), level, font=font(16), fill=INK)
    for column, defender in enumerate(CONTESTANTS):
        left = MARGIN + LEVEL_WIDTH + column * (pair_width + PAIR_GAP)
        attacker = "b" if defender == "a" else "a"
        header = f"{defender.upper()} defends: calls both equal.  {attacker.upper()} attacks: prefers the left one."
        pen.text((left, top - HEADER_HEIGHT), header, font=font(16), fill=INK)
        for duel in (duel for duel in found.duels if duel.pair.defender == defender):
            _draw_duel(sheet, duel, read, left, top + levels.index(duel.level) * row_height)
    return sheet


def _decoded(path: str) -> Pixels | None:
    try:
        return decode(Path(path), view_size=max(CELL)).pixels
    except Exception as error:
        item_error(path, error)  # raises what is about the whole run
        return None


def _draw_title(pen: ImageDraw.ImageDraw, found: Gmad, width: int) -> None:
    pen.text((MARGIN, MARGIN), TITLE, font=font(22), fill=INK)
    left = float(MARGIN)
    for contestant in CONTESTANTS:
        label = f"{contestant.upper()}  {found.name(contestant)}"
        text = clipped(pen, label, 15, (width - 2 * MARGIN) / 3)
        pen.rectangle((left, MARGIN + 38, left + 12, MARGIN + 50), fill=COLOURS[contestant])
        pen.text((left + 20, MARGIN + 34), text, font=font(15), fill=INK)
        left += 20 + pen.textlength(text, font=font(15)) + 32
    note = f"out of {found.count:,} pictures; bars: scores from 0 to 100"
    pen.text((left, MARGIN + 34), note, font=font(15), fill=FAINT_INK)


def _draw_duel(sheet: Image.Image, duel: GmadDuel, read: Read, left: int, top: int) -> None:
    for index, picture in enumerate((duel.better, duel.worse)):
        _draw_picture(sheet, picture, read(picture.path), left + index * (CELL[0] + GAP), top)


def _draw_picture(sheet: Image.Image, picture: GmadPicture, pixels: Pixels | None, left: int, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    width, height = CELL
    pen.rectangle((left, top, left + width - 1, top + height - 1), fill=EMPTY)
    if pixels is not None:
        small = Image.fromarray(pixels)
        factor = min(width / small.width, height / small.height)
        size = (max(1, round(small.width * factor)), max(1, round(small.height * factor)))
        small = small.resize(size, Image.Resampling.BICUBIC)
        sheet.paste(small, (left + (width - small.width) // 2, top + (height - small.height) // 2))
    top += height + 4
    name = clipped(pen, Path(picture.path).name, 13, width)
    pen.text((left, top), name, font=font(13), fill=FAINT_INK)
    top += CAPTION_HEIGHT - 4
    for contestant in CONTESTANTS:
        _draw_bar(pen, contestant, picture.scores[contestant], left, top)
        top += BAR_ROW
    if picture.mos is not None:
        pen.text((left, top), f"human score {picture.mos:.4g}", font=font(13), fill=INK)


def _draw_bar(pen: ImageDraw.ImageDraw, contestant: Contestant, score: float, left: int, top: int) -> None:
    begins, ends = left + LETTER, left + CELL[0] - NUMBER
    middle = top + BAR_ROW // 2
    bar = (middle - BAR_HEIGHT // 2, middle + BAR_HEIGHT // 2 - 1)
    pen.text((left, middle), contestant.upper(), font=font(14), fill=INK, anchor="lm")
    pen.rectangle((begins, bar[0], ends, bar[1]), fill=TRACK)
    length = round((ends - begins) * score / 100)
    if length:
        pen.rectangle((begins, bar[0], begins + length, bar[1]), fill=COLOURS[contestant])
    pen.text((left + CELL[0], middle), f"{score:.1f}", font=font(15), fill=INK, anchor="rm")
