"""From a name to a model that can embed and score."""

from __future__ import annotations

import hashlib
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import shamisa_cli
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models.folder import ModelFolder, revision_of, save_probe
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.networks.model_folders import choose_device
from shamisa_cli.core.probe.ridge import Probe


def test_a_model_folder_without_a_probe_can_embed(model_folder: Path) -> None:
    model = load_model(str(model_folder), device="cpu")
    folder = ModelFolder.open(model_folder, EncoderConfig)
    revision = revision_of(folder.digest, folder.files)
    assert (model.name, model.revision, model.encoder_fingerprint) == ("tiny", revision, folder.fingerprint)
    assert model.probe is None
    features = model.encoder.embed(np.zeros((64, 48, 3), np.uint8))
    assert features.shape == (model.encoder.feature_length,)


def test_a_probe_beside_the_encoder_is_taken(model_folder: Path, probe: Probe) -> None:
    save_probe(model_folder, probe)
    loaded = load_model(str(model_folder), device="cpu").probe
    assert loaded is not None
    assert loaded.bias == probe.bias


def test_a_named_probe_goes_before_the_models_own(model_folder: Path, tmp_path: Path, probe: Probe) -> None:
    save_probe(model_folder, probe)
    save_probe(tmp_path / "mine", replace(probe, bias=42.0))
    loaded = load_model(str(model_folder), probe=str(tmp_path / "mine"), device="cpu").probe
    assert loaded is not None
    assert loaded.bias == 42.0


def test_a_probe_of_another_encoder_is_refused_with_both_fingerprints(
    model_folder: Path, tmp_path: Path, foreign_probe: Probe
) -> None:
    save_probe(tmp_path / "foreign", foreign_probe)
    with pytest.raises(ModelError) as caught:
        load_model(str(model_folder), probe=str(tmp_path / "foreign"))
    sentence = str(caught.value)
    assert "fitted on encoder c0ffee000000, and the encoder of tiny is" in sentence
    assert ModelFolder.open(model_folder, EncoderConfig).fingerprint[:12] in sentence
    assert "fit a probe for this one" in sentence


def test_other_preprocessing_makes_another_encoder(
    model_folder: Path, probe: Probe, edit_json: Callable[..., None]
) -> None:
    save_probe(model_folder, probe)
    config = ModelFolder.open(model_folder, EncoderConfig).config
    changed = replace(config, preprocessing=replace(config.preprocessing, view_size=256))
    edit_json(model_folder / "config.json", encoder=changed.to_json())
    with pytest.raises(ModelError, match="The probe was fitted on encoder"):
        load_model(str(model_folder))


def test_a_probe_of_another_length_is_refused(model_folder: Path, tmp_path: Path, probe: Probe) -> None:
    shorter = replace(
        probe, weights=probe.weights[:9], feature_mean=probe.feature_mean[:9], feature_scale=probe.feature_scale[:9]
    )
    save_probe(tmp_path / "short", shorter)
    with pytest.raises(ModelError, match="reads 9 features, but the encoder of tiny gives 2592"):
        load_model(str(model_folder), probe=str(tmp_path / "short"), device="cpu")


def test_a_model_without_the_probe_that_was_asked_for_says_so(model_folder: Path) -> None:
    with pytest.raises(ModelError, match="There is no probe in"):
        load_model(str(model_folder), probe=str(model_folder))


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "meta", ""])
def test_a_device_that_does_not_exist_is_explained(device: str, model_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"is not a device\. Use auto, cpu, cuda"):
        load_model(str(model_folder), device=device)


def test_a_device_that_is_not_in_this_machine_is_explained() -> None:
    with pytest.raises(ModelError, match="This machine has no device 'cuda:999'"):
        choose_device("cuda:999")


def test_auto_takes_a_device_that_computes() -> None:
    import torch

    assert (torch.ones(2, device=choose_device("auto")) * 2).sum().item() == 4
    assert choose_device("cpu") == torch.device("cpu")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, json, shamisa_cli; dir(shamisa_cli); print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert {"torch", "numpy", "huggingface_hub", "typer"}.isdisjoint(json.loads(output))


def test_public_names_are_those_of_their_homes() -> None:
    assert inspect.unwrap(shamisa_cli.load_model) is load_model  # inside the check of its arguments
    for name in shamisa_cli.__all__:
        assert name in dir(shamisa_cli)
        assert getattr(shamisa_cli, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = shamisa_cli.nonsense


# --- from the Hub ------------------------------------------------------------------------------------------------

LOAD = """
import hashlib, json, sys
import numpy as np
from shamisa_cli import load_model
pixels = (np.arange(64 * 48 * 3, dtype=np.uint32) * 2654435761 >> 24).astype(np.uint8).reshape(64, 48, 3)
model = load_model(**json.loads(sys.argv[1]), device="cpu")
features = model.encoder.embed(pixels)
score = model.probe.score(model.probe.predict(features[None]))
print(json.dumps([model.name, model.revision, hashlib.sha256(features.tobytes()).hexdigest(), *score]))
"""


@pytest.mark.slow
def test_a_model_and_a_probe_from_the_hub_are_the_local_ones_and_load_again_without_a_network(
    model_folder: Path, tmp_path: Path, probe: Probe, hub: Any, run_python: Callable[..., Any]
) -> None:
    save_probe(tmp_path / "probe", probe)
    local = run_python(LOAD, {"name": str(model_folder), "probe": str(tmp_path / "probe")})
    commit = hub.publish("org/model", model_folder)
    hub.publish("org/probe", tmp_path / "probe")
    names = {"name": "hf:org/model", "probe": "hf:org/probe"}
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home")}
    assert run_python(LOAD, names, **environment) == ["org/model", commit, *local[2:]]
    asked = len(hub.requests)
    assert run_python(LOAD, {**names, "offline": True}, **environment) == ["org/model", commit, *local[2:]]
    assert len(hub.requests) == asked


@pytest.mark.parametrize("what", ["load_model", "describe_model"])
def test_each_file_of_a_folder_is_hashed_once(model_folder: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from shamisa_cli.core import known_files
    from shamisa_cli.core.models import catalogue, loading

    hashed: list[str] = []
    counted = SimpleNamespace(
        file_digest=lambda stream, name: (hashed.append(Path(stream.name).name), hashlib.file_digest(stream, name))[1],
        sha256=lambda content: (hashed.append(f"{len(content)} bytes"), hashlib.sha256(content))[1],
    )
    monkeypatch.setattr(known_files, "hashlib", counted)

    getattr(loading if what == "load_model" else catalogue, what)(str(model_folder))

    assert "encoder.safetensors" in hashed
    assert len(hashed) == len(set(hashed))


def test_models_are_listed_for_a_user_without_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def homeless() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", homeless)
    assert "shamisa-lite2" in {entry.name for entry in shamisa_cli.installed_models()}
