"""A model folder is either complete and unaltered, or refused with a sentence."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models.folder import ModelFolder, model_fingerprint, save_probe
from shamisa_cli.core.models.probe_files import read_probe
from shamisa_cli.core.networks.model_folders import load_encoder, save_encoder
from shamisa_cli.core.probe.ridge import Probe

Edit = Callable[..., None]
CONFIG = EncoderConfig("mobilenet_v2", FeatureSpec(stages=(1, -1), moments=("mean", "std"), scales=(1.0,)))

finite = st.floats(0.1, 0.9, allow_nan=False)
configs = st.builds(
    EncoderConfig,
    st.sampled_from(["mobilenet_v2", "resnet18", "resnet50"]),
    st.builds(
        FeatureSpec,
        stages=st.lists(st.integers(-16, 16), min_size=1, max_size=5, unique=True).map(tuple),
        moments=st.sampled_from([("mean",), ("std",), ("mean", "std")]),
        scales=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=3, unique=True).map(tuple),
        crops=st.sampled_from([None, 5]),
        crop_size=st.integers(32, 512),
    ),
    st.builds(
        Preprocessing,
        view_size=st.none() | st.integers(32, 4096),
        mean=st.tuples(finite, finite, finite),
        std=st.tuples(finite, finite, finite),
    ),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


def stub_folder(folder: Path, config: EncoderConfig = CONFIG) -> Path:
    """A folder that is whole as far as checksums go, with four bytes for weights."""
    folder.mkdir(exist_ok=True)
    (folder / "encoder.safetensors").write_bytes(b"1234")
    entries = {
        "schema": 1,
        "library_name": "shamisa",
        "name": "stub",
        "license": "Apache-2.0",
        "origin": "",
        "encoder": config.to_json(),
        "files": {"encoder.safetensors": hashlib.sha256(b"1234").hexdigest()},
    }
    (folder / "config.json").write_text(json.dumps(entries))
    return folder


# --- what is saved comes back ------------------------------------------------------------------------------------


def test_a_saved_encoder_comes_back_to_the_bit(model_folder: Path, encoder_state: Mapping[str, Any]) -> None:
    encoder = load_encoder(ModelFolder.open(model_folder, EncoderConfig))
    assert encoder.config == CONFIG
    loaded = encoder.state()
    assert loaded.keys() == encoder_state.keys()
    assert all(np.array_equal(loaded[name], value) for name, value in encoder_state.items())


def test_the_record_says_what_the_model_is(model_folder: Path) -> None:
    model = ModelFolder.open(model_folder, EncoderConfig)
    assert (model.name, model.license, model.origin) == ("tiny", "Apache-2.0", "Random numbers.")
    assert (model_folder / "README.md").read_text() == "# tiny\n"


def test_the_json_is_readable_and_lists_the_hash_of_the_weights(model_folder: Path) -> None:
    text = (model_folder / "config.json").read_text()
    entries = json.loads(text)
    assert text == json.dumps(entries, indent=2, sort_keys=True) + "\n"
    digest = hashlib.sha256((model_folder / "encoder.safetensors").read_bytes()).hexdigest()
    assert entries["files"] == {"encoder.safetensors": digest}
    assert entries["schema"] == 1


def test_saving_twice_gives_the_same_fingerprint(
    model_folder: Path, tmp_path: Path, encoder_state: Mapping[str, Any]
) -> None:
    again = save_encoder(tmp_path / "again", CONFIG, encoder_state, name="other name", card="", origin="")
    assert again.fingerprint == ModelFolder.open(model_folder, EncoderConfig).fingerprint


def test_a_probe_comes_back_to_the_bit(tmp_path: Path, probe: Probe) -> None:
    save_probe(tmp_path / "probe", probe, trained_on="ten pictures", card="# a probe\n")
    loaded = read_probe(tmp_path / "probe")
    for name in ("weights", "feature_mean", "feature_scale"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(probe, name), strict=True)
    for name in ("bias", "alpha", "encoder_fingerprint"):
        assert getattr(loaded, name) == getattr(probe, name)
    np.testing.assert_array_equal(loaded.scale.positions, probe.scale.positions)
    np.testing.assert_array_equal(loaded.scale.scores, probe.scale.scores)
    assert json.loads((tmp_path / "probe" / "probe.json").read_text())["trained_on"] == "ten pictures"
    assert (tmp_path / "probe" / "README.md").read_text() == "# a probe\n"


def test_a_probe_saved_into_its_model_leaves_the_model_as_it_is(model_folder: Path, probe: Probe) -> None:
    before = {path.name: path.read_bytes() for path in model_folder.iterdir()}
    save_probe(model_folder, probe)
    after = {path.name: path.read_bytes() for path in model_folder.iterdir()}
    assert before.items() <= after.items()
    assert read_probe(model_folder).encoder_fingerprint == probe.encoder_fingerprint


def test_a_model_that_replaces_another_keeps_nothing_of_its_probe(
    model_folder: Path, encoder_state: Mapping[str, Any], probe: Probe
) -> None:
    save_probe(model_folder, probe)
    assert read_probe(model_folder).bias == probe.bias
    other = {key: value * 2 for key, value in encoder_state.items()}
    save_encoder(model_folder, CONFIG, other, name="one", card="", origin="")
    assert sorted(path.name for path in model_folder.iterdir()) == ["README.md", "config.json", "encoder.safetensors"]


def test_a_model_that_is_saved_again_keeps_what_was_fitted_on_it(
    model_folder: Path, encoder_state: Mapping[str, Any], probe: Probe
) -> None:
    save_probe(model_folder, probe)
    (model_folder / "README.md").write_text("a person's words")
    before = {path.name: path.read_bytes() for path in model_folder.iterdir()}
    again = save_encoder(model_folder, CONFIG, encoder_state, name="one", card="", origin="")
    assert {path.name: path.read_bytes() for path in model_folder.iterdir()} == before
    assert again.fingerprint == ModelFolder.open(model_folder, EncoderConfig).fingerprint
    (model_folder / "encoder.safetensors").write_bytes(b"damaged")
    save_encoder(model_folder, CONFIG, encoder_state, name="one", card="", origin="")
    assert ModelFolder.open(model_folder, EncoderConfig).fingerprint == again.fingerprint


def test_a_probe_of_another_encoder_is_not_saved_beside_this_one(model_folder: Path, foreign_probe: Probe) -> None:
    before = sorted((path.name, path.read_bytes()) for path in model_folder.iterdir())
    with pytest.raises(ModelError, match="fitted on encoder c0ffee000000, and the encoder in"):
        save_probe(model_folder, foreign_probe)
    assert sorted((path.name, path.read_bytes()) for path in model_folder.iterdir()) == before


@pytest.mark.parametrize("name", ["", "x" * 201, "red\x1b[31m", "two\nlines"])
def test_a_name_that_could_upset_a_terminal_is_not_saved(
    name: str, tmp_path: Path, encoder_state: Mapping[str, Any]
) -> None:
    with pytest.raises(ModelError, match="'name' must be a printable text"):
        save_encoder(tmp_path / "m", CONFIG, encoder_state, name=name, card="", origin="")
    assert not (tmp_path / "m").exists()


def test_diverged_weights_are_not_saved(tmp_path: Path, encoder_state: Mapping[str, Any]) -> None:
    name = "features.0.0.weight"
    broken = {**encoder_state, name: encoder_state[name] * float("nan")}
    with pytest.raises(ModelError, match=rf"'{name}' are not finite"):
        save_encoder(tmp_path / "m", CONFIG, broken, name="m", card="", origin="")
    assert not (tmp_path / "m").exists()


# --- an interruption leaves what was there -----------------------------------------------------------------------


def test_an_interruption_leaves_no_model_where_there_was_none(
    tmp_path: Path, encoder_state: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shamisa_cli.core.models.manifest.write_manifest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_encoder(tmp_path / "m", CONFIG, encoder_state, name="m", card="", origin="")
    assert not (tmp_path / "m").exists()


def test_an_interruption_leaves_the_earlier_model_and_probe(
    model_folder: Path, encoder_state: Mapping[str, Any], probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_probe(model_folder, probe)
    before = sorted((path.name, path.read_bytes()) for path in model_folder.iterdir())
    monkeypatch.setattr("shamisa_cli.core.models.manifest.write_manifest", interrupted)
    other = {name: value * 2 for name, value in encoder_state.items()}
    with pytest.raises(KeyboardInterrupt):
        save_encoder(model_folder, CONFIG, other, name="new", card="new", origin="new")
    with pytest.raises(KeyboardInterrupt):
        save_probe(model_folder, replace(probe, bias=9.0))
    assert sorted((path.name, path.read_bytes()) for path in model_folder.iterdir()) == before


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_weights_take_their_name_before_the_record_does(
    tmp_path: Path, encoder_state: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    rename = Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, to: (order.append(Path(to).name), rename(path, to))[1])
    save_encoder(tmp_path / "m", CONFIG, encoder_state, name="m", card="", origin="")
    assert order == ["encoder.safetensors", "README.md", "config.json"]


# --- a folder that is not whole is refused -----------------------------------------------------------------------


def test_tampered_weights_are_refused_before_they_are_parsed(model_folder: Path) -> None:
    weights = model_folder / "encoder.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"encoder\.safetensors is damaged or was altered: its SHA-256 begins"):
        ModelFolder.open(model_folder, EncoderConfig)


def test_a_pickle_in_place_of_weights_is_never_opened(model_folder: Path, tmp_path: Path, edit_json: Edit) -> None:
    proof = tmp_path / "executed"
    (model_folder / "model.pkl").write_bytes(pickle.dumps(Bomb(proof)))
    weights = model_folder / "encoder.safetensors"
    weights.write_bytes(pickle.dumps(Bomb(proof)))
    with pytest.raises(ModelError, match="damaged or was altered"):
        load_encoder(ModelFolder.open(model_folder, EncoderConfig))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    edit_json(model_folder / "config.json", files={"encoder.safetensors": digest})
    with pytest.raises(ModelError, match="is not a complete safetensors file"):
        load_encoder(ModelFolder.open(model_folder, EncoderConfig))
    assert not proof.exists()


class Bomb:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.proof),)


def test_truncated_weights_with_a_matching_hash_are_refused(model_folder: Path, edit_json: Edit) -> None:
    weights = model_folder / "encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    edit_json(model_folder / "config.json", files={"encoder.safetensors": digest})
    with pytest.raises(ModelError, match="is not a complete safetensors file"):
        load_encoder(ModelFolder.open(model_folder, EncoderConfig))


@pytest.mark.parametrize("missing", ["encoder.safetensors", "config.json"])
def test_a_missing_file_is_named(model_folder: Path, missing: str) -> None:
    (model_folder / missing).unlink()
    with pytest.raises(ModelError, match=missing):
        ModelFolder.open(model_folder, EncoderConfig)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_place_of_a_file_does_not_hang_the_program(model_folder: Path) -> None:
    for name in ("encoder.safetensors", "config.json"):
        (model_folder / name).unlink()
        os.mkfifo(model_folder / name)
        with pytest.raises(ModelError, match=rf"{name} is missing or not a plain file"):
            ModelFolder.open(model_folder, EncoderConfig)


@pytest.mark.parametrize(
    "name",
    ["../secret.safetensors", "/etc/x.safetensors", "a/b.safetensors", "a\\b.safetensors", "..", "", "x.bin", "x.pkl"],
)
def test_a_list_that_leads_out_of_the_folder_or_to_a_pickle_is_refused(
    tmp_path: Path, edit_json: Edit, name: str
) -> None:
    folder = stub_folder(tmp_path / "m")
    (tmp_path / "secret.safetensors").write_bytes(b"1234")
    digest = hashlib.sha256(b"1234").hexdigest()
    edit_json(folder / "config.json", files={"encoder.safetensors": digest, name: digest})
    with pytest.raises(ModelError, match="only the names of safetensors files in the same folder"):
        ModelFolder.open(folder, EncoderConfig)


def test_every_listed_file_is_checked(tmp_path: Path, edit_json: Edit) -> None:
    folder = stub_folder(tmp_path / "m")
    digest = hashlib.sha256(b"1234").hexdigest()
    edit_json(folder / "config.json", files={"encoder.safetensors": digest, "more.safetensors": digest})
    with pytest.raises(ModelError, match=r"more\.safetensors is missing"):
        ModelFolder.open(folder, EncoderConfig)
    (folder / "more.safetensors").write_bytes(b"1234")
    assert ModelFolder.open(folder, EncoderConfig).name == "stub"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 2}, "has schema 2, but this program reads schema 1. Upgrade shamisa"),
        ({"schema": ...}, "was not written by shamisa"),
        ({"schema": True}, "was not written by shamisa"),
        ({"library_name": "timm"}, "a model of a different library"),
        ({"files": {}}, "does not list encoder.safetensors"),
        ({"files": ["encoder.safetensors"]}, "does not list encoder.safetensors"),
        ({"files": {"encoder.safetensors": "abc"}}, "no SHA-256 of 64 lower-case hex digits"),
        ({"encoder": None}, "'encoder' must be an object"),
        ({"encoder": {"architecture": "vgg"}}, "The encoder's configuration is not complete"),
        ({"origin": 3}, "'origin' must be text"),
        ({"name": 3}, "'name' must be a printable text"),
    ],
)
def test_an_odd_record_is_refused_with_its_reason(
    tmp_path: Path, edit_json: Edit, changes: dict[str, Any], sentence: str
) -> None:
    folder = stub_folder(tmp_path / "m")
    edit_json(folder / "config.json", **changes)
    with pytest.raises(ModelError, match=sentence):
        ModelFolder.open(folder, EncoderConfig)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"schema": NaN}', "NaN is not a JSON number"),
        (b"[" * 200_000, "is not JSON"),
        (b'"' + b"x" * 1_000_000 + b'"', "is larger than 1000000 bytes"),
        (b"[1]", "was not written by shamisa"),
    ],
    ids=["empty", "not text", "NaN", "deeply nested", "too large", "a list"],
)
def test_a_record_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    folder = stub_folder(tmp_path / "m")
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        ModelFolder.open(folder, EncoderConfig)


@given(key=st.sampled_from(["schema", "library_name", "name", "license", "origin", "encoder", "files"]), value=anything)
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_a_record_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: Any
) -> None:
    folder = stub_folder(tmp_path_factory.getbasetemp() / "odd record")
    entries = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**entries, key: value}))
    assert_read_or_refused(folder)


@given(part=st.sampled_from(["features", "preprocessing"]), data=st.data(), value=anything)
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_an_encoder_configuration_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, part: str, data: st.DataObject, value: Any
) -> None:
    folder = stub_folder(tmp_path_factory.getbasetemp() / "odd configuration")
    entries = json.loads((folder / "config.json").read_text())
    key = data.draw(st.sampled_from([*entries["encoder"][part], "unknown"]))
    entries["encoder"][part][key] = value
    (folder / "config.json").write_text(json.dumps(entries))
    assert_read_or_refused(folder)


def assert_read_or_refused(folder: Path) -> None:
    try:
        model = ModelFolder.open(folder, EncoderConfig)
    except ModelError:
        return
    assert isinstance(model, ModelFolder)


def test_weights_of_another_architecture_are_refused_by_the_first_that_does_not_fit(
    tmp_path: Path, encoder_state: Mapping[str, Any]
) -> None:
    lacking = {name: value for name, value in encoder_state.items() if name != "features.5.conv.0.0.weight"}
    extra = {**encoder_state, "classifier.1.weight": encoder_state["features.0.0.weight"].clone()}
    reshaped = {**encoder_state, "features.0.0.weight": encoder_state["features.0.0.weight"][:8].clone()}
    for state, sentence in (
        (lacking, r"lack 'features\.5\.conv\.0\.0\.weight'"),
        (extra, r"have 'classifier\.1\.weight'"),
        (reshaped, r"'features\.0\.0\.weight' has shape \(8, 3, 3, 3\), and \(32, 3, 3, 3\) is needed"),
    ):
        save_encoder(tmp_path / "m", CONFIG, state, name="m", card="", origin="")
        with pytest.raises(ModelError, match=sentence):
            load_encoder(ModelFolder.open(tmp_path / "m", EncoderConfig))


def test_weights_that_are_no_finite_floats_are_refused(
    model_folder: Path, edit_json: Edit, encoder_state: Mapping[str, Any]
) -> None:
    from safetensors.torch import save_file

    name = "features.0.0.weight"
    weights = model_folder / "encoder.safetensors"
    for value, sentence in (
        (encoder_state[name] * float("inf"), "not finite"),
        (encoder_state[name].int(), "as torch.int32; floating-point weights are needed"),
    ):
        save_file({**encoder_state, name: value}, weights)
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        edit_json(model_folder / "config.json", files={"encoder.safetensors": digest})
        with pytest.raises(ModelError, match=sentence):
            load_encoder(ModelFolder.open(model_folder, EncoderConfig))


def test_stages_the_architecture_does_not_have_are_refused(tmp_path: Path, encoder_state: Mapping[str, Any]) -> None:
    config = replace(CONFIG, features=FeatureSpec(stages=(40,)))
    save_encoder(tmp_path / "m", config, encoder_state, name="m", card="", origin="")
    with pytest.raises(ModelError, match=r"stages \(40,\), which mobilenet_v2 does not have"):
        load_encoder(ModelFolder.open(tmp_path / "m", EncoderConfig))


# --- probes ------------------------------------------------------------------------------------------------------


def probe_parts(probe: Probe) -> dict[str, Any]:
    return {name: getattr(probe, name).copy() for name in ("weights", "feature_mean", "feature_scale")}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda parts: parts.pop("feature_mean"), "must hold weights, feature_mean, feature_scale"),
        (lambda parts: parts.update(more=parts["weights"]), "must hold weights"),
        (lambda parts: parts.update(weights=parts["weights"].astype(np.float32)), "'weights' is float32"),
        (lambda parts: parts.update(feature_mean=parts["weights"][:-1].copy()), "differ in length"),
        (lambda parts: parts.update(weights=parts["weights"][None].copy()), "differ in length"),
        (lambda parts: parts["weights"].__setitem__(3, np.nan), "not finite"),
        (lambda parts: parts["feature_scale"].__setitem__(3, 0.0), "must be at least 1e-30"),
        (lambda parts: parts.update({name: np.empty(0) for name in parts}), "float64 numbers are needed"),
        (lambda parts: parts.update(fitted=np.array([2.0, 1.0])), "not rising numbers"),
    ],
    ids=["missing", "extra", "float32", "length", "matrix", "NaN", "zero scale", "empty", "not sorted"],
)
def test_odd_tensors_of_a_probe_are_refused(
    tmp_path: Path, probe: Probe, edit_json: Edit, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    from safetensors.numpy import save_file

    save_probe(tmp_path, probe)
    parts = probe_parts(probe)
    change(parts)
    save_file(parts, tmp_path / "probe.safetensors")
    digest = hashlib.sha256((tmp_path / "probe.safetensors").read_bytes()).hexdigest()
    edit_json(tmp_path / "probe.json", files={"probe.safetensors": digest})
    with pytest.raises(ModelError, match=sentence):
        read_probe(tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 7}, "Upgrade shamisa"),
        ({"kind": "forest"}, "of kind 'forest'"),
        ({"encoder_fingerprint": "abc"}, "does not say which encoder"),
        ({"scale": 0}, "'scale' must be an object"),
        ({"scale": {"positions": [0, 1]}}, "'scores' must be a list of numbers"),
        ({"scale": {"positions": [0, 1], "scores": [2, 2]}}, "must rise or fall"),
        ({"bias": "0"}, "'bias' must be a finite number"),
        ({"bias": 10**400}, "'bias' must be a finite number"),
        ({"alpha": ...}, "'alpha' must be a finite number"),
        ({"alpha": -1}, "penalty must be 0 or more"),
        ({"clip": 0}, "above 0"),
        ({"clip": -1}, "above 0"),
        ({"interval": {"level": 0.9, "at": [0.5], "spread": [0.1], "below": 2, "above": -1}}, "interval is damaged"),
        ({"interval": {"level": 0.9, "at": [0.5], "spread": [0.1], "below": -1, "above": 2}}, "interval is damaged"),
        ({"interval": {"level": 1, "at": [0.5], "spread": [0.1], "below": 1, "above": 2}}, "interval is damaged"),
        ({"interval": {"level": 0.9, "at": [0.5], "spread": [-0.1], "below": 1, "above": 2}}, "interval is damaged"),
        ({"files": {"probe.safetensors": "0" * 64}}, "damaged or was altered"),
    ],
)
def test_an_odd_record_of_a_probe_is_refused(
    tmp_path: Path, probe: Probe, edit_json: Edit, changes: dict[str, Any], sentence: str
) -> None:
    save_probe(tmp_path, probe)
    edit_json(tmp_path / "probe.json", **changes)
    with pytest.raises(ModelError, match=sentence):
        read_probe(tmp_path)


def test_a_folder_without_a_probe_says_so(model_folder: Path, tmp_path: Path, probe: Probe) -> None:
    with pytest.raises(ModelError, match="There is no probe in"):
        read_probe(model_folder)
    save_probe(tmp_path / "probe", probe)
    with pytest.raises(ModelError, match="holds a probe and no encoder"):
        ModelFolder.open(tmp_path / "probe", EncoderConfig)


# --- fingerprints ------------------------------------------------------------------------------------------------


@given(configs)
@settings(max_examples=50, deadline=None)
def test_an_encoder_configuration_survives_json(config: EncoderConfig) -> None:
    again = EncoderConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert again == config
    assert model_fingerprint(again, "0" * 64) == model_fingerprint(config, "0" * 64)


@given(configs, configs, st.sampled_from(["0" * 64, "1" * 64]), st.sampled_from(["0" * 64, "1" * 64]))
@settings(max_examples=50, deadline=None)
def test_two_encoders_share_a_fingerprint_only_if_they_are_the_same(
    one: EncoderConfig, other: EncoderConfig, weights: str, other_weights: str
) -> None:
    same = (one, weights) == (other, other_weights)
    assert (model_fingerprint(one, weights) == model_fingerprint(other, other_weights)) is same


def test_a_whole_number_and_its_float_give_one_fingerprint() -> None:
    whole, fraction = (replace(CONFIG, features=FeatureSpec(scales=(one,))) for one in (1, 1.0))
    assert model_fingerprint(whole, "0" * 64) == model_fingerprint(fraction, "0" * 64)


def test_the_fingerprint_is_the_hash_of_what_is_documented() -> None:
    config = EncoderConfig()
    text = (
        '{"architecture":"mobilenet_v2","features":{"crop_size":224.0,"crops":null,"layer":"output","moments":["mean"],'
        '"scales":[1.0,0.5],"stages":[-1.0]},"preprocessing":{"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],'
        f'"version":1.0,"view_size":512.0}},"weights":"{"a" * 64}"}}'
    )
    assert model_fingerprint(config, "a" * 64) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "lists",
    [
        {"scales": tuple((number + 1) / 3000 for number in range(2000))},
        {"moments": ("mean",) * 5000},
        {"stages": tuple(range(-2000, 2000))},
    ],
)
def test_a_model_may_not_ask_for_thousands_of_readings_of_a_picture(lists):
    with pytest.raises(ModelError, match="at most"):
        FeatureSpec(**lists)


@pytest.mark.parametrize("lists", [{"scales": (1, 0.5, 1.0)}, {"moments": ("std", "std")}, {"stages": (-1, 0, -1)}])
def test_a_model_may_not_ask_for_the_same_numbers_twice(lists):
    with pytest.raises(ModelError, match="twice"):
        FeatureSpec(**lists)
