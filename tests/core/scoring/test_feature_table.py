from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.scoring.feature_formats import FeatureSource, FileStamp, portable
from shamisa_cli.core.scoring.feature_table import load_features, save_features

SUFFIXES = [".parquet", ".npz", ".safetensors"]
ORIGIN = FeatureSource("f" * 64, "tiny", {"view_size": 64, "mean": (0.5, 0.5, 0.5)})
FEATURES = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
STAMPS = [FileStamp(f"photos/گربه {number}.jpg", 10**10 + number, 1_700_000_000_123_456_789) for number in range(5)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_saved_in_blocks_comes_back_whole(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"features{suffix}"
    save_features(target, STAMPS, 3, [FEATURES[:2], FEATURES[2:]], ORIGIN)
    table = load_features(target)
    assert table.stamps == tuple(STAMPS)
    assert table.paths == tuple(stamp.path for stamp in STAMPS)
    assert table.features.dtype == np.float32
    assert np.array_equal(table.features, FEATURES)
    assert table.encoder_fingerprint == "f" * 64
    assert table.origin.matches(ORIGIN)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_can_be_empty(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"features{suffix}"
    save_features(target, [], 3, [], ORIGIN)
    assert load_features(target).features.shape == (0, 3)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", ["empty", "foreign", "half"])
def test_a_damaged_or_foreign_file_is_refused_with_its_name(tmp_path: Path, suffix: str, damage: str) -> None:
    target = tmp_path / f"features{suffix}"
    save_features(target, STAMPS, 3, [FEATURES], ORIGIN)
    whole = target.read_bytes()
    target.write_bytes({"empty": b"", "foreign": b"path,score\n" * 50, "half": whole[: len(whole) // 2]}[damage])
    with pytest.raises(ModelError, match=f"features{suffix} is damaged or was not written by shamisa embed"):
        load_features(target)


@pytest.mark.parametrize("member", ["features", "shamisa", "more"])
def test_an_npz_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path, member: str) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(f"{member}.npy", "w") as stream:
        for _ in range(20):
            stream.write(bytes(10_000_000))
    with pytest.raises(ModelError, match=r"bomb\.npz .*unpacks to 200 MB"):
        load_features(path)


def test_a_parquet_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    features = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(64_000_000, np.float32)), 32_000_000)
    pq.write_table(pa.table({"path": ["a", "b"], "size": [1, 2], "mtime": [1, 2], "features": features}), path)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ModelError, match=r"bomb\.parquet .*unpacks to 256 MB"):
        load_features(path)


def test_an_npz_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "features.npz"
    np.savez(target, shamisa=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError):
        load_features(target)


def test_features_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "features.npz"
    save_features(target, STAMPS[:1], 3, [np.full((1, 3), np.nan, np.float32)], ORIGIN)
    with pytest.raises(ModelError, match="not numbers"):
        load_features(target)


def test_tables_of_other_tools_can_be_told_by_the_message(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"\.parquet, \.npz, \.safetensors"):
        load_features(tmp_path / "features.csv")
    with pytest.raises(ModelError, match="There is no file"):
        load_features(tmp_path / "features.npz")


def test_a_safetensors_table_is_read_by_the_library_and_an_npz_by_numpy(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    save_features(tmp_path / "a.safetensors", STAMPS, 3, [FEATURES], ORIGIN)
    assert np.array_equal(load_file(tmp_path / "a.safetensors")["features"], FEATURES)
    save_features(tmp_path / "a.npz", STAMPS, 3, [FEATURES], ORIGIN)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert archive["paths"].tolist() == [stamp.path for stamp in STAMPS]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_name_that_is_not_unicode_can_be_kept(tmp_path: Path, suffix: str) -> None:
    stamp = FileStamp(portable(os.fsdecode(b"caf\xe9.jpg")), 1, 2)
    save_features(tmp_path / f"a{suffix}", [stamp], 3, [FEATURES[:1]], ORIGIN)
    assert load_features(tmp_path / f"a{suffix}").stamps == (stamp,)
