"""A copy saved as JPEG is proved to be one, from its coefficients; nothing else is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.images import decode
from shamisa_cli.core.relational.direction.requantisation import QUANTISED, _likeness, requantised

EXAMPLES = Path(__file__).resolve().parents[4] / "examples" / "photos"


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """A photograph reduced, so that nothing is left of its own JPEG, 256 × 320."""
    pixels = decode(EXAMPLES / "coffee.jpg").pixels
    return np.asarray(Image.fromarray(pixels).resize((320, 256), Image.Resampling.LANCZOS))


def saved(pixels: Pixels, quality: int, kind: str = "JPEG", **settings: object) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, quality=quality, **settings)
    return np.asarray(Image.open(stream).convert("RGB"))


@pytest.mark.parametrize("sampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("quality", [92, 85, 70, 50, 30])
def test_a_jpeg_copy_is_worse_than_what_it_was_made_from(photo: Pixels, quality: int, sampling: str) -> None:
    copy = saved(photo, quality, subsampling=sampling)
    assert requantised(photo, copy) == -1
    assert requantised(copy, photo) == 1


@pytest.mark.parametrize(("before", "after"), [(95, 85), (95, 70), (90, 70), (75, 30)])
def test_so_is_a_jpeg_copy_of_a_jpeg(photo: Pixels, before: int, after: int) -> None:
    original = saved(photo, before)
    assert requantised(original, saved(original, after)) == -1
    assert requantised(saved(original, after), original) == 1


def brighter(pixels: Pixels) -> Pixels:
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(pixels)).enhance(1.1))


def sharper(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.UnsharpMask(1.5, 80, 0)))


def smoother(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.8)))


def warmer(pixels: Pixels) -> Pixels:
    return np.clip(pixels + np.array([8, 0, -8]), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("edited", [brighter, sharper, smoother, warmer])
def test_an_edit_saved_as_jpeg_is_not_called_a_mere_copy(photo: Pixels, edited: Callable[[Pixels], Pixels]) -> None:
    assert requantised(photo, saved(edited(photo), 80)) == 0


def test_a_version_made_of_a_jpeg_does_not_make_the_jpeg_its_copy(photo: Pixels) -> None:
    """The coefficients of the JPEG are also the nearest multiples to those of a slightly damaged version of it."""
    original = saved(photo, 60)
    noise = np.random.default_rng(0).standard_normal(photo.shape)
    for strength in (1, 2, 4, 8):
        assert requantised(np.clip(original + strength * noise, 0, 255).astype(np.uint8), original) == 0
    for kind in ("WEBP", "AVIF"):
        for quality in (90, 80, 50):
            assert requantised(saved(original, quality, kind), original) == 0


def test_neither_of_two_copies_is_made_of_the_other_nor_is_a_picture_of_itself(photo: Pixels) -> None:
    assert requantised(saved(photo, 80), saved(photo, 75)) == 0
    assert requantised(photo, photo) == 0
    assert requantised(photo[:8, :8], saved(photo, 50)[:8, :8]) == 0
    assert requantised(photo, saved(photo, 80, "WEBP")) == 0


@pytest.mark.parametrize("number", [30, 100, 1000])
def test_coefficients_that_lie_anywhere_are_hardly_ever_taken_for_multiples(number: int) -> None:
    """With few blocks that are not clipped, some frequencies had a step by chance."""
    coefficients = np.random.default_rng(0).uniform(-300, 300, (number, 64 * 20)).astype(np.float32)
    assert (_likeness(coefficients).max(axis=1) > QUANTISED).mean() < 0.003
    steps = np.rint(coefficients / 40) * 40
    assert (_likeness(steps).max(axis=1) > QUANTISED).mean() > 0.9
