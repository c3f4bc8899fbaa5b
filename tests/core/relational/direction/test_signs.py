"""The direction that ships gives each change its right sign (skipped while the default model has none)."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.models.loading import load_direction, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL, bundled_folders
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.relational.direction.direction import Direction

FOLDER = bundled_folders()[DEFAULT_MODEL]
PHOTO = Path(__file__).parents[4] / "examples" / "photos" / "cat.jpg"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (FOLDER / "direction.json").exists(), reason="the default model has no direction"),
]


@pytest.fixture(scope="module")
def direction() -> Direction:
    return load_direction(load_model(DEFAULT_MODEL))


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """A photograph reduced by half, so that little is left of its own compression."""
    picture = Image.open(PHOTO).convert("RGB")
    return np.asarray(picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS))


def score(direction: Direction, a: Pixels, b: Pixels) -> float:
    found = difference(a, b)
    return found.value * direction.better(a, b, found.local)


def jpeg(quality: int) -> Callable[[Pixels], Pixels]:
    def coded(pixels: Pixels) -> Pixels:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
        return np.asarray(Image.open(stream))

    return coded


def filtered(kind: ImageFilter.Filter) -> Callable[[Pixels], Pixels]:
    return lambda pixels: np.asarray(Image.fromarray(pixels).filter(kind))


def noisy(pixels: Pixels) -> Pixels:
    return np.clip(pixels + np.random.default_rng(0).normal(0, 15, pixels.shape), 0, 255).astype(np.uint8)


def posterised(pixels: Pixels) -> Pixels:
    return (pixels // 32 * 32 + 16).astype(np.uint8)


@pytest.mark.parametrize(
    "damage",
    [
        *(pytest.param(jpeg(quality), id=f"JPEG {quality}") for quality in (95, 90, 80, 60, 30, 10)),
        pytest.param(filtered(ImageFilter.GaussianBlur(1)), id="soft"),
        pytest.param(filtered(ImageFilter.UnsharpMask(2, 500, 0)), id="over-sharpened"),
        pytest.param(filtered(ImageFilter.MedianFilter(7)), id="over-smoothed"),
        pytest.param(noisy, id="noise"),
        pytest.param(posterised, id="posterised"),
    ],
)
def test_damage_is_worse(direction: Direction, photo: Pixels, damage: Callable[[Pixels], Pixels]) -> None:
    assert score(direction, photo, damage(photo)) < 0


def test_a_repair_is_better_than_the_damage_and_worse_than_the_original(direction: Direction, photo: Pixels) -> None:
    damaged = noisy(photo)
    repaired = filtered(ImageFilter.MedianFilter(3))(damaged)
    assert score(direction, damaged, repaired) > 0
    assert score(direction, photo, repaired) < 0


def test_one_grey_level_is_next_to_nothing(direction: Direction, photo: Pixels) -> None:
    assert abs(score(direction, photo, np.clip(photo.astype(int) + 1, 0, 255).astype(np.uint8))) < 1
