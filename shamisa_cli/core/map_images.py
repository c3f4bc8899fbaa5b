"""Drawing shared by score maps and comparison figures: colours, fonts, tints, and the names of map files."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.relative_names import common_folder

Map = NDArray[np.float64]

Colour = tuple[int, int, int]

STRONGEST = 0.7
"""Opacity of the strongest colour; regions like an average image show the photograph alone, in grey."""

LOSES, GAINS = (190, 30, 45), (25, 100, 190)

BACKGROUND, INK, FAINT_INK = "#fbfaf8", "#1f1f1f", "#6d6965"

MARGIN, GAP = 16, 12

LEGEND_BAR = (240, 12)

MAX_TITLE = 60

MAX_NAME_BYTES = 200
"""Largest length of a file name; file systems allow 255, and a temporary name is longer."""


def tinted(
    grey: NDArray[np.floating], strength: NDArray[np.floating], ends: tuple[Colour, Colour] = (LOSES, GAINS)
) -> Pixels:
    """Grey levels (H, W) tinted by strengths (H, W): fully with one of `ends` at −1, with the other at 1, and beyond.

    Gives (H, W, 3).
    """
    opacity = np.clip(np.abs(strength), 0, 1).astype(np.float32) * np.float32(STRONGEST)
    rest = grey.astype(np.float32) * (1 - opacity) + np.float32(0.5)
    losing = strength < 0
    tint = np.empty((*grey.shape, 3), np.uint8)
    for channel, (low, high) in enumerate(zip(*ends, strict=True)):
        tint[..., channel] = rest + opacity * np.where(losing, np.float32(low), np.float32(high))
    return tint


def clipped(pen: ImageDraw.ImageDraw, text: str, size: int, room: float) -> str:
    """`text` if it fits into this width in pixels, else its end; what cannot be drawn is a question mark."""
    text = "".join(character if character.isprintable() else "?" for character in text)
    shown = text if len(text) <= MAX_TITLE else "…" + text[1 - MAX_TITLE :]
    while len(shown) > 1 and pen.textlength(shown, font=font(size)) > room:
        shown = "…" + shown[2:]
    return shown


@functools.lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in font."""
    return ImageFont.load_default(size)


def map_names(pictures: Sequence[Path]) -> dict[str, Path]:
    """Relative PNG path of each image: its path below their common folder, with .png appended."""
    absolute = {str(path): Path(os.path.abspath(path)) for path in pictures}  # noqa: PTH100 — links stay as named
    if not absolute:
        return {}
    common = common_folder(path.parent for path in absolute.values())
    return {name: _at_most_bytes(path.relative_to(common)) for name, path in absolute.items()}


def _at_most_bytes(path: Path) -> Path:
    name = f"{path.name}.png"
    if len(os.fsencode(name)) <= MAX_NAME_BYTES:
        return path.with_name(name)
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    start = os.fsencode(path.name)[: MAX_NAME_BYTES - 40].decode(errors="ignore")
    return path.with_name(f"{start}-{digest}.png")
