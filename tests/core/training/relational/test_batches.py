"""Batches of ordered sets from photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.training.relational import batches
from shamisa_cli.core.training.relational.batches import SetSettings, draw_batch
from shamisa_cli.core.training.relational.ordered_sets import OrderedSet, draw_ordered_set


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 255, (10, 14, 3), dtype=np.uint8))
        coarse.resize((280, 200), Image.Resampling.BICUBIC).save(path)
    return paths


SMALL = SetSettings(sets=3, versions=3, crop=64, shifted=0.0)


def test_a_batch_depends_on_its_seed_alone(photos: list[Path]) -> None:
    first, second = (draw_batch([photos], SMALL, np.random.default_rng([7, 3])) for _ in range(2))
    assert torch.equal(first.pictures, second.pictures)
    assert torch.equal(first.quality, second.quality)
    other = draw_batch([photos], SMALL, np.random.default_rng([7, 4]))
    assert not torch.equal(first.pictures, other.pictures)


def test_a_batch_has_the_shapes_it_promises(photos: list[Path]) -> None:
    batch = draw_batch([photos], SMALL, np.random.default_rng(1), step=5)
    assert batch.pictures.shape == (3, 3, 3, 64, 64)
    assert batch.targets.shape == (3, 3, 8, 8, 8)
    assert batch.damage.shape == (3, 3, 1, 8, 8)
    assert batch.worse.shape == (3, 3, 3)
    assert batch.quality.shape == (3, 3)
    assert batch.step == 5
    assert not batch.quality[:, 0].any()
    assert bool((batch.quality[:, 1:] <= 0).all())


def test_sets_take_photographs_from_each_list_in_turn(photos: list[Path]) -> None:
    settings = SetSettings(sets=2, versions=2, crop=64, shifted=0.0)
    one, other = [photos[0]], [photos[1]]
    mixed = draw_batch([one, other], settings, np.random.default_rng(2))
    alone = draw_batch([one, one], settings, np.random.default_rng(2))
    assert torch.equal(mixed.pictures[0], alone.pictures[0])
    assert not torch.equal(mixed.pictures[1], alone.pictures[1])


def test_shifted_versions_are_a_pixel_apart_at_most(photos: list[Path]) -> None:
    settings = SetSettings(sets=1, versions=8, crop=64, shifted=1.0)
    batch = draw_batch([photos], settings, np.random.default_rng(0))
    still = draw_batch([photos], SetSettings(sets=1, versions=8, crop=64, shifted=0.0), np.random.default_rng(0))
    inner, best = batch.pictures[0, 0, :, 1:-1, 1:-1], still.pictures[0, 0]
    places = [best[:, 1 + y : 63 + y, 1 + x : 63 + x] for y in (-1, 0, 1) for x in (-1, 0, 1)]
    assert min(float((inner - place).abs().max()) for place in places) < 1e-6


def test_an_order_is_certain_only_where_the_versions_lie_further_and_further_from_the_photograph(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blur hides noise, so a noisy photograph that is blurred too is not certainly the worse one."""
    found: list[OrderedSet] = []

    def hiding(picture: torch.Tensor, versions: int, rng: np.random.Generator, **_: object) -> OrderedSet:
        noise = torch.from_numpy(rng.normal(0, 0.3, picture.shape)).float()
        noisy = (picture + noise).clamp(0, 1)
        hidden = F.avg_pool2d(noisy[None], 3, stride=1, padding=1, count_include_pad=False)[0]
        gone = torch.full_like(picture, 0.5)
        made = draw_ordered_set(picture, versions, rng, kind="ladder")
        found.append(replace(made, pictures=torch.stack([noisy, hidden, gone])))
        return found[-1]

    monkeypatch.setattr(batches, "draw_ordered_set", hiding)
    batch = draw_batch([photos], SetSettings(sets=1, versions=3, crop=64, shifted=0.0), np.random.default_rng(0))
    assert bool(found[0].worse[0, 1])
    assert batch.worse[0].nonzero().tolist() == [[0, 2], [1, 2]]


@pytest.mark.parametrize("wrong", [{"sets": 0}, {"versions": 1}, {"crop": 100}, {"crop": 32}, {"smallest": 0.0}])
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        SetSettings(**wrong)  # type: ignore[arg-type]
