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
    return reduced("coffee.jpg")


@pytest.fixture(scope="module")
def colourful() -> Pixels:
    return reduced("flower.jpg")


def reduced(name: str) -> Pixels:
    pixels = decode(EXAMPLES / name).pixels
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


@pytest.mark.parametrize(("before", "after"), [(80, 80), (80, 75), (75, 80), (75, 75), (60, 60)])
def test_a_copy_at_nearly_the_same_quality_is_proved_by_colours_that_only_the_original_had_at_half_size(
    colourful: Pixels, before: int, after: int
) -> None:
    original = saved(colourful, before, subsampling="4:2:0")
    copy = saved(original, after, subsampling="4:4:4")
    assert requantised(original, copy) == -1
    assert requantised(copy, original) == 1


@pytest.mark.parametrize("quality", [90, 80, 70, 50])
def test_colours_at_half_size_do_not_make_the_original_a_copy(colourful: Pixels, quality: int) -> None:
    original = saved(colourful, quality, subsampling="4:4:4")
    for after in (98, 95, 90, 80, 75, 70, 60):
        assert requantised(original, saved(original, after, subsampling="4:2:0")) in (0, -1)


@pytest.mark.parametrize("quality", [70, 75, 80])
def test_nor_where_the_original_was_saved_twice(colourful: Pixels, quality: int) -> None:
    original = saved(saved(colourful, quality, subsampling="4:2:0"), 95, subsampling="4:4:4")
    assert requantised(original, saved(original, quality, subsampling="4:2:0")) in (0, -1)


def test_pale_colours_that_were_smoothed_look_like_multiples_and_prove_nothing(colourful: Pixels) -> None:
    for paleness, quality, width in ((0.2, 75, 1.2), (0.4, 60, 1.2), (0.4, 50, 1)):
        luma, *chroma = Image.fromarray(colourful).convert("YCbCr").split()
        pale = [plane.point([round(128 + (level - 128) * paleness) for level in range(256)]) for plane in chroma]
        original = saved(np.asarray(Image.merge("YCbCr", [luma, *pale]).convert("RGB")), quality, subsampling="4:4:4")
        luma, *chroma = Image.fromarray(original).convert("YCbCr").split()
        smoothed = [plane.filter(ImageFilter.GaussianBlur(width)) for plane in chroma]
        assert requantised(original, np.asarray(Image.merge("YCbCr", [luma, *smoothed]).convert("RGB"))) == 0


@pytest.mark.parametrize("quality", [90, 75, 60])
def test_an_edit_of_colours_alone_proves_nothing(colourful: Pixels, quality: int) -> None:
    original = saved(colourful, quality, subsampling="4:4:4")
    edits: list[Callable[[Image.Image], Image.Image]] = [
        *(lambda plane, width=width: plane.filter(ImageFilter.GaussianBlur(width)) for width in (0.5, 1, 2)),
        lambda plane: plane.filter(ImageFilter.MedianFilter(3)),
        lambda plane: plane.filter(ImageFilter.UnsharpMask(1.5, 60, 0)),
        lambda plane: plane.point([round(128 + (level - 128) * 1.06) for level in range(256)]),
    ]
    for edit in edits:
        luma, *chroma = Image.fromarray(original).convert("YCbCr").split()
        edited = np.asarray(Image.merge("YCbCr", [luma, *map(edit, chroma)]).convert("RGB"))
        assert requantised(original, edited) == 0
        assert requantised(original, saved(edited, 95, subsampling="4:4:4")) == 0


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
