"""Places on a plane from features: alike pictures lie together, and the same seed draws the same map."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.scoring.projection import centred_within, project


def clusters(rows_each: int = 30, length: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Features around three far centres, and the number of each row's centre."""
    generator = np.random.default_rng(0)
    centres = 20 * generator.normal(size=(3, length))
    numbers = np.repeat(np.arange(3), rows_each)
    return (centres[numbers] + generator.normal(size=(len(numbers), length))).astype(np.float32), numbers


def test_nearest_neighbours_on_the_map_are_of_the_same_kind() -> None:
    features, numbers = clusters()
    places = project(features)
    apart = np.linalg.norm(places[:, None] - places, axis=2) + 9 * np.eye(len(places))
    assert (numbers[apart.argmin(axis=1)] == numbers).all()


def test_the_same_seed_gives_the_same_map_to_the_last_bit() -> None:
    features, _ = clusters()
    assert np.array_equal(project(features, seed=3), project(features, seed=3))


def test_places_are_centred_and_reach_as_far_as_one() -> None:
    places = project(clusters()[0])
    assert places.mean(axis=0) == pytest.approx(np.zeros(2), abs=1e-6)
    assert np.linalg.norm(places, axis=1).max() == pytest.approx(1)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12])
def test_few_pictures_have_places_too(count: int) -> None:
    features = np.random.default_rng(1).normal(size=(count, 70)).astype(np.float32)
    places = project(features)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()
    assert len(np.unique(places.round(6), axis=0)) == count


def test_equal_pictures_lie_in_one_place() -> None:
    assert (project(np.ones((9, 5), np.float32)) == 0).all()


def test_centred_within_leaves_what_was_done_to_each_version() -> None:
    photos = np.array([[10.0, 0.0], [0.0, 10.0]], np.float32)
    changes = np.array([[-1.0, 0.0], [1.0, 0.0]], np.float32)
    features = np.concatenate([photos[0] + changes, photos[1] + changes, 70 + changes]).astype(np.float32)
    centred = centred_within(features, ["one", "one", "two", "two", None, None])
    assert centred.tolist() == [[-1, 0], [1, 0]] * 3


def test_umap_that_is_not_installed_is_said_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shamisa_cli.core.scoring.projection.find_spec", lambda _name: None)
    with pytest.raises(SettingError, match=r"pip install 'shamisa\[umap\]'"):
        project(clusters()[0], "umap")
    with pytest.raises(SettingError, match="it can be tsne, umap"):
        project(clusters()[0], "pca")  # type: ignore[arg-type]


def test_umap_is_asked_with_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    class UMAP:
        def __init__(self, **settings: object) -> None:
            asked.update(settings)

        def fit_transform(self, places: np.ndarray) -> np.ndarray:
            return places[:, :2]

    module = ModuleType("umap")
    module.UMAP = UMAP  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", module)
    monkeypatch.setattr("shamisa_cli.core.scoring.projection.find_spec", lambda _name: True)
    assert project(clusters()[0], "umap", seed=5).shape == (90, 2)
    assert asked["random_state"] == 5
