"""A relational model's folder is whole and unaltered, or refused with a sentence."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.manifest import FOLDER_FILES, FolderFiles
from shamisa_cli.core.networks.model_folders import load_networks, save_networks
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.relational.config import RelationalConfig

CONFIG = RelationalConfig()


@pytest.fixture(scope="module")
def model() -> RelationalModel:
    """Networks with random weights, also where they start from nothing."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        networks = RelationalModel(CONFIG).eval()
        for parameter in networks.distortion.head.parameters():
            parameter.add_(torch.randn_like(parameter) / 50)
        return networks


@pytest.fixture(scope="module")
def saved(model: RelationalModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read-only by convention, see `folder`."""
    target = tmp_path_factory.mktemp("relational") / "model"
    save_networks(target, CONFIG, model.state_dict(), name="tiny", card="# tiny\n", origin="Random numbers.")
    return target


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def change_weights(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Other weights under a hash that is right, as only someone who means it can make them."""
    path = folder / "relational.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)
    record = json.loads((folder / "relational.json").read_text())
    record["files"]["relational.safetensors"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "relational.json").write_text(json.dumps(record))


def test_what_was_saved_comes_back_frozen_and_says_the_same(folder: Path, model: RelationalModel) -> None:
    generator = torch.get_rng_state()
    loaded = load_networks(ModelFolder.open(folder, RelationalConfig))
    assert torch.equal(generator, torch.get_rng_state())
    assert loaded.config == CONFIG
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    state = loaded.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    a, b = torch.rand(2, 1, 3, 64, 80)
    # Laid out as the loaded networks are, since the kernels of another layout round otherwise.
    saved_networks = copy.deepcopy(model).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        before, after = saved_networks(a, b)[1], loaded(a, b)[1]
    torch.testing.assert_close(before, after)
    assert before.item() != 0


def test_the_record_names_the_model_and_lists_its_files(folder: Path) -> None:
    found = ModelFolder.open(folder, RelationalConfig)
    assert (found.name, found.license, found.origin) == ("tiny", "unknown", "Random numbers.")
    assert (folder / "README.md").read_text() == "# tiny\n"
    assert {path.name for path in folder.iterdir()} <= set(FOLDER_FILES)
    FolderFiles(folder).verify()
    record = json.loads((folder / "relational.json").read_text())
    digest = hashlib.sha256((folder / "relational.safetensors").read_bytes()).hexdigest()
    assert record["files"] == {"relational.safetensors": digest}
    assert record["kind"] == "relational"


def test_the_fingerprint_is_of_shape_and_weights_and_of_nothing_else(
    folder: Path, model: RelationalModel, tmp_path: Path
) -> None:
    same = save_networks(tmp_path / "b", CONFIG, model.state_dict(), name="other", card="", origin="")
    assert same.fingerprint == ModelFolder.open(folder, RelationalConfig).fingerprint
    state = model.state_dict()
    other = {name: value + 1 if index == 0 else value for index, (name, value) in enumerate(state.items())}
    assert save_networks(tmp_path / "c", CONFIG, other, name="x", card="", origin="").fingerprint != same.fingerprint


def test_a_damaged_file_is_refused(folder: Path) -> None:
    path = folder / "relational.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="damaged or was altered"):
        load_networks(ModelFolder.open(folder, RelationalConfig))


def test_a_file_cut_short_is_refused_even_under_its_own_hash(folder: Path) -> None:
    path = folder / "relational.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    record = json.loads((folder / "relational.json").read_text())
    record["files"]["relational.safetensors"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "relational.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="not a complete safetensors file"):
        load_networks(ModelFolder.open(folder, RelationalConfig))


def test_a_missing_tensor_is_named(folder: Path) -> None:
    change_weights(folder, lambda state: state.pop(min(state)))
    with pytest.raises(ModelError, match=r"does not fit the networks .* is missing"):
        load_networks(ModelFolder.open(folder, RelationalConfig))


def test_a_tensor_too_many_is_named(folder: Path) -> None:
    change_weights(folder, lambda state: state.update({"stranger": torch.zeros(2)}))
    with pytest.raises(ModelError, match="'stranger' does not belong there"):
        load_networks(ModelFolder.open(folder, RelationalConfig))


def test_a_tensor_of_another_shape_or_type_is_named(folder: Path, model: RelationalModel) -> None:
    name = next(name for name, value in model.state_dict().items() if value.ndim == 4)
    change_weights(folder, lambda state: state.update({name: torch.zeros(2, 3)}))
    with pytest.raises(ModelError, match=rf"{name}.* \(2, 3\), and torch.float32"):
        load_networks(ModelFolder.open(folder, RelationalConfig))
    change_weights(folder, lambda state: state.update({name: model.state_dict()[name].long()}))
    with pytest.raises(ModelError, match=rf"{name}.*int64"):
        load_networks(ModelFolder.open(folder, RelationalConfig))


def test_a_weight_that_is_no_number_is_refused_when_read_and_when_saved(
    folder: Path, model: RelationalModel, tmp_path: Path
) -> None:
    broken = {name: value.clone() for name, value in model.state_dict().items()}
    name = next(name for name, value in broken.items() if value.ndim == 4)
    broken[name].view(-1)[0] = torch.nan
    change_weights(folder, lambda state: state.update({name: broken[name]}))
    with pytest.raises(ModelError, match=f"{name}.*not finite"):
        load_networks(ModelFolder.open(folder, RelationalConfig))
    with pytest.raises(ModelError, match=f"{name}.*not finite"):
        save_networks(tmp_path / "new", CONFIG, broken, name="x", card="", origin="")
    assert not list((tmp_path / "new").glob("*"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 2}, "schema 2, but this program reads schema 1. Upgrade"),
        ({"schema": ...}, "no schema number"),
        ({"kind": "sideways"}, "of kind 'sideways'"),
        ({"networks": [1]}, "'networks' must be an object"),
        ({"networks": {"width": "wide"}}, "relational.json: .*width"),
        ({"name": "two\nlines"}, "'name' must be a printable text"),
        ({"origin": 7}, "'origin' must be text"),
        ({"files": {}}, "does not list relational.safetensors"),
        ({"files": {"../relational.safetensors": "0" * 64}}, "does not list relational.safetensors"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(
    folder: Path, edit_json: Callable[..., None], changes: dict[str, Any], words: str
) -> None:
    edit_json(folder / "relational.json", **changes)
    with pytest.raises(ModelError, match=words):
        load_networks(ModelFolder.open(folder, RelationalConfig))


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"not a relational model: there is no relational\.json"):
        load_networks(ModelFolder.open(tmp_path, RelationalConfig))
