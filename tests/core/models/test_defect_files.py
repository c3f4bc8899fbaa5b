"""A defect probe in its model's folder, and the interval in a probe's file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.models.folder import ModelFolder, save_defects, save_probe
from shamisa_cli.core.models.hub import FOLDER_FILES
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.models.probe_files import read_defects, read_probe
from shamisa_cli.core.networks.model_folders import save_encoder
from shamisa_cli.core.probe.defects import DefectProbe
from shamisa_cli.core.probe.familiarity import Familiarity, Usual
from shamisa_cli.core.probe.intervals import Interval
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.session_parts import SessionLikeness

LENGTH = 2 * (16 + 1280)
INTERVAL = Interval(0.9, np.array([1.5, 0.1 + 3]), np.array([0.1 + 0.2, 1.0]), 2.0, 1 / 3)


@pytest.fixture
def defects(model_folder: Path) -> DefectProbe:
    rng = np.random.default_rng(0)
    return DefectProbe(
        groups=(*GROUPS, "colour"),
        weights=rng.normal(size=(8, LENGTH)),
        bias=rng.normal(size=8),
        feature_mean=rng.normal(size=LENGTH),
        feature_scale=rng.uniform(0.5, 2, LENGTH),
        floor=rng.uniform(0, 1, 7),
        encoder_fingerprint=ModelFolder.open(model_folder, EncoderConfig).fingerprint,
    )


def test_what_was_saved_tells_the_same(model_folder: Path, defects: DefectProbe) -> None:
    save_defects(model_folder, defects, trained_on="40 versions of 2 photographs")
    loaded = load_model(str(model_folder), device="cpu").defects
    assert loaded is not None
    features = np.random.default_rng(1).normal(size=(5, LENGTH)).astype(np.float32)
    np.testing.assert_allclose(loaded.severities(features), defects.severities(features), atol=1e-4)
    assert sorted(path.name for path in model_folder.glob("defects*")) == ["defects.json", "defects.safetensors"]
    assert {"defects.json", "defects.safetensors"} <= set(FOLDER_FILES)


def test_a_model_without_them_tells_none(model_folder: Path) -> None:
    assert read_defects(model_folder) is None
    assert load_model(str(model_folder), device="cpu").defects is None


def test_altered_weights_are_refused(model_folder: Path, defects: DefectProbe) -> None:
    save_defects(model_folder, defects)
    path = model_folder / "defects.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="damaged or was altered"):
        load_model(str(model_folder), device="cpu")


def test_those_of_another_encoder_are_refused(
    model_folder: Path, defects: DefectProbe, edit_json: Callable[..., None]
) -> None:
    with pytest.raises(ModelError, match="fitted on encoder c0ffee"):
        save_defects(model_folder, replace(defects, encoder_fingerprint="c0ffee" + "0" * 58))
    assert read_defects(model_folder) is None
    save_defects(model_folder, defects)
    edit_json(model_folder / "defects.json", encoder_fingerprint="c0ffee" + "0" * 58)
    with pytest.raises(ModelError, match="fitted on encoder c0ffee"):
        load_model(str(model_folder), device="cpu")


@pytest.mark.parametrize(
    "changes", [{"kind": "deep"}, {"groups": ["blur", "dust"]}, {"groups": None}, {"groups": ["blur"]}, {"files": {}}]
)
def test_a_record_that_makes_no_sense_is_refused(
    model_folder: Path, defects: DefectProbe, edit_json: Callable[..., None], changes: dict[str, Any]
) -> None:
    save_defects(model_folder, defects)
    edit_json(model_folder / "defects.json", **changes)
    with pytest.raises(ModelError, match="defects"):
        read_defects(model_folder)


def test_a_new_encoder_in_the_folder_leaves_none(
    model_folder: Path, defects: DefectProbe, encoder_state: Mapping[str, Any]
) -> None:
    save_defects(model_folder, defects)
    config = ModelFolder.open(model_folder, EncoderConfig).config
    other = {key: value * 2 for key, value in encoder_state.items()}
    save_encoder(model_folder, config, other, name="next", card="# next", origin="test")
    assert read_defects(model_folder) is None


def test_an_interval_survives_the_disk_to_the_last_digit(probe: Probe, tmp_path: Path) -> None:
    save_probe(tmp_path, replace(probe, interval=INTERVAL))
    found = read_probe(tmp_path).interval
    assert found is not None
    np.testing.assert_array_equal(found.at, INTERVAL.at)
    np.testing.assert_array_equal(found.spread, INTERVAL.spread)
    assert (found.level, found.below, found.above) == (0.9, 2.0, 1 / 3)


def test_sessions_and_familiarity_survive_the_disk(
    probe: Probe, tmp_path: Path, edit_json: Callable[..., None]
) -> None:
    rng = np.random.default_rng(3)
    length = len(probe.weights)
    likeness = SessionLikeness(("a", "b"), rng.normal(size=(2, length)).astype(np.float32), rng.normal(size=2))
    usual, grey = (Usual(rng.normal(size=2), rng.normal(size=(2, 2)), limit) for limit in (0.9, 1.1))
    familiarity = Familiarity(np.array([length - 5, 5]), usual, grey)
    whole = replace(
        probe,
        interval=INTERVAL,
        likeness=likeness,
        session_intervals=(INTERVAL, replace(INTERVAL, above=9.0)),
        familiarity=familiarity,
    )
    save_probe(tmp_path, whole)
    found = read_probe(tmp_path)
    assert found.familiarity is not None
    for read, written in zip(found.familiarity.kinds, (usual, grey), strict=True):
        np.testing.assert_array_equal(read.mean, written.mean)
        np.testing.assert_array_equal(read.whitening, written.whitening)
        assert read.limit == written.limit
    for features in rng.normal(size=(20, length)).astype(np.float32):
        assert found.knows(features) == whole.knows(features)
        assert found.score_interval(0.4, features) == whole.score_interval(0.4, features)
    assert {found.sessions_of(rng.normal(size=(40, length)).astype(np.float32))[0] for _ in range(20)} == {0, 1}
    for key, said in (("sessions", "sessions"), ("familiarity", "familiarity")):
        entries = json.loads((tmp_path / "probe.json").read_text())[key]
        edit_json(tmp_path / "probe.json", **{key: [1]})
        with pytest.raises(ModelError, match=said):
            read_probe(tmp_path)
        edit_json(tmp_path / "probe.json", **{key: entries})
    assert read_probe(tmp_path).session_intervals[1].above == 9.0


def test_a_probe_from_before_black_and_white_was_known_still_loads(probe: Probe, tmp_path: Path) -> None:
    usual = Usual(np.zeros(1), np.eye(1), 2.5)
    save_probe(tmp_path, replace(probe, familiarity=Familiarity(np.array([len(probe.weights)]), usual)))
    assert json.loads((tmp_path / "probe.json").read_text())["familiarity"].keys() == {"widths", "mean", "limit"}
    found = read_probe(tmp_path).familiarity
    assert found is not None
    assert (found.usual.limit, found.grey) == (2.5, None)


@pytest.mark.parametrize("grey", [[1], {"mean": [0.0]}, {"mean": [0.0, 1.0], "limit": 1.0}, None])
def test_a_damaged_check_of_black_and_white_is_said_in_a_sentence(
    probe: Probe, tmp_path: Path, edit_json: Callable[..., None], grey: object
) -> None:
    usual = Usual(np.zeros(1), np.eye(1), 2.5)
    save_probe(tmp_path, replace(probe, familiarity=Familiarity(np.array([len(probe.weights)]), usual, usual)))
    entries = json.loads((tmp_path / "probe.json").read_text())["familiarity"]
    edit_json(tmp_path / "probe.json", familiarity=entries | {"grey": grey})
    with pytest.raises(ModelError):
        read_probe(tmp_path)


def test_a_probe_from_before_there_were_intervals_still_loads(
    probe: Probe, tmp_path: Path, edit_json: Callable[..., None]
) -> None:
    save_probe(tmp_path, replace(probe, interval=INTERVAL))
    edit_json(tmp_path / "probe.json", interval=...)
    assert read_probe(tmp_path).interval is None


@pytest.mark.parametrize(
    "changes", [{"level": 2}, {"at": "1"}, {"at": [1.0]}, {"spread": [1, 10**400]}, {"below": None}, {"spread": [0, 1]}]
)
def test_an_interval_that_makes_no_sense_is_refused(
    probe: Probe, tmp_path: Path, edit_json: Callable[..., None], changes: dict[str, Any]
) -> None:
    save_probe(tmp_path, replace(probe, interval=INTERVAL))
    entries = json.loads((tmp_path / "probe.json").read_text())["interval"]
    edit_json(tmp_path / "probe.json", interval=entries | changes)
    with pytest.raises(ModelError):
        read_probe(tmp_path)
    edit_json(tmp_path / "probe.json", interval=[1, 2])
    with pytest.raises(ModelError, match="'interval' must be an object"):
        read_probe(tmp_path)


def test_an_interval_of_a_score_rises_and_stays_on_the_scale(probe: Probe) -> None:
    wide = replace(probe, interval=INTERVAL)
    for position in (-1.0, 0.0, 0.4, 1.0, 2.0):
        ends = wide.score_interval(position, np.zeros(LENGTH, np.float32))
        assert ends is not None
        low, high = ends
        assert 0 <= low <= wide.score(np.array(position)) <= high <= 100
    assert replace(probe, interval=None).score_interval(0.5, np.zeros(LENGTH, np.float32)) is None
