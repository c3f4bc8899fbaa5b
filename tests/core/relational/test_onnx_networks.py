"""The networks that compare through ONNX Runtime: the same numbers as with PyTorch, and odd to the last bit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models.loading import load_relational_networks
from shamisa_cli.core.networks.export.export_model import add_relational_graphs
from shamisa_cli.core.relational import onnx_networks
from shamisa_cli.core.relational.judgement import RelationalNetworks

POINTS_APART, MAPS_APART = 0.002, 5e-5
"""Largest difference from PyTorch: points of 100, and a share of the maps' range."""
LITTLE = 0.1
"""Severities that count as a map's range where two images hardly differ."""


@pytest.fixture(scope="module")
def exported(relational_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(relational_folder, tmp_path_factory.mktemp("exported") / "pairs"))
    add_relational_graphs(folder)
    return folder


@pytest.fixture(scope="module")
def light(exported: Path) -> RelationalNetworks:
    return load_relational_networks(str(exported), device="cpu", runtime="onnx")


@pytest.fixture(scope="module")
def with_torch(exported: Path) -> RelationalNetworks:
    return load_relational_networks(str(exported), device="cpu", runtime="torch")


def photo(height: int, width: int, seed: int = 0) -> Pixels:
    """Structure at several scales."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 20 + 2, width // 20 + 2, 3), dtype=np.uint8)
    large = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    return np.clip(large + rng.integers(-20, 21, large.shape), 0, 255).astype(np.uint8)


def versions(pixels: Pixels) -> list[Pixels]:
    image = Image.fromarray(pixels)
    noisy = pixels.astype(np.int16) + np.random.default_rng(1).integers(-9, 10, pixels.shape)
    return [
        np.asarray(image.filter(ImageFilter.GaussianBlur(2))),
        np.asarray(image.point(lambda level: min(255, int(level * 1.2)))),
        np.clip(noisy, 0, 255).astype(np.uint8),
        np.clip(pixels.astype(np.int16) + 1, 0, 255).astype(np.uint8),
    ]


@pytest.mark.parametrize("size", [(96, 128), (61, 75), (7, 5)])
def test_scores_and_maps_are_those_of_pytorch(
    light: RelationalNetworks, with_torch: RelationalNetworks, size: tuple[int, int]
) -> None:
    original = photo(*size)
    for version in versions(original):
        found, expected = light.relate(original, version), with_torch.relate(original, version)
        assert found.maps.shape == expected.maps.shape
        assert abs(found.score - expected.score) <= POINTS_APART
        assert np.abs(found.maps - expected.maps).max() <= MAPS_APART * max(LITTLE, np.ptp(expected.maps))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**16))
def test_swapping_flips_every_sign_and_an_image_equals_itself_exactly(
    light: RelationalNetworks, height: int, width: int, seed: int
) -> None:
    first, second = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    forth, back, same = light.relate(first, second), light.relate(second, first), light.relate(first, first)
    assert np.array_equal(forth.maps, -back.maps)
    assert forth.score == -back.score
    assert same.score == 0
    assert not same.maps.any()


def test_a_picture_seen_in_parts_has_the_maps_of_the_whole(
    light: RelationalNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = photo(640, 704)
    second = versions(first)[0]
    whole = light.relate(first, second)
    monkeypatch.setattr(onnx_networks, "WINDOW_PIXELS", 270_000)
    parts = light.relate(first, second)
    assert np.abs(parts.maps - whole.maps).max() <= 1e-3 * np.ptp(whole.maps)
    assert abs(parts.score - whole.score) <= 0.01


def test_graphs_of_other_networks_are_refused(exported: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "mixed"))
    other = Path(__file__).resolve().parents[3] / "weights" / "shamisa-relational"
    for name in ("relational.json", "relational.safetensors"):
        shutil.copy(other / name, folder)
    with pytest.raises(ModelError, match="is damaged or was altered"):
        load_relational_networks(str(folder))


def test_without_graphs_onnx_says_how_to_make_them_and_auto_takes_torch(relational_folder: Path) -> None:
    with pytest.raises(ModelError, match="shamisa models export"):
        load_relational_networks(str(relational_folder), runtime="onnx")
    assert type(load_relational_networks(str(relational_folder), device="cpu")).__name__ == "RelationalComparer"
    with pytest.raises(SettingError, match="runtime is 'tensorrt'"):
        load_relational_networks(str(relational_folder), runtime="tensorrt")  # type: ignore[arg-type]
