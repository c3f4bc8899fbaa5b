"""The direction that ships gives each change its right sign (skipped while the default model has none)."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter
from scipy.signal import wiener

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.models.loading import load_direction, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL, bundled_folders
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.relational.direction.direction import Direction

FOLDER = bundled_folders()[DEFAULT_MODEL]
PHOTOS = Path(__file__).parents[4] / "examples" / "photos"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (FOLDER / "direction.json").exists(), reason="the default model has no direction"),
]


@pytest.fixture(scope="module")
def direction() -> Direction:
    return load_direction(load_model(DEFAULT_MODEL))


@pytest.fixture(scope="module", params=["cat", "coffee", "flower"])
def photo(request: pytest.FixtureRequest) -> Pixels:
    """A photograph reduced by half, so that little is left of its own compression."""
    picture = Image.open(PHOTOS / f"{request.param}.jpg").convert("RGB")
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


def levels(values: NDArray[np.floating]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def noisy(pixels: Pixels, sigma: float = 15) -> Pixels:
    return levels(pixels + np.random.default_rng(0).normal(0, sigma, pixels.shape))


def salted(pixels: Pixels) -> Pixels:
    spoiled = pixels.copy()
    at = np.random.default_rng(0).random(pixels.shape[:2]) < 0.02
    spoiled[at] = np.random.default_rng(1).choice([0, 255], at.sum())[:, None]
    return spoiled


def posterised(pixels: Pixels) -> Pixels:
    return (pixels // 32 * 32 + 16).astype(np.uint8)


def banded(pixels: Pixels) -> Pixels:
    """Smooth parts in steps of ten levels, as of a picture whose tones were stretched; edges as they were."""
    values = pixels.astype(float)
    smooth = gaussian_filter(values, (4, 4, 0))
    return levels(np.rint(smooth / 10) * 10 + (values - smooth))


def enlarged_with_halos(pixels: Pixels) -> Pixels:
    picture = Image.fromarray(pixels)
    small = picture.resize((picture.width // 3, picture.height // 3), Image.Resampling.LANCZOS)
    large = small.resize(picture.size, Image.Resampling.LANCZOS)
    return np.asarray(large.filter(ImageFilter.UnsharpMask(3, 250, 0)))


def colours_reduced(pixels: Pixels) -> Pixels:
    """Colours at a quarter of the resolution."""
    luma, *chroma = Image.fromarray(pixels).convert("YCbCr").split()
    size = (luma.width // 4, luma.height // 4)
    coarse = [plane.resize(size, Image.Resampling.BOX).resize(luma.size, Image.Resampling.NEAREST) for plane in chroma]
    return np.asarray(Image.merge("YCbCr", (luma, *coarse)).convert("RGB"))


def ringing(pixels: Pixels) -> Pixels:
    """Frequencies beyond a third of the highest cut off at once."""
    spectrum = np.fft.fft2(pixels.astype(float), axes=(0, 1))
    down, right = (np.abs(np.fft.fftfreq(side)) for side in pixels.shape[:2])
    return levels(np.fft.ifft2(spectrum * (np.maximum.outer(down, right) < 1 / 6)[..., None], axes=(0, 1)).real)


def tone_mapped(pixels: Pixels) -> Pixels:
    """Local contrast doubled, with halos."""
    values = pixels.astype(float)
    base = gaussian_filter(values, (15, 15, 0))
    return levels(128 + (base - 128) * 0.6 + (values - base) * 2.2)


def in_linear_light(pixels: Pixels, gains: NDArray[np.floating]) -> Pixels:
    return levels(np.clip((pixels / 255) ** 2.2 * gains, 0, 1) ** (1 / 2.2) * 255)


def denoised(pixels: Pixels) -> Pixels:
    """Wiener's filter for noise of 8 levels."""
    planes = [wiener(pixels[..., channel].astype(float), 5, 8**2) for channel in range(3)]
    return levels(np.stack(planes, axis=-1))


DARK, CAST = np.full(3, 0.35), np.array([1.3, 1.0, 0.7])


@pytest.mark.parametrize(
    "damage",
    [
        *(pytest.param(jpeg(quality), id=f"JPEG {quality}") for quality in (95, 90, 80, 60, 30, 10)),
        pytest.param(filtered(ImageFilter.GaussianBlur(1)), id="soft"),
        pytest.param(filtered(ImageFilter.UnsharpMask(2, 500, 0)), id="over-sharpened"),
        pytest.param(filtered(ImageFilter.MedianFilter(7)), id="over-smoothed"),
        pytest.param(noisy, id="noise"),
        pytest.param(salted, id="impulse noise"),
        pytest.param(posterised, id="posterised"),
        pytest.param(banded, id="banding"),
        pytest.param(enlarged_with_halos, id="enlarged with halos"),
        pytest.param(colours_reduced, id="colours reduced"),
        pytest.param(ringing, id="ringing"),
        pytest.param(tone_mapped, id="tone mapping"),
        pytest.param(lambda pixels: in_linear_light(pixels, DARK), id="too dark"),
        pytest.param(lambda pixels: in_linear_light(pixels, CAST), id="cast"),
    ],
)
def test_damage_is_worse(direction: Direction, photo: Pixels, damage: Callable[[Pixels], Pixels]) -> None:
    assert score(direction, photo, damage(photo)) < 0


@pytest.mark.parametrize(
    ("damage", "repair"),
    [
        pytest.param(noisy, filtered(ImageFilter.MedianFilter(3)), id="noise taken away"),
        pytest.param(lambda pixels: noisy(pixels, 8), denoised, id="light denoise"),
        pytest.param(
            filtered(ImageFilter.GaussianBlur(1.2)), filtered(ImageFilter.UnsharpMask(1.2, 100, 0)), id="sharpened"
        ),
        pytest.param(
            lambda pixels: in_linear_light(pixels, DARK),
            lambda pixels: in_linear_light(pixels, DARK**-0.9),
            id="exposure corrected",
        ),
        pytest.param(
            lambda pixels: in_linear_light(pixels, CAST),
            lambda pixels: in_linear_light(pixels, CAST**-0.9),
            id="cast removed",
        ),
    ],
)
def test_a_repair_is_better_than_the_damage_and_worse_than_the_original(
    direction: Direction, photo: Pixels, damage: Callable[[Pixels], Pixels], repair: Callable[[Pixels], Pixels]
) -> None:
    damaged = damage(photo)
    repaired = repair(damaged)
    assert score(direction, damaged, repaired) > 0
    assert score(direction, photo, repaired) < 1


def test_one_grey_level_is_next_to_nothing(direction: Direction, photo: Pixels) -> None:
    assert abs(score(direction, photo, np.clip(photo.astype(int) + 1, 0, 255).astype(np.uint8))) < 1
