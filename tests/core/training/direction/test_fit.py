"""Fitting a direction: three sets of photographs, chances that hold on new ones, and measurements that are kept."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.arrays import FeatureVector, Pixels
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.relational.direction import image_statistics, pair_statistics
from shamisa_cli.core.relational.direction.head import Seen
from shamisa_cli.core.training.direction import fit
from shamisa_cli.core.training.direction.material import make_pairs
from shamisa_cli.core.training.direction.pairs import DirectionPairs

FEATURES, VERSIONS, PHOTOS = 24, 12, 20


class Counting:
    """An encoder of mean and spread that counts what it embeds."""

    concurrent = False

    def __init__(self) -> None:
        self.count = 0

    def embed(self, pixels: Pixels) -> FeatureVector:
        self.count += 1
        values = pixels.reshape(-1, 3).astype(np.float32) / 255
        return np.concatenate([values.mean(axis=0), values.std(axis=0)])


def pairs_of(seed: int) -> DirectionPairs:
    """Pairs of photographs whose first feature is quality, amid noise; one order in ten is wrong."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((PHOTOS * VERSIONS, FEATURES)).astype(np.float32)
    first, second = (rng.integers(0, VERSIONS, (PHOTOS, 40)) + np.arange(PHOTOS)[:, None] * VERSIONS for _ in "ab")
    apart = first != second
    photo = np.broadcast_to(np.arange(PHOTOS)[:, None], first.shape)[apart]
    first, second = first[apart], second[apart]
    better = np.sign(features[second, 0] - features[first, 0]) * np.where(rng.random(len(first)) < 0.1, -1, 1)
    odd, even = (np.zeros((len(first), count), np.float32) for count in (pair_statistics.ODD, pair_statistics.EVEN))
    own = np.zeros((len(features), image_statistics.count()), np.float32)
    one = np.ones(len(first), np.float32)
    return DirectionPairs(features, own, first, second, better.astype(np.float32), one, photo, odd, even)


def test_photographs_are_for_the_fit_the_calibration_or_the_report_and_chances_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fit, "EPOCHS", 20)
    pairs = pairs_of(0)
    found = fit.fit_direction(pairs, "0" * 64)
    sets = [set(pairs.photo[part]) for part in (found.fitted, found.calibrated, found.reported)]
    assert all(sets)
    assert set.union(*sets) == set(range(PHOTOS))
    assert sum(map(len, sets)) == PHOTOS
    right = (found.chances * pairs.better > 0)[found.reported]
    assert right.mean() > 0.75
    assert fit.chances(found.head, pairs) == pytest.approx(found.chances, abs=1e-3)
    of_one = found.head.better(
        *(Seen(pairs.features[place], pairs.statistics[place]) for place in (pairs.first[0], pairs.second[0])),
        pairs.odd[0],
        pairs.even[0],
    )
    assert of_one == pytest.approx(found.chances[0], abs=1e-3)
    said = (1 + np.abs(found.chances[found.reported]).mean()) / 2
    assert said == pytest.approx(right.mean(), abs=0.12)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    """Two textures of 64 × 64."""
    paths = [tmp_path / "photos" / f"{seed}.png" for seed in range(2)]
    paths[0].parent.mkdir()
    for seed, path in enumerate(paths):
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(path)
    return paths


def test_what_was_measured_of_a_photograph_is_kept_and_not_measured_again(
    photographs: list[Path], tmp_path: Path
) -> None:
    encoder, store = Counting(), tmp_path / "store"
    first = make_pairs(encoder, "f", photographs, store=store)
    embedded = encoder.count
    assert embedded == len(first.features)
    assert set(first.photo) == {0, 1}
    moved = photographs[0].rename(tmp_path / "moved.png")
    again = make_pairs(encoder, "f", [moved, photographs[1]], store=store)
    assert encoder.count == embedded
    for each in fields(DirectionPairs):
        assert np.array_equal(getattr(first, each.name), getattr(again, each.name))
    make_pairs(encoder, "another encoder", [moved], store=store)
    assert encoder.count > embedded


def test_photographs_that_cannot_be_read_are_skipped(photographs: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    found = make_pairs(Counting(), "f", [broken, photographs[0]])
    assert set(found.photo) == {0}
    with pytest.raises(SettingError, match="None of the photographs"):
        make_pairs(Counting(), "f", [broken])
