"""What is read of a model after it was loaded is of the model that was loaded, wherever the program works by then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import shamisa_cli as shamisa
from shamisa_cli.core.encoder import onnx_encoder
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models.loading import Model, load_direction, load_model, load_relational_networks
from shamisa_cli.core.models.manifest import LISTS, read_manifest, sha256_of, write_manifest
from shamisa_cli.core.relational.direction.direction import LearnedDirection
from shamisa_cli.core.relational.judgement import RelationalNetworks

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
PICTURE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)


def other_model(folder: Path) -> None:
    """Turn a folder into one of another model of the same shape, with an honest list of its files."""
    for manifest, name in LISTS:
        if (folder / name).exists():
            arrays = {key: np.asarray(value * 1.05, value.dtype) for key, value in load_file(folder / name).items()}
            save_file(arrays, folder / name)
            entries = read_manifest(folder / manifest)
            entries["files"][name] = sha256_of(folder / name)
            write_manifest(folder / manifest, entries)


def of_tensors(model: Model) -> float:
    return float(shamisa.TensorScorer(model)(torch.from_numpy(PICTURE).permute(2, 0, 1) / 255))


def of_direction(model: Model) -> float:
    direction = load_direction(model)
    assert isinstance(direction, LearnedDirection)
    return float(direction.head.shared.sum())


def of_map(model: Model) -> float:
    return float(np.abs(shamisa.score_map(PICTURE, model).points).sum())


def of_networks(networks: RelationalNetworks) -> float:
    return networks.relate(PICTURE, PICTURE[::-1]).score


def of_scores(model: Model) -> float:
    return float(shamisa.score(PICTURE, model)[0].score or 0)


def of_a_large_picture(model: Model) -> float:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(onnx_encoder, "LARGE", PICTURE[..., 0].size - 1)
        return of_scores(model)


Load = Callable[[str], Any]
LATER: dict[str, tuple[str, Load, Callable[[Any], float]]] = {
    "the encoder on demand": ("shamisa-lite0", partial(load_model, on_demand=True, runtime="onnx"), of_scores),
    "the encoder in PyTorch on demand": (
        "shamisa-lite0",
        partial(load_model, on_demand=True, runtime="torch", device="cpu"),
        of_scores,
    ),
    "the graph of a map": ("shamisa-lite0", load_model, of_map),
    "the graph of a large picture": ("shamisa-lite0", load_model, of_a_large_picture),
    "the network of tensors": ("shamisa-lite0", load_model, of_tensors),
    "the direction": ("shamisa-lite2", load_model, of_direction),
    "the score of a pair": ("shamisa-relational", partial(load_relational_networks, runtime="onnx"), of_networks),
}
"""Everything that is read only when it is needed: a bundled model, how it is loaded, and what then reads it."""


@dataclass(frozen=True)
class Loaded:
    """A model that was loaded from a relative path, and the folder where it lay then."""

    folder: Path
    model: Any
    asked: Callable[[Any], float]
    expected: float

    def answer(self) -> float:
        return self.asked(self.model)


@cache
def expected(what: str) -> float:
    name, load, asked = LATER[what]
    return asked(load(name))


@pytest.fixture(params=LATER)
def loaded(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """A model in the folder here; there lies another one of the same name."""
    name, load, asked = LATER[request.param]
    folder = Path(shutil.copytree(WEIGHTS / name, tmp_path / "here" / "model"))
    shutil.copytree(WEIGHTS / name, tmp_path / "there" / "model")
    other_model(tmp_path / "there" / "model")
    monkeypatch.chdir(tmp_path / "here")
    return Loaded(folder, load("model"), asked, expected(request.param))


def test_a_model_stays_the_one_that_was_loaded_when_the_program_goes_to_another_folder(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "there")
    assert loaded.answer() == loaded.expected


def test_a_folder_that_was_replaced_since_gives_no_scores_under_the_name_of_the_model_that_was_loaded(
    loaded: Loaded, tmp_path: Path
) -> None:
    shutil.rmtree(loaded.folder)
    shutil.copytree(tmp_path / "there" / "model", loaded.folder)
    with pytest.raises(ModelError, match=r"replaced since the model was loaded.*Load the model again"):
        loaded.answer()


def test_a_folder_that_is_gone_by_then_is_named_in_a_sentence(loaded: Loaded) -> None:
    shutil.rmtree(loaded.folder)
    with pytest.raises(ModelError, match=str(loaded.folder)):
        loaded.answer()


def test_a_folder_that_was_copied_anew_with_the_same_content_is_no_other_model(loaded: Loaded) -> None:
    for file in [*loaded.folder.iterdir()]:
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)
    assert loaded.answer() == loaded.expected


def test_a_direction_that_came_after_loading_is_not_of_the_model_that_was_loaded(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(WEIGHTS / "shamisa-lite2", tmp_path / "model"))
    for name in ("direction.json", "direction.safetensors"):
        (folder / name).replace(tmp_path / name)
    model = load_model(str(folder))
    for name in ("direction.json", "direction.safetensors"):
        (tmp_path / name).replace(folder / name)
    assert not isinstance(load_direction(model), LearnedDirection)
    again = load_model(str(folder))
    assert isinstance(load_direction(again), LearnedDirection)
    assert again.revision != model.revision
