"""Versions of pristine photographs with pseudo-labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.probe.pseudo import PseudoSettings
from shamisa_cli.core.relational.difference.difference import difference
from shamisa_cli.core.training.probes.pseudo_labels import KINDS, SMALLER, pseudo_labels, smaller_copies, versions_of


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(3):
        coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    (folder / "3.png").write_bytes(b"not a picture")
    return sorted(folder.iterdir())


def test_versions_are_of_one_size_differ_and_come_again_with_the_same_seed(photos: list[Path]) -> None:
    pixels = decode(photos[0]).pixels
    first, again = (list(versions_of(pixels, 100, np.random.default_rng(4))) for _ in range(2))
    assert len(first) == len(KINDS) == 38
    assert all(version.shape == pixels.shape and version.dtype == np.uint8 for version in first)
    assert sum(bool((version != pixels).any()) for version in first) >= 34
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_ranks_follow_the_difference_and_unreadable_photographs_are_left_out(photos: list[Path]) -> None:
    encoder = load_model(DEFAULT_MODEL).encoder
    labels = pseudo_labels(encoder, photos, PseudoSettings(photos=4, versions=9), seed=1)
    assert set(labels.photo.tolist()) == {0, 1, 2}
    assert len(labels) == 3 * (9 + SMALLER)
    pixels = decode(photos[0]).pixels
    rng = np.random.default_rng([1, 0])
    made = list(versions_of(pixels, 9, rng)) + [enlarged for _, enlarged in smaller_copies(pixels, 512, rng)]
    changes = [difference(pixels, version).value for version in made]
    np.testing.assert_array_equal(np.argsort(changes), np.argsort(labels.rank[labels.photo == 0]))
    assert labels.targets.max() < 0


def test_smaller_copies_are_read_small_and_measured_at_the_size_of_the_photograph(photos: list[Path]) -> None:
    pixels = decode(photos[0]).pixels
    copies = [pair for seed in range(8) for pair in smaller_copies(pixels, 512, np.random.default_rng(seed))]
    for small, enlarged in copies:
        assert 40 <= max(small.shape) <= 0.75 * max(pixels.shape)
        assert enlarged.shape == pixels.shape
    by_side = sorted(copies, key=lambda pair: pair[0].shape)
    assert difference(pixels, by_side[0][1]).value > difference(pixels, by_side[-1][1]).value


def test_no_readable_photograph_is_an_error(photos: list[Path]) -> None:
    with pytest.raises(SettingError, match="None of the photographs"):
        pseudo_labels(load_model(DEFAULT_MODEL).encoder, photos[3:], PseudoSettings())
