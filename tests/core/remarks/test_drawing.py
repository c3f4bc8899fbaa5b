"""Drawings in thin lines are told from photographs by their pixels, whatever the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

import shamisa_cli as shamisa
from shamisa_cli.core.images import decode, discover
from shamisa_cli.core.remarks.drawing import is_line_drawing

PHOTOS = Path(__file__).parents[3] / "examples" / "photos"


def line_art(ground: str = "white", ink: str = "black", thick: int = 3) -> Image.Image:
    generator = np.random.default_rng(4)
    image = Image.new("RGB", (800, 600), ground)
    draw = ImageDraw.Draw(image)
    for _ in range(25):
        points = np.cumsum(generator.normal(0, 25, (40, 2)), axis=0) + generator.uniform((0, 0), (800, 600))
        draw.line([(float(x), float(y)) for x, y in points], fill=ink, width=thick, joint="curve")
    return image


def things_before_a_white_wall() -> Image.Image:
    image = Image.new("RGB", (512, 512), "white")
    photo = Image.open(PHOTOS / "cat.jpg").resize((250, 250))
    image.paste(photo, (100, 200))
    return image


@pytest.mark.parametrize("size", [320, 512, 3000])
@pytest.mark.parametrize(
    "drawn", [line_art(), line_art("ivory", "navy"), line_art("black", "white"), line_art(thick=1), line_art(thick=5)]
)
def test_line_art_on_any_plain_ground_is_a_drawing(drawn: Image.Image, size: int) -> None:
    drawn = ImageOps.contain(drawn, (size, size))
    assert is_line_drawing(np.asarray(drawn))


@pytest.mark.parametrize("path", list(discover([PHOTOS])), ids=lambda path: path.stem)
def test_photographs_in_any_state_are_no_drawings(path: Path) -> None:
    pixels = np.asarray(decode(path, view_size=512).pixels)
    grey = np.repeat(pixels[..., 1:2], 3, axis=2)
    overexposed = np.clip(pixels * 2.0, 0, 255).astype(np.uint8)
    assert not any(map(is_line_drawing, (pixels, grey, overexposed)))


def test_things_before_a_white_wall_and_plain_colours_are_no_line_drawings() -> None:
    assert not is_line_drawing(np.asarray(things_before_a_white_wall()))
    assert not is_line_drawing(np.full((64, 64, 3), 255, np.uint8))


@pytest.mark.parametrize("model", ["shamisa-lite0", "shamisa-lite2"])
def test_every_model_says_that_it_does_not_know_line_art_also_from_the_cache(tmp_path: Path, model: str) -> None:
    line_art().save(tmp_path / "drawing.png")
    cache = shamisa.Cache(tmp_path / "cache")
    for _ in range(2):
        (record,) = shamisa.score(tmp_path / "drawing.png", model=model, cache=cache)
        assert (record.reliability, record.reliability_reasons) == ("low", ("unfamiliar picture",))
