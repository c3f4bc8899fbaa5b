"""Fitting a direction: three sets of photographs, chances that hold on new ones, and measurements that are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.arrays import FeatureVector, Pixels
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.relational.direction import image_statistics, pair_statistics
from shamisa_cli.core.relational.direction.head import Seen
from shamisa_cli.core.scoring import provenance
from shamisa_cli.core.training.direction import fit
from shamisa_cli.core.training.direction.material import make_pairs, origin_of
from shamisa_cli.core.training.direction.pairs import DirectionPairs, read_pairs, write_pairs

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


def test_measurements_by_another_way_of_reading_other_packages_or_another_graph_are_not_those_of_this_fit(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(str(tiny_model), device="cpu", runtime="onnx")
    assert model.folder is not None
    origins = [origin_of(model), origin_of(replace(model, folder=replace(model.folder, digest="of another graph")))]
    origins.append(origin_of(load_model(str(tiny_model), device="cpu", runtime="torch")))
    for name, value in (("READING", 99), ("_version", lambda package: "99.9" if package == "scipy" else "1")):
        with monkeypatch.context() as patched:
            patched.setattr(provenance, name, value)
            origins.append(origin_of(model))
    assert len(set(origins)) == 5
    assert origin_of(model) == origins[0]


DAMAGED: dict[str, Callable[[DirectionPairs], DirectionPairs]] = {
    "a version that is not there": lambda pairs: replace(pairs, first=pairs.first + len(pairs.features)),
    "a version before the first": lambda pairs: replace(pairs, second=pairs.second - len(pairs.features)),
    "too few orders": lambda pairs: replace(pairs, better=pairs.better[:-1]),
    "too few statistics": lambda pairs: replace(pairs, statistics=pairs.statistics[:-1]),
    "one number for a row": lambda pairs: replace(pairs, weight=np.float32(1)),
    "a row for a table": lambda pairs: replace(pairs, odd=pairs.odd[:, 0]),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_measurements_that_do_not_fit_together_are_measured_again(
    tmp_path: Path, damage: Callable[[DirectionPairs], DirectionPairs]
) -> None:
    pairs = pairs_of(0)
    write_pairs(tmp_path / "whole.npz", pairs)
    assert read_pairs(tmp_path / "whole.npz") is not None
    write_pairs(tmp_path / "damaged.npz", damage(pairs))
    assert read_pairs(tmp_path / "damaged.npz") is None
