from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from helpers.killing import KilledError, killed_after

from shamisa_cli.core import atomic
from shamisa_cli.core.atomic import TEMPORARY
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.records import JobResult
from shamisa_cli.core.scoring import provenance
from shamisa_cli.core.scoring.feature_table import load_features
from shamisa_cli.core.scoring.pipeline import embed_files
from shamisa_cli.core.scoring.resumable import embed_to_file, feature_source


def run(model: Model, paths: list[Path], target: Path, *, kill_after: int | None = None) -> JobResult:
    """Embed in parts of two rows; raise KilledError when that many pictures are done."""
    return embed_to_file(
        model.encoder, paths, target, feature_source(model), advance=killed_after(kill_after), rows_per_part=2
    )


def expected(model: Model, paths: list[Path]) -> np.ndarray:
    return np.stack([item.features for item in embed_files(model.encoder, paths) if item.features is not None])


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".safetensors"])
def test_rows_are_the_features_of_the_readable_pictures_in_order(
    model: Model, photos: list[Path], broken: Path, tmp_path: Path, suffix: str
) -> None:
    target = tmp_path / f"out{suffix}"
    collected = run(model, [photos[1], broken, *photos[2:6]], target)
    table = load_features(target)
    assert table.paths == tuple(str(path) for path in [photos[1], *photos[2:6]])
    assert np.array_equal(table.features, expected(model, photos[1:6]))
    assert (collected.rows, collected.reused) == (5, 0)
    assert collected.unreadable == 1
    assert str(broken) in collected.errors[0]
    assert not (tmp_path / f".out{suffix}.parts").exists()


def test_pictures_that_are_there_and_unchanged_are_not_embedded_again(
    model: Model, photos: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "out.parquet"
    run(model, photos[:5], target)
    os.utime(photos[2], ns=(0, 0))
    collected = run(model, photos[::-1], target)
    assert (collected.rows, collected.reused) == (9, 4)
    assert np.array_equal(load_features(target).features, expected(model, photos[::-1]))
    assert run(model, photos, target).reused == 9


def test_what_a_table_loses_is_counted_and_nothing_named_loses_nothing(
    model: Model, photos: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "out.parquet"
    assert run(model, photos[:5], target).dropped == 0
    before = target.read_bytes()
    assert run(model, [], target) == JobResult(0, 0)
    assert target.read_bytes() == before
    os.utime(photos[0], ns=(0, 0))  # changed, not lost
    assert run(model, [*photos[:2], photos[7]], target).dropped == 3
    assert run(model, [*photos[:2], photos[7]], target).dropped == 0


def test_a_killed_run_leaves_no_target_and_goes_on_where_it_stopped(
    model: Model, photos: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "out.npz"
    with pytest.raises(KilledError):
        run(model, photos, target, kill_after=6)
    assert not target.exists()
    collected = run(model, photos, target)
    assert collected.reused in (4, 6)
    assert np.array_equal(load_features(target).features, expected(model, photos))
    assert not (tmp_path / ".out.npz.parts").exists()


def test_what_a_killed_run_was_writing_is_no_part(model: Model, photos: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out.npz"
    with pytest.raises(KilledError):
        run(model, photos, target, kill_after=5)
    (part, *_) = sorted((tmp_path / ".out.npz.parts").iterdir())
    part.rename(part.parent / f"{TEMPORARY}0123456789ab.safetensors")  # killed before it had its name
    atomic._remove_left_over.cache_clear()  # as in another process
    run(model, photos, target)
    assert np.array_equal(load_features(target).features, expected(model, photos))


@pytest.mark.parametrize(("what", "other"), [("READING", 99), ("_version", lambda _package: "99.9")])
def test_features_that_another_version_read_or_computed_are_made_anew(
    model: Model, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, other: object
) -> None:
    run(model, photos[:3], tmp_path / "out.npz")
    monkeypatch.setattr(provenance, what, other)
    assert run(model, photos[:3], tmp_path / "out.npz").reused == 0


def test_features_of_another_encoder_or_view_are_made_anew(model: Model, photos: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out.npz"
    run(model, photos[:3], target)
    collected = embed_to_file(model.encoder, photos[:3], target, feature_source(model, 96))
    assert collected.reused == 0
    assert load_features(target).origin.preprocessing["view_size"] == 96


def test_a_damaged_target_is_replaced(model: Model, photos: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out.npz"
    target.write_bytes(b"damaged")
    assert run(model, photos[:2], target).rows == 2
    assert len(load_features(target).paths) == 2
