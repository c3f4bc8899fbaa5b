"""Remarks name what was done to a photograph, and its direction; a good one has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageEnhance
from scipy.ndimage import convolve, gaussian_filter, rotate

from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.images import decode
from shamisa_cli.core.remarks.remark import ABOUT, REMARKS, remarks_on
from shamisa_cli.core.remarks.tones import tones_of

Picture = np.ndarray


PHOTOS = Path(__file__).parents[3] / "examples" / "photos"


def scene(side: int = 20) -> Picture:
    """Coloured blocks of many tones and moderate saturation, grey on average, of so many pixels a side."""
    generator = np.random.default_rng(5)
    grey = generator.uniform(15, 225, (320 // side, 320 // side, 1))
    colour = generator.normal(0, 22, (320 // side, 320 // side, 3))
    colour -= colour.mean(axis=(0, 1, 2)) + colour.mean(axis=2, keepdims=True)
    return np.clip(grey + colour, 0, 255).astype(np.uint8).repeat(side, axis=0).repeat(side, axis=1)


def photo(name: str) -> Picture:
    return np.array(decode(PHOTOS / f"{name}.jpg", view_size=512).pixels)


def linear(picture: Picture, *gains: float) -> Picture:
    brightened = (picture / 255.0) ** 2.2 * np.array(gains)
    return (np.clip(brightened, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def contrast(picture: Picture, factor: float) -> Picture:
    return np.clip((picture - 120.0) * factor + 120, 0, 255).astype(np.uint8)


def saturation(picture: Picture, factor: float) -> Picture:
    return np.asarray(ImageEnhance.Color(Image.fromarray(picture)).enhance(factor))


def test_a_balanced_picture_has_no_remark() -> None:
    assert remarks_on(scene(), None, 320) == ()


@pytest.mark.parametrize(
    ("remark", "cause"),
    [
        ("underexposed", lambda picture: linear(picture, 0.12)),
        ("overexposed", lambda picture: linear(picture, 6)),
        ("low contrast", lambda picture: contrast(picture, 0.4)),
        ("harsh contrast", lambda picture: contrast(picture, 2.5)),
        ("desaturated", lambda picture: saturation(picture, 0.1)),
        ("warm cast", lambda picture: linear(picture, 1.5, 1, 0.6)),
        ("cool cast", lambda picture: linear(picture, 0.6, 1, 1.5)),
        ("green cast", lambda picture: linear(picture, 0.8, 1.25, 0.8)),
        ("magenta cast", lambda picture: linear(picture, 1.2, 0.75, 1.2)),
        ("black and white", lambda picture: saturation(picture, 0)),
    ],
)
def test_what_was_done_to_a_picture_is_named(remark: str, cause: Callable[[Picture], Picture]) -> None:
    assert remark in remarks_on(cause(scene()), None, 320)


@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee", "hopper", "temple"])
def test_a_photograph_with_its_saturation_at_250_percent_is_oversaturated_and_not_before(name: str) -> None:
    picture = photo(name)
    assert "oversaturated" not in remarks_on(picture, None, 512)
    assert "oversaturated" in remarks_on(saturation(picture, 2.5), None, 512)


@pytest.mark.parametrize("name", ["brick", "cameraman", "grass", "gravel"])
def test_more_saturation_leaves_a_black_and_white_photograph_as_it_is(name: str) -> None:
    assert "oversaturated" not in remarks_on(saturation(photo(name), 2.5), None, 512)


def test_the_more_saturation_the_more_overdone() -> None:
    grades = [tones_of(saturation(photo("coffee"), factor)).overdone for factor in (1, 1.5, 2, 3)]
    assert grades == sorted(grades)


@pytest.mark.parametrize(
    "cause",
    [
        lambda picture: linear(picture, 1.5, 1, 0.6),
        lambda picture: linear(picture, 0.6, 1, 1.5),
        lambda picture: linear(picture, 0.8, 1.3, 0.8),
        lambda picture: linear(picture, 2.2),
        lambda picture: linear(picture, 0.4),
        lambda picture: (picture + np.random.default_rng(1).normal(0, 8, picture.shape)).clip(0, 255).astype(np.uint8),
    ],
    ids=["warm", "cool", "green", "lighter", "darker", "noise"],
)
@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee", "hopper", "temple"])
def test_another_fault_is_no_oversaturation(name: str, cause: Callable[[Picture], Picture]) -> None:
    assert "oversaturated" not in remarks_on(cause(photo(name)), None, 512)


def test_the_colours_of_noise_are_no_oversaturation() -> None:
    vivid = saturation(photo("temple"), 2.5)
    assert "oversaturated" in remarks_on(vivid, AtFullSize(0.0, 0.0, 0.0, None), 512)
    assert "oversaturated" not in remarks_on(vivid, AtFullSize(0.0, 3.0, 0.0, None), 512)


def test_black_and_white_is_no_fault_of_colour() -> None:
    found = remarks_on(saturation(scene(), 0), None, 320)
    assert [remark for remark in found if ABOUT[remark] == "colour"] == ["black and white"]


def test_a_night_with_lights_is_low_key_and_not_underexposed() -> None:
    night = scene() // 12
    night[40:80, 100:160] = 240
    assert [remark for remark in remarks_on(night, None, 320) if ABOUT[remark] == "brightness"] == ["low key"]


def glass_in_a_warm_street() -> Picture:
    """Sandstone, and in half of it bright blue panes in dark frames."""
    street = (np.array([205, 180, 140]) + np.random.default_rng(3).normal(0, 12, (320, 320, 1))).clip(0, 255)
    street[:, :150] = (140, 190, 248)
    street[::16, :110] = street[:, :150:16] = 25
    return street.astype(np.uint8)


def hedge() -> Picture:
    """Tones of all kinds, and a tenth of nearly black ones."""
    return np.where(np.arange(320)[:, None, None] > 288, 15, scene()).astype(np.uint8)


def with_area(picture: Picture, share: float, colour: tuple[int, int, int]) -> Picture:
    """The picture with a share of its rows in one colour."""
    picture = picture.copy()
    picture[: round(share * len(picture))] = colour
    return picture


def red_flowers() -> Picture:
    """A photograph whose upper sixth is deep red, with as little green and blue as flowers have."""
    picture = photo("temple")
    bed = np.random.default_rng(6).uniform((160, 0, 0), (250, 50, 60), (len(picture) // 6, picture.shape[1], 3))
    picture[: len(bed)] = bed
    return picture


@pytest.mark.parametrize(
    ("what", "picture"),
    [
        ("a glass front in a warm street is no cool cast", glass_in_a_warm_street()),
        ("a dark picture with deep blacks is not flat", np.clip(scene() * 0.62 - 15, 0, 255).astype(np.uint8)),
        ("white clouds over dark land are no underexposure", with_area(scene() // 2 + 20, 0.04, (250, 250, 250))),
        ("a bed of red flowers is no oversaturation", red_flowers()),
        ("a yellow wall is no oversaturation", with_area(photo("temple"), 0.4, (250, 200, 10))),
        ("white slats before a hedge in the shade are not harsh", with_area(hedge(), 0.08, (246, 246, 246))),
    ],
)
def test_what_is_in_the_picture_is_no_fault_of_the_photograph(what: str, picture: Picture) -> None:
    faults = {"cool cast", "low contrast", "underexposed", "oversaturated", "harsh contrast"}
    if what.startswith("a dark"):
        faults -= {"underexposed"}
    assert not faults & set(remarks_on(picture, None, 320)), what


def discs() -> Picture:
    """Edges in every direction."""
    generator = np.random.default_rng(2)
    image = Image.new("L", (1280, 1280), 120)
    draw = ImageDraw.Draw(image)
    for _ in range(250):
        x, y, size = generator.integers((0, 0, 20), (1280, 1280, 90)).tolist()
        draw.ellipse((x, y, x + size, y + size), fill=int(generator.integers(30, 220)))
    return np.asarray(image.resize((640, 640), Image.Resampling.BOX), float)


@pytest.mark.parametrize("turn", [0, 45, 70])
def test_motion_is_told_from_missed_focus_in_any_direction(tmp_path: Path, turn: float) -> None:
    path = np.zeros((15, 15))
    path[7, 1:14] = 1
    path = rotate(path, turn, reshape=False, order=1)
    moved = convolve(discs(), path / path.sum())
    defocused = gaussian_filter(discs(), 2.5)
    found = []
    for name, luma in (("moved", moved), ("defocused", defocused), ("sharp", discs())):
        Image.fromarray(np.clip(luma, 0, 255).astype(np.uint8)).save(tmp_path / f"{name}.png")
        remarks = decode(tmp_path / f"{name}.png", look=True).remarks
        found.append([remark for remark in remarks if ABOUT[remark] == "blur"])
    assert found == [["motion blur"], ["out of focus"], []]


def test_noise_and_blocks_at_100_percent_are_named() -> None:
    look = AtFullSize(0.0, 1.8, 2.5, None)
    assert remarks_on(scene(), look, 4000) == ("noisy", "compression artefacts")
    assert remarks_on(scene(), look, 500) == ("compression artefacts",)


@pytest.mark.parametrize("name", ["coffee_JPEG", "deep_field_JPEG-2000"])
def test_strong_compression_has_one_name_whatever_its_kind(name: str) -> None:
    assert "compression artefacts" in decode(PHOTOS / f"{name}.jpg", look=True).remarks


@given(arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3))))
def test_any_picture_gets_known_remarks_in_order_and_finite_measures(pixels: Picture) -> None:
    found = remarks_on(pixels, None, 6)
    assert list(found) == [remark for remark in REMARKS if remark in found]
    assert np.isfinite([tones_of(pixels).warmth, tones_of(pixels).greenness, tones_of(pixels).lightness]).all()
    assert np.isfinite(tones_of(pixels).overdone)
