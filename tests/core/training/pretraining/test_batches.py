"""Training batches: layout, record and reproducibility."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from shamisa_cli.core.errors import SettingError, TrainingError
from shamisa_cli.core.graphs.crops import crop_table
from shamisa_cli.core.training.pretraining.batch_recipe import TrainingBatch
from shamisa_cli.core.training.pretraining.batches import BatchSettings, BatchStream
from shamisa_cli.core.training.random_crops import random_crop

SMALL = BatchSettings(samples=2, photos=2, scales=2, compositions=2, levels=3, crop=48)


@pytest.fixture(scope="module")
def photos(example_photos: Path) -> list[Path]:
    return [example_photos / f"{name}.jpg" for name in ("astronaut", "coffee", "rocket", "temple")]


def stream(photos: list[Path], settings: BatchSettings = SMALL, **changes: int) -> BatchStream:
    return BatchStream(photos, photos, settings, **{"seed": 7, "steps": 4, **changes})


def same(one: TrainingBatch, other: TrainingBatch) -> bool:
    return one.step == other.step and torch.equal(one.crops, other.crops)


def test_paper_settings_give_252_crops() -> None:
    assert BatchSettings().crops == 252


def test_crops_come_in_the_order_of_the_record(photos: list[Path]) -> None:
    batch = stream(photos).batch(0)
    assert batch.crops.shape == (SMALL.crops, 3, 48, 48)
    assert len(batch.nodes) == SMALL.crops
    assert batch.crops.min() >= 0
    assert batch.crops.max() <= 1
    assert batch.nodes.is_reference.sum() == 2 * 2 * 2
    assert batch.nodes.is_reference[:8].all()


def test_the_record_enumerates_photo_scale_composition_level_with_level_fastest() -> None:
    severities = torch.arange(12.0).view(2, 2, 3) / 3
    nodes = crop_table(severities, photos=2, scales=2)
    rows = list(zip(*(getattr(nodes, name).tolist() for name in nodes.__dataclass_fields__), strict=True))
    expected = [(b, r, s, -1, -1, 0.0) for b in range(2) for r in range(2) for s in range(2)] + [
        (b, r, s, c, level, pytest.approx(float(severities[b, c, level])))
        for b in range(2)
        for r in range(2)
        for s in range(2)
        for c in range(2)
        for level in range(3)
    ]
    assert rows == expected


def test_distorted_crops_resemble_their_own_reference(photos: list[Path]) -> None:
    """With the mildest severities a distorted crop is nearer to its own view than to any other."""
    settings = BatchSettings(samples=1, photos=3, scales=2, compositions=6, levels=2, crop=96)
    batch = stream(photos, settings).batch(1)
    nodes = batch.nodes
    references = batch.crops[nodes.is_reference]
    small = torch.nn.functional.avg_pool2d(batch.crops, 8).flatten(1)
    centred = torch.nn.functional.normalize(small - small.mean(dim=1, keepdim=True), dim=1)
    similarity = centred[len(references) :] @ centred[: len(references)].T
    own = (nodes.photo * 2 + nodes.scale)[len(references) :]
    assert (similarity.argmax(dim=1) == own).float().mean() > 0.8


def test_each_step_depends_only_on_seed_step_and_rank(photos: list[Path]) -> None:
    batch = stream(photos).batch(2)
    assert same(batch, stream(photos, start_step=1).batch(2))
    assert not torch.equal(batch.crops, stream(photos).batch(3).crops)
    assert not torch.equal(batch.crops, stream(photos, rank=1).batch(2).crops)
    assert not torch.equal(batch.crops, stream(photos, seed=8).batch(2).crops)


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_batches(photos: list[Path]) -> None:
    alone = list(stream(photos, start_step=1))
    assert [batch.step for batch in alone] == [1, 2, 3]
    for workers in (1, 2):
        loaded = list(DataLoader(stream(photos, start_step=1), batch_size=None, num_workers=workers))
        assert all(same(one, other) for one, other in zip(alone, loaded, strict=True))


def test_a_damaged_photograph_is_passed_over(photos: list[Path], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"not a photograph")
    batch = BatchStream([damaged, *photos[:2]], [], SMALL, seed=0, steps=1).batch(0)
    assert len(batch.crops) == SMALL.crops


def test_a_folder_of_damaged_photographs_stops_the_training(tmp_path: Path) -> None:
    damaged = [tmp_path / f"{index}.jpg" for index in range(3)]
    for path in damaged:
        path.write_bytes(b"")
    with pytest.raises(TrainingError, match=r"^0 of the 3 photographs"):
        BatchStream(damaged, [], SMALL, seed=0, steps=1).batch(0)


def test_too_few_photographs_are_refused_before_training(photos: list[Path]) -> None:
    with pytest.raises(SettingError, match="A batch needs 2 different pristine photographs and there are 1"):
        stream(photos[:1])


def test_one_retained_crop_without_any_spread_is_refused() -> None:
    with pytest.raises(SettingError, match="A single retained crop of 48 px"):
        replace(SMALL, retained=1)
    assert replace(SMALL, retained=1, crop=64).retained == 1


def test_real_photographs_are_used_at_the_share_asked_for(photos: list[Path], tmp_path: Path) -> None:
    settings = BatchSettings(samples=1, photos=1, scales=1, compositions=1, levels=1, crop=32, real_share=1.0)
    nowhere = [tmp_path / "absent.jpg"]
    batch = BatchStream(nowhere, photos, settings, seed=0, steps=1).batch(0)
    assert len(batch.crops) == 2


def test_crops_for_retention_alone_stand_outside_the_record(photos: list[Path]) -> None:
    settings = replace(SMALL, retained=3)
    batch = stream(photos, settings).batch(1)
    assert batch.retained.shape == (3, 3, 48, 48)
    assert len(batch.nodes) == len(batch.crops) == SMALL.crops
    assert torch.equal(batch.crops, stream(photos).batch(1).crops)
    few = BatchStream(photos[:2], [], settings, seed=7, steps=4).batch(1)
    assert few.retained.shape == (2, 3, 48, 48)


def test_a_recipe_gives_the_same_batch_in_whatever_process_it_is_followed(photos: list[Path]) -> None:
    recipe = stream(photos).recipe(2)
    elsewhere = pickle.loads(pickle.dumps(recipe))
    assert same(elsewhere.batch(), stream(photos).batch(2))
    assert sum(sample.views.numel() for sample in recipe.samples) < recipe.batch().crops.numel() / 4


def test_a_crop_of_a_scaled_photograph_is_cut_from_the_whole_of_it(photos: list[Path]) -> None:
    photo = Image.open(photos[1])
    crop = random_crop(photo, 0.5, 96, np.random.default_rng(3))
    size = tuple(round(side / 2) for side in photo.size)
    rng = np.random.default_rng(3)
    left, top = int(rng.integers(size[0] - 96 + 1)), int(rng.integers(size[1] - 96 + 1))
    whole = photo.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + 96, top + 96))
    assert np.abs(np.asarray(crop).astype(int) - np.asarray(whole)).max() <= 1


def test_a_photograph_too_small_for_the_scale_is_scaled_as_little_as_needed(photos: list[Path]) -> None:
    small = Image.open(photos[0]).resize((70, 110))
    assert random_crop(small, 0.5, 96, np.random.default_rng(0)).size == (96, 96)
