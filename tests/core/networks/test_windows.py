"""Large pictures are seen in parts, and nobody can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks import windows
from shamisa_cli.core.networks.model_folders import load_networks
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.networks.windows import relate
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.relational.records import MAPS
from shamisa_cli.core.relational.tiling import MULTIPLE, WINDOW_PIXELS
from shamisa_cli.core.relational.tiling import windows as windows_of

SMALLEST_WINDOW = 120_000
HALO = 144


@pytest.fixture(scope="module")
def model(relational_folder: Path) -> RelationalModel:
    return load_networks(ModelFolder.open(relational_folder, RelationalConfig))


def pair(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Structure at every scale, and a version that is blurred on the left and darker at the bottom."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 40 + 2, width // 40 + 2, 3), dtype=np.uint8)
    large = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    first = np.clip(large + rng.integers(-30, 31, large.shape), 0, 255).astype(np.uint8)
    second = np.array(Image.fromarray(first).filter(ImageFilter.GaussianBlur(2)))
    second[:, width // 2 :] = first[:, width // 2 :]
    second[height // 2 :] = second[height // 2 :] // 4 * 3
    return first, second


@pytest.mark.parametrize("size", [(640, 704), (517, 901)])
def test_a_picture_seen_in_parts_has_the_maps_of_the_whole(
    model: RelationalModel, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair(*size)
    whole = relate(model, first, second)
    monkeypatch.setattr(windows, "WINDOW_PIXELS", SMALLEST_WINDOW + 150_000)
    parts = relate(model, first, second)
    assert whole.maps.shape == parts.maps.shape == (len(MAPS), -(-size[0] // 8), -(-size[1] // 8))
    assert np.abs(whole.maps).max() > 0.01
    assert np.abs(whole.maps - parts.maps).max() < 1e-4
    assert abs(whole.score) > 0.01
    assert whole.score == pytest.approx(parts.score, abs=1e-3)


@pytest.mark.parametrize("window", [WINDOW_PIXELS, SMALLEST_WINDOW + 150_000])
@pytest.mark.parametrize("size", [(517, 701), (33, 50), (3, 7), (1, 1)])
def test_swapping_flips_every_sign_and_a_picture_equals_itself_exactly(
    model: RelationalModel, size: tuple[int, int], window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "WINDOW_PIXELS", window)
    first, second = pair(*size)
    forth, back = (relate(model, *order) for order in ((first, second), (second, first)))
    assert np.array_equal(forth.maps, -back.maps)
    assert forth.score == -back.score
    same = relate(model, first, first.copy())
    assert not same.maps.any()
    assert same.score == 0
    assert str(same.score) == "0.0"


def test_what_is_small_enough_is_never_cut(model: RelationalModel) -> None:
    first, second = pair(96, 128)
    a, b = (torch.from_numpy(side).permute(2, 0, 1)[None].float() / 255 for side in (first, second))
    with torch.inference_mode():
        maps, score = model(a, b)
    found = relate(model, first, second)
    assert np.array_equal(found.maps, maps[0].numpy())
    assert found.score == pytest.approx(float(score[0]), abs=1e-4)


@given(rows=st.integers(1, 400), columns=st.integers(1, 400), most=st.integers(SMALLEST_WINDOW, 2_000_000))
@settings(max_examples=60, deadline=None)
def test_windows_cover_everything_once_with_their_surroundings_and_are_bounded(
    rows: int, columns: int, most: int
) -> None:
    height, width = rows * MULTIPLE, columns * MULTIPLE
    covered = np.zeros((rows, columns), dtype=int)
    for y, x in windows_of(height, width, most, HALO):
        assert (y.last - y.first) * (x.last - x.first) <= most
        for span, side in ((y, height), (x, width)):
            assert span.first == max(0, span.start - HALO)
            assert span.last == min(side, span.stop + HALO)
            assert not any(edge % MULTIPLE for edge in (span.start, span.first, span.last))
        covered[y.start // MULTIPLE : -(-y.stop // MULTIPLE), x.start // MULTIPLE : -(-x.stop // MULTIPLE)] += 1
    assert (covered == 1).all()


def test_22_megapixels_are_seen_in_bounded_windows_at_less_than_twice_the_pixels() -> None:
    windows = [(y.last - y.first) * (x.last - x.first) for y, x in windows_of(3840, 5760, WINDOW_PIXELS, HALO)]
    assert max(windows) <= WINDOW_PIXELS
    assert sum(windows) < 2 * 3840 * 5760
