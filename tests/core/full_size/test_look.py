"""Focus, noise and compression at 100 %: each grows with its cause, and a faultless picture has none."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, uniform_filter1d

from shamisa_cli.core.full_size.look import look_at_pixels
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.full_size.survey import survey_pixels
from shamisa_cli.core.images import decode

Luma = np.ndarray


def shapes(width: int = 900, height: int = 640, *, upto: int | None = None) -> Luma:
    """Discs and bars on a smooth ground, antialiased as by a good lens; up to the column `upto`, if given."""
    image = Image.new("L", (2 * width, 2 * height), 110)
    draw = ImageDraw.Draw(image)
    generator = np.random.default_rng(3)
    for _ in range(220):
        x, y = generator.integers(0, 2 * (upto or width)), generator.integers(0, 2 * height)
        size, value = generator.integers(8, 60), int(generator.integers(30, 220))
        draw.rectangle((x, y, x + size, y + size // 2), fill=value)
    drawn = np.asarray(image.resize((width, height), Image.Resampling.BOX), float)
    ramp = np.linspace(-20, 20, width)
    return np.clip(drawn + ramp + 0.5, 0, 255).astype(np.uint8)


def look(pixels: Luma) -> AtFullSize:
    found = look_at_pixels(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))
    assert found is not None
    return found


def jpeg(pixels: Luma, quality: int) -> Luma:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def noisy(pixels: Luma, deviation: float) -> Luma:
    return pixels + np.random.default_rng(0).normal(0, deviation, pixels.shape)


def test_a_sharp_clean_picture_has_no_fault() -> None:
    found = look(shapes())
    assert (found.focus, found.noise, found.compression) == (0, 0, 0)


def test_texture_that_fills_the_picture_is_hardly_taken_for_noise() -> None:
    random = np.random.default_rng(1).normal(0, 1, (640, 900))
    texture = gaussian_filter(random, 0.7)
    found = look(120 + 14 * texture / texture.std())
    assert found.noise <= 2.6 < look(120 + 14 * random).noise


@pytest.mark.parametrize(
    ("measure", "cause", "strengths", "least"),
    [
        ("focus", lambda pixels, sigma: gaussian_filter(pixels.astype(float), sigma), (1, 1.5, 2, 3, 4.5, 6), 3),
        ("focus", lambda pixels, length: uniform_filter1d(pixels.astype(float), length, axis=1), (3, 7, 13, 21), 2),
        ("noise", noisy, (2, 4, 8, 16), 3.5),
        ("compression", jpeg, (80, 60, 40, 20, 10), 2),
    ],
    ids=["focus blur", "motion blur", "noise", "JPEG"],
)
def test_a_fault_grows_with_its_cause(
    measure: str, cause: Callable[[Luma, float], Luma], strengths: tuple[float, ...], least: float
) -> None:
    found = [getattr(look(cause(shapes(), strength)), measure) for strength in strengths]
    assert found == sorted(found)
    assert found[-1] >= least


def test_a_blurred_background_is_no_fault_and_the_tile_lies_in_the_sharp_part() -> None:
    sharp = shapes()
    blurred = gaussian_filter(sharp.astype(float), 5)
    mixed = np.where(np.arange(900) < 300, sharp, blurred)
    found = look(mixed)
    assert found.focus is not None
    assert found.focus < 0.3
    assert look(blurred).focus > 3
    assert found.tile is not None
    assert found.tile[0] + found.tile[2] < 300 + 128
    assert found.pixels.shape == (128, 128)


def test_without_edges_there_is_no_verdict_on_focus() -> None:
    assert look(np.full((400, 400), 128.0)).focus is None


def test_a_grid_that_is_cut_anywhere_is_still_seen() -> None:
    compressed = jpeg(shapes(), 20)
    whole = look(compressed).compression
    for top, left in ((3, 5), (1, 0), (4, 4)):
        assert abs(look(compressed[top:, left:]).compression - whole) < 0.3


def test_pictures_too_small_for_tiles_get_no_look() -> None:
    assert look_at_pixels(np.zeros((127, 900), np.uint8)) is None


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_tile_is_in_pixels_of_the_upright_picture(orientation: int, tmp_path: Path) -> None:
    left_sharp = np.where(np.arange(900) < 300, shapes(), 110).astype(np.uint8)
    stored = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(np.rot90(left_sharp, stored).copy()).save(path, quality=95, exif=exif)
    picture = decode(path, view_size=200, look=True)
    assert (picture.width, picture.height) == (900, 640)
    assert picture.at_full_size is not None
    assert picture.at_full_size.tile is not None
    assert picture.at_full_size.tile[0] < 300


def test_a_large_jpeg_read_for_a_small_view_is_still_looked_at_in_every_pixel(tmp_path: Path) -> None:
    colour = np.stack([shapes(1600, 1200)] * 3, -1)
    Image.fromarray(colour).save(tmp_path / "a.jpg", quality=95)
    small, whole = (decode(tmp_path / "a.jpg", view_size=size, look=True).at_full_size for size in (200, None))
    assert small is not None
    assert whole is not None
    assert small.tile == whole.tile
    assert small.focus == whole.focus


def test_noise_grows_through_a_cameras_denoising_where_a_part_is_flat() -> None:
    clean = shapes()
    clean[:, :300] = 110
    strengths = (3, 6, 12, 24, 48)
    found = [look(gaussian_filter(noisy(clean, strength), 0.6)).noise for strength in strengths]
    assert found == sorted(set(found))


def test_a_wide_picture_has_the_grid_of_its_parts() -> None:
    random = np.random.default_rng(0)
    blocks = np.kron(random.integers(0, 256, (80, 112)), np.ones((8, 8))).astype(np.uint8)
    narrow, wide = (survey_pixels(pixels) for pixels in (blocks, np.tile(blocks, (1, 7))))
    assert narrow is not None
    assert wide is not None
    assert narrow.grid > 10
    assert wide.grid == pytest.approx(narrow.grid, rel=0.02)


def scene() -> Luma:
    """Blurred grain and shapes: steps everywhere, as in a photograph."""
    grain = np.random.default_rng(2).normal(0, 1, (640, 900))
    return np.clip(gaussian_filter(shapes().astype(float), 1) + 4 * gaussian_filter(grain, 0.6), 0, 255).astype(
        np.uint8
    )


@pytest.mark.parametrize(("factor", "at_least", "at_most"), [(1.2, 0.3, 1), (1.5, 0.9, 1.8), (3, 2.5, 4)])
def test_pixels_shown_several_times_over_are_blocks(factor: float, at_least: float, at_most: float) -> None:
    height, width = scene().shape
    image = Image.fromarray(scene()).resize((round(width / factor), round(height / factor)), Image.Resampling.BOX)
    enlarged = np.asarray(image.resize((width, height), Image.Resampling.NEAREST))
    assert at_least <= look(enlarged).compression <= at_most
    smooth = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    assert look(smooth).compression < 0.3


def test_squares_of_one_colour_are_blocks_wherever_they_lie() -> None:
    severities = []
    for number in (0, 1, 4, 10):
        picture = scene()
        random = np.random.default_rng(5)
        for index in range(number):
            top, left = random.integers(0, 150), 80 * index + random.integers(0, 40)
            picture[top + 200 : top + 232, left : left + 32] = 250 if index % 2 else 4
        severities.append(look(picture).compression)
    assert severities[0] < 0.3
    assert severities[1] >= 1
    assert severities == sorted(severities)
    assert severities[-1] > 3


def test_bars_beside_a_film_and_a_clipped_sky_are_no_blocks() -> None:
    picture = scene()
    picture[:, :100], picture[:, -100:] = 0, 0
    assert look(picture).compression < 0.3
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    picture[rows < 150 + 40 * np.sin(columns / 30)] = 255
    assert look(picture).compression < 0.3


def jpeg2000(pixels: Luma, ratio: float) -> Luma:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[ratio])
    return np.asarray(Image.open(stream))


def test_a_jpeg_2000_is_compressed_the_more_the_smaller_its_file_also_when_cut() -> None:
    assert look(scene()).compression == 0
    found = [look(jpeg2000(scene(), ratio)).compression for ratio in (5, 8, 12, 20)]
    assert found == sorted(found)
    assert 0.5 < found[0] < found[-1] > 2.5
    for top, left in ((1, 0), (0, 1), (3, 5)):
        assert abs(look(jpeg2000(scene(), 12)[top:, left:]).compression - found[2]) < 0.3


def test_a_jpeg_2000_that_was_saved_as_jpeg_is_still_more_compressed() -> None:
    assert look(jpeg(jpeg2000(scene(), 12), 95)).compression > look(jpeg(scene(), 95)).compression + 1


def test_a_lossless_wavelet_file_is_not_compressed() -> None:
    stream = io.BytesIO()
    Image.fromarray(scene()).save(stream, "JPEG2000", irreversible=False)
    assert look(np.asarray(Image.open(stream))).compression == 0


def with_displaced(picture: Luma, number: int) -> Luma:
    """Squares of 16 pixels, each the copy of a place 3 to 13 pixels beside it."""
    random, spoiled = np.random.default_rng(4), picture.copy()
    for _ in range(number):
        top, left = (int(random.integers(16, side - 32)) for side in picture.shape)
        down, across = (int(random.integers(3, 14) * random.choice((-1, 1))) for _ in range(2))
        source = picture[top + down : top + down + 16, left + across : left + across + 16]
        spoiled[top : top + 16, left : left + 16] = source
    return spoiled


def test_parts_that_lie_in_the_wrong_place_are_seen_the_more_the_more_they_are() -> None:
    found = [look(with_displaced(scene(), number)).compression for number in (0, 4, 12, 30, 60)]
    assert found[0] == 0
    assert found == sorted(set(found))
    assert found[-1] > 2


@pytest.mark.parametrize("orientation", [0, 1, 2, 3])
def test_parts_in_the_wrong_place_are_seen_whichever_way_a_picture_is_turned(orientation: int) -> None:
    turned = np.rot90(with_displaced(scene(), 30), orientation)
    survey = survey_pixels(turned)
    assert survey is not None
    assert survey.displaced > 8


@pytest.mark.parametrize("quality", [15, 40, 75])
def test_cells_of_a_jpeg_that_look_alike_are_no_parts_in_the_wrong_place(quality: int) -> None:
    survey = survey_pixels(jpeg(scene(), quality))
    assert survey is not None
    assert survey.displaced == 0


def test_letters_and_tiles_that_repeat_are_no_parts_in_the_wrong_place() -> None:
    page = Image.new("L", (900, 640), 250)
    draw = ImageDraw.Draw(page)
    for line in range(40):
        draw.text((20, 16 * line), "here and there seen letters agree between these trees " * 3, fill=20)
    survey = survey_pixels(np.asarray(page))
    assert survey is not None
    assert survey.displaced == 0


@pytest.mark.parametrize("sigma", [3, 4, 6])
def test_slopes_of_a_picture_out_of_focus_are_no_parts_in_the_wrong_place(sigma: float) -> None:
    survey = survey_pixels(gaussian_filter(shapes(1800, 1280).astype(float), sigma).astype(np.uint8))
    assert survey is not None
    assert survey.displaced == 0
