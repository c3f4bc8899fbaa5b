"""The direction: odd by construction whatever its weights, and statistics that show what was done to a picture."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models.direction_files import PARTS as PARTS_OF_HEAD
from shamisa_cli.core.models.direction_files import read_direction, write_direction
from shamisa_cli.core.models.loading import load_direction, load_model
from shamisa_cli.core.relational.direction import change_statistics, image_statistics, pair_statistics
from shamisa_cli.core.relational.direction.bands import layers
from shamisa_cli.core.relational.direction.direction import WINDOW, most_changed, with_scores
from shamisa_cli.core.relational.direction.head import DirectionHead, Seen

FEATURES, PARTS, HIDDEN = 12, 3, 5


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """Smooth shapes with some texture, 256 × 320."""
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)).resize(
        (320, 256), Image.Resampling.BICUBIC
    )
    fine = Image.fromarray(rng.integers(0, 256, (128, 160, 3), dtype=np.uint8)).resize(
        (320, 256), Image.Resampling.BICUBIC
    )
    mixed = 0.8 * np.asarray(coarse, dtype=float) + 0.2 * np.asarray(fine, dtype=float)
    return mixed.astype(np.uint8)


def saved_as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def random_head(seed: int = 0) -> DirectionHead:
    rng = np.random.default_rng(seed)
    own = image_statistics.count()
    even, odd = PARTS + own + pair_statistics.EVEN, 2 * (PARTS + own) + pair_statistics.ODD
    drawn = rng.standard_normal
    return DirectionHead(
        drawn(FEATURES),
        np.ones(FEATURES),
        drawn((FEATURES, PARTS)),
        drawn((FEATURES, PARTS)),
        drawn(own),
        np.ones(own),
        drawn(even),
        np.ones(even),
        np.ones(odd),
        drawn((even, HIDDEN)) / 20,
        drawn((odd, HIDDEN)) / 20,
        drawn(HIDDEN),
        drawn(HIDDEN),
        np.ones(1),
        "0" * 64,
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_swapping_the_images_flips_the_direction_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(0, 256, (40, 56, 3), dtype=np.uint8) for _ in range(2))
    a, b = (
        Seen(rng.standard_normal(FEATURES).astype(np.float32), image_statistics.image_statistics(pixels))
        for pixels in (first, second)
    )
    head = random_head(seed)
    forth = head.better(a, b, *pair_statistics.pair_statistics(layers(first), layers(second)))
    back = head.better(b, a, *pair_statistics.pair_statistics(layers(second), layers(first)))
    assert forth == -back
    assert -1 <= forth <= 1
    assert head.better(a, a, *pair_statistics.pair_statistics(layers(first), layers(first))) == 0


def test_every_quality_of_jpeg_leaves_its_steps_in_the_blocks(photo: Pixels) -> None:
    traces = [image_statistics.image_statistics(saved_as_jpeg(photo, quality))[0] for quality in (92, 80, 50)]
    assert image_statistics.image_statistics(photo)[0] < traces[0] < traces[1] < traces[2]


def test_the_sign_of_a_little_change_shows_as_that_of_a_large_one(photo: Pixels) -> None:
    """Detail is added by noise and taken away by blur, however little."""
    noise = np.random.default_rng(0).standard_normal(photo.shape)
    for sigma in (2, 10):
        noisy = np.clip(photo + sigma * noise, 0, 255).round().astype(np.uint8)
        odd, _ = pair_statistics.pair_statistics(layers(photo), layers(noisy))
        assert (odd[:12:4] > 0.3).all()
    for radius in (0.5, 3):
        soft = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(radius)))
        odd, _ = pair_statistics.pair_statistics(layers(photo), layers(soft))
        assert (odd[:12:4] < -0.3).all()


def test_noise_and_detail_that_are_taken_away_look_different(photo: Pixels) -> None:
    """What a blur takes from a clean photograph lies along edges and is alike in all colours; noise is neither."""
    noisy = np.clip(photo + 8 * np.random.default_rng(0).standard_normal(photo.shape), 0, 255).round().astype(np.uint8)
    soft = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(1)))
    _, noise = change_statistics.change_statistics(layers(noisy), layers(photo))
    _, detail = change_statistics.change_statistics(layers(photo), layers(soft))
    spread, edges = 6, 11
    assert noise[spread] < 0.7 * detail[spread]
    assert noise[edges] < detail[edges]


def test_isolated_pixels_are_counted(photo: Pixels) -> None:
    salted = photo.copy()
    salted[::16, ::16] = 255
    isolated = image_statistics.count() - 3
    before, after = (image_statistics.image_statistics(pixels)[isolated] for pixels in (photo, salted))
    assert after > before + 2


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (16, 16), (449, 8)])
def test_images_of_any_size_have_statistics(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    statistics = image_statistics.image_statistics(pixels)
    odd, even = pair_statistics.pair_statistics(layers(pixels), layers(pixels[::-1]))
    assert statistics.shape == (image_statistics.count(),)
    assert np.isfinite(np.concatenate([statistics, odd, even])).all()


def test_the_window_lies_where_the_images_differ_on_corners_of_blocks() -> None:
    local = np.zeros((200, 150), dtype=np.float32)
    local[150:155, 20:25] = 1
    top, left = most_changed(local, (1600, 1200, 3))
    assert top % 16 == left % 16 == 0
    assert 155 * 8 - WINDOW <= top <= 150 * 8
    assert 25 * 8 - WINDOW <= left <= 20 * 8
    assert most_changed(np.ones((4, 5), dtype=np.float32), (30, 40, 3)) == (0, 0)


def test_a_direction_comes_back_from_its_files_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    head = random_head()
    write_direction(tmp_path, head, trained_on="nothing")
    found = read_direction(tmp_path)
    assert found is not None
    assert found.encoder_fingerprint == head.encoder_fingerprint
    assert found.shared == pytest.approx(head.shared, rel=1e-3)
    assert found.out == pytest.approx(head.out, rel=1e-6)
    (tmp_path / "direction.safetensors").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"direction\.safetensors"):
        read_direction(tmp_path)
    assert read_direction(tmp_path / "elsewhere") is None
    with pytest.raises(ModelError, match="differ in length"):
        replace(head, bias=np.ones(HIDDEN + 1))
    with pytest.raises(ModelError, match="not finite"):
        replace(head, slope=np.array([np.nan]))


RESHAPED = {
    "a number": lambda array: array.reshape(-1)[0],
    "a column": lambda array: array[..., None],
    "a row": lambda array: array[None],
    "one more": lambda array: np.concatenate([array, array[:1]]),
}


@pytest.mark.parametrize("shape", RESHAPED)
def test_a_direction_with_a_part_of_another_shape_is_refused_before_a_picture_is_compared(
    shape: str,
) -> None:
    head = random_head()
    for name in PARTS_OF_HEAD:
        with pytest.raises(ModelError, match="differ in length"):
            replace(head, **{name: RESHAPED[shape](getattr(head, name))})


def test_a_direction_for_another_number_of_features_than_the_encoder_gives_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    model = load_model(str(folder), device="cpu")
    write_direction(folder, replace(random_head(), encoder_fingerprint=model.encoder_fingerprint), trained_on="")
    with pytest.raises(ModelError, match=f"reads {FEATURES} features, but the encoder of tiny gives "):
        load_direction(load_model(str(folder), device="cpu"))


@given(st.floats(-1, 1), st.floats(-100, 100))
def test_scores_and_what_was_learned_are_two_witnesses(learned: float, points: float) -> None:
    together = with_scores(learned, points)
    assert with_scores(-learned, -points) == -together
    assert abs(together) <= 1
    assert with_scores(learned, 0) == pytest.approx(learned, abs=1e-6)
    if learned * points > 0:
        assert abs(together) >= min(abs(learned), 1 - 1e-6) - 1e-6


def test_scores_far_apart_overrule_a_direction_that_is_hardly_sure() -> None:
    assert with_scores(0.8, -19) < -0.5 < 0.2 < with_scores(0.8, -8)
    assert with_scores(0.99, -1) > 0.9
