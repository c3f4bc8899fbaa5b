"""Numbers of a model near the ends of what a float can hold: refused with the file's name, or of no consequence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models import manifest
from shamisa_cli.core.models.direction_files import read_direction
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.models.probe_files import read_defects, read_probe
from shamisa_cli.core.models.resolver import bundled_folders
from shamisa_cli.core.relational.direction import image_statistics, pair_statistics
from shamisa_cli.core.relational.direction.head import DirectionHead, Seen

VALUES = [1e308, -1e308, 1e200, 1e31, -1e30, 5e-324, 1e-300, -5e-324]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The bundled model with a probe, defects and a direction, without its encoder."""
    bundled = next(path for path in bundled_folders().values() if (path / "direction.json").exists())
    for name in ("probe", "defects", "direction"):
        for suffix in (".json", ".safetensors"):
            shutil.copy(bundled / f"{name}{suffix}", tmp_path)
    return tmp_path


def leaves(entries: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of numbers in JSON values; of a list its first, second and last."""
    if isinstance(entries, dict):
        for key in entries.keys() - {"schema"}:
            yield from leaves(entries[key], (*place, key))
    elif isinstance(entries, list):
        for index in sorted({0, min(1, len(entries) - 1), len(entries) - 1} if entries else ()):
            yield from leaves(entries[index], (*place, index))
    elif isinstance(entries, int | float) and not isinstance(entries, bool):
        yield place


def changed(entries: Any, place: tuple[Any, ...], value: float) -> Any:
    if not place:
        return value
    copy = entries.copy()
    copy[place[0]] = changed(entries[place[0]], place[1:], value)
    return copy


def used(folder: Path, features: np.ndarray) -> None:
    """Compute all that a model's files say of some features. Raises FloatingPointError for what NumPy would warn of."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        probe, defects, head = read_probe(folder), read_defects(folder), read_direction(folder)
        assert defects is not None
        assert head is not None
        for row in features:
            position = probe.predict(row[None])
            probe.knows(row)
            probe.scale.mos(np.clip(position, 0, 1))
            probe.scale.position(np.array([3.0]))
            assert np.isfinite(probe.score_interval(float(position[0]), row) or 0).all()
            assert np.isfinite(defects.severities(row[None])).all()
        assert abs(compared(head, *features[:2])) <= 1


def refusal(folder: Path, features: np.ndarray) -> str:
    """What is said of the model's files; the folder's name where they can be used."""
    try:
        used(folder, features)
    except ModelError as error:
        return str(error)
    return str(folder)


def compared(head: DirectionHead, first: np.ndarray, second: np.ndarray) -> float:
    numbers = np.linspace(0, 1, image_statistics.count(), dtype=np.float32)
    a, b = Seen(first, numbers), Seen(second, numbers[::-1])
    return head.better(a, b, np.ones(pair_statistics.ODD), np.ones(pair_statistics.EVEN))


@pytest.fixture
def features(folder: Path) -> np.ndarray:
    length = len(read_probe(folder).weights)
    return np.random.default_rng(1).uniform(0, 0.2, (3, length)).astype(np.float32)


@pytest.mark.parametrize("value", VALUES)
def test_no_number_of_a_manifest_makes_a_result_that_is_none(folder: Path, features: np.ndarray, value: float) -> None:
    used(folder, features)
    for path in sorted(folder.glob("*.json")):
        text = path.read_text()
        entries = json.loads(text)
        for place in leaves(entries):
            path.write_text(json.dumps(changed(entries, place, value)))
            assert str(folder) in refusal(folder, features), place
        path.write_text(text)


@pytest.mark.parametrize("value", VALUES)
def test_no_number_of_a_tensor_makes_a_result_that_is_none(folder: Path, features: np.ndarray, value: float) -> None:
    for path in sorted(folder.glob("*.safetensors")):
        arrays, record = load_file(path), path.with_suffix(".json")
        whole, described = path.read_bytes(), record.read_text()
        for name, array in arrays.items():
            other = array.copy()
            with np.errstate(all="ignore"):
                other.flat[:: max(1, other.size // 3)] = value
            save_file({**arrays, name: other}, path)
            listed = json.loads(described)
            listed["files"][path.name] = manifest.sha256_of(path)
            record.write_text(json.dumps(listed))
            assert str(folder) in refusal(folder, features), name
        path.write_bytes(whole)
        record.write_text(described)


@pytest.mark.parametrize("key", ["mean", "std"])
@pytest.mark.parametrize("value", [1e308, 1e39, -1e39, 1e-39])
def test_pictures_are_not_normalised_by_such_numbers(tiny_model: Path, tmp_path: Path, key: str, value: float) -> None:
    shutil.copytree(tiny_model, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    entries = json.loads(path.read_text())
    entries["encoder"]["preprocessing"][key] = [value] * 3
    path.write_text(json.dumps(entries))
    with pytest.raises(ModelError, match="Normalisation" if (key, value) != ("mean", 1e-39) else "fit"):
        load_model(str(tmp_path / "model"))
