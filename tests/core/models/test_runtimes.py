"""Which runtime a model gets, and what is said where there is none."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models.folder import ModelFolder, save_probe
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.networks.export.export_model import add_graph
from shamisa_cli.core.networks.model_folders import load_encoder, save_encoder
from shamisa_cli.core.probe.ridge import Probe


@pytest.fixture
def exported(model_folder: Path) -> Path:
    """A model folder with a graph."""
    add_graph(model_folder)
    return model_folder


def test_the_cpu_takes_the_graph_where_there_is_one(exported: Path) -> None:
    assert load_model(str(exported), device="cpu").encoder.runtime == "onnx"
    assert load_model(str(exported), device="cpu", runtime="torch").encoder.runtime == "torch"
    (exported / "encoder.onnx").unlink()
    with pytest.raises(ModelError, match=r"encoder\.onnx is missing"):
        load_model(str(exported), device="cpu")


def test_a_model_without_graph_takes_torch_and_says_how_to_get_one(model_folder: Path) -> None:
    assert load_model(str(model_folder), device="cpu").encoder.runtime == "torch"
    with pytest.raises(ModelError, match=r"tiny has no encoder\.onnx.*shamisa models export"):
        load_model(str(model_folder), runtime="onnx")


def test_without_onnxruntime_there_is_torch_and_a_word_on_what_to_install(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert load_model(str(exported), device="cpu").encoder.runtime == "torch"
    with pytest.raises(SettingError, match="pip install onnxruntime"):
        load_model(str(exported), runtime="onnx")


def test_exporting_without_onnx_says_what_to_install(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in model_folder.iterdir()}
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SettingError, match=r"pip install 'shamisa\[train\]'"):
        add_graph(model_folder)
    assert {path.name: path.read_bytes() for path in model_folder.iterdir()} == before


def test_an_unknown_runtime_is_explained(exported: Path) -> None:
    with pytest.raises(SettingError, match="The runtime is 'abacus'; it can be auto, torch, onnx"):
        load_model(str(exported), runtime="abacus")  # type: ignore[arg-type]


def test_the_graph_is_listed_and_the_probe_stays_valid(model_folder: Path, probe: Probe) -> None:
    save_probe(model_folder, probe)
    before = ModelFolder.open(model_folder, EncoderConfig)
    graph = add_graph(model_folder)
    listed = json.loads((model_folder / "config.json").read_text())["files"]
    assert listed["encoder.onnx"] == hashlib.sha256(graph.read_bytes()).hexdigest()
    assert ModelFolder.open(model_folder, EncoderConfig).fingerprint == before.fingerprint
    assert load_model(str(model_folder), device="cpu").probe is not None
    assert add_graph(model_folder).read_bytes() == graph.read_bytes()


def test_an_altered_graph_is_refused_before_it_is_parsed(exported: Path) -> None:
    graph = exported / "encoder.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"encoder\.onnx is damaged or was altered"):
        load_model(str(exported), device="cpu")


def test_a_graph_that_is_none_is_a_sentence(exported: Path, edit_json: Callable[..., None]) -> None:
    graph = exported / "encoder.onnx"
    graph.write_bytes(b"no graph")
    files = json.loads((exported / "config.json").read_text())["files"]
    edit_json(exported / "config.json", files={**files, "encoder.onnx": hashlib.sha256(b"no graph").hexdigest()})
    with pytest.raises(ModelError, match="cannot be used by ONNX Runtime"):
        load_model(str(exported), device="cpu")


def test_other_preprocessing_needs_another_graph(exported: Path, edit_json: Callable[..., None]) -> None:
    entries = json.loads((exported / "config.json").read_text())
    entries["encoder"]["preprocessing"]["mean"] = [0.5, 0.5, 0.5]
    edit_json(exported / "config.json", encoder=entries["encoder"])
    with pytest.raises(ModelError, match="made from a different encoder"):
        load_model(str(exported), device="cpu")


def test_a_new_encoder_in_the_folder_takes_the_old_graph_away(exported: Path) -> None:
    model = ModelFolder.open(exported, EncoderConfig)
    state = {key: value * 2 for key, value in load_encoder(model).state().items()}
    save_encoder(exported, model.config, state, name="tiny", card="# tiny\n", origin="Random numbers.")
    assert not (exported / "encoder.onnx").exists()
    assert load_model(str(exported), device="cpu").encoder.runtime == "torch"


def test_the_network_is_there_for_whoever_needs_it(exported: Path) -> None:
    model = load_model(str(exported), device="cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    assert model.network.runtime == "torch"
    assert model.network is model.network
    np.testing.assert_allclose(model.network.embed(pixels), model.encoder.embed(pixels), atol=1e-5)
