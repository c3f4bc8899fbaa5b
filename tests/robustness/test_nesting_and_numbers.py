"""Deep nesting, numbers of hundreds of digits, unknown homes and odd variables are refused by a sentence."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import ENVIRONMENT
from helpers.program import run_here as shamisa

LONG, LONGER = "9" * 400, "9" * 5000
"""More than a float holds, and more than Python reads."""
DEEP = "[" * 100_000


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save_noise(tmp_path / "photos", [(80, 60)] * 2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(*command: str | Path) -> str:
    done = shamisa(*command)
    assert done.returncode in (1, 2), done.stderr
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "text",
    [
        f"a = {DEEP}",
        "gate = " + "{a = " * 100_000,
        f"jobs = {LONGER}",
        f'[[gate.rules]]\nfiles = "*"\nmax-drop = {LONG}',
        f'[[gate.rules]]\nfiles = "*"\nmin-score = {LONG}',
        "[[gate.rules]]\nfiles = " + "[" * 200 + "]" * 200,
        'cache = true\ncache-dir = "~no-such-user/cache"',
        'model = "~no-such-user/model"',
    ],
    ids=lambda text: text[:30],
)
def test_settings(place: Path, text: str) -> None:
    (place / "shamisa.toml").write_text(text)
    said = refused("score", "photos")
    assert "shamisa.toml" in said or "~no-such-user" in said


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("option", ["--max-pixels", "--max-memory", "--view-size", "--jobs", "--min-score"])
@pytest.mark.parametrize("value", [LONGER, "1e400", f"-{LONG}", "nan", "~no-such-user/x", ""])
def test_options(tiny_model: Path, option: str, value: str) -> None:
    refused("score", "photos", "--model", tiny_model, option, value)


@pytest.mark.usefixtures("place")
def test_home_folders_of_nobody() -> None:
    for command in (["cache", "info", "--cache-dir"], ["score", "photos", "--model"], ["score"]):
        assert "~no-such-user" in refused(*command, "~no-such-user/x")


@pytest.mark.parametrize("number", [LONG, LONGER, "1e400", DEEP])
def test_baselines(tiny_model: Path, place: Path, number: str) -> None:
    run = ("score", "photos", "--model", tiny_model, "--baseline", "base.json")
    assert shamisa(*run, "--update-baseline").returncode == 0
    document = json.loads((place / "base.json").read_text())
    document["scores"][next(iter(document["scores"]))] = "NUMBER"
    (place / "base.json").write_text(json.dumps(document).replace('"NUMBER"', number))
    assert "is not a baseline" in refused(*run)


@pytest.mark.parametrize("number", [LONG, LONGER, "1e400", "nan"])
def test_ratings(tiny_model: Path, place: Path, number: str) -> None:
    (place / "mos.csv").write_text(f"image,mos\nphotos/0.jpg,1\nphotos/1.jpg,{number}\n")
    assert "mos.csv, line 3" in refused("evaluate", "--mos", "mos.csv", "--model", tiny_model)


@pytest.mark.parametrize("name", ["config.json", "probe.json"])
@pytest.mark.parametrize("text", [DEEP, f'{{"schema": {LONG}}}', f'{{"schema": {LONGER}}}', '{"schema": 1e400}'])
def test_models(tiny_model: Path, place: Path, name: str, text: str) -> None:
    model = place / "model"
    model.mkdir()
    for path in tiny_model.iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    (model / name).write_text(text)
    assert name in refused("score", "photos", "--model", model)


@pytest.mark.parametrize("key", ["mean", "std"])
def test_normalisation_by_numbers_that_are_no_floats(tiny_model: Path, place: Path, key: str) -> None:
    shutil.copytree(tiny_model, place / "model")
    config = json.loads((place / "model" / "config.json").read_text())
    config["encoder"]["preprocessing"][key] = [int(LONG), 0.5, 0.5]
    (place / "model" / "config.json").write_text(json.dumps(config))
    assert "config.json" in refused("score", "photos", "--model", place / "model")


@pytest.mark.parametrize("text", [DEEP, f'{{"action": "move", "from": {LONGER}, "to": "/x"}}'])
def test_journals(place: Path, text: str) -> None:
    (place / "shamisa-journal.jsonl").write_text(text + "\n")
    assert "is not a journal" in refused("cull", "--undo", ".")


@pytest.mark.parametrize("text", [DEEP, f'{{"steps": {LONGER}}}', f'{{"retention": {LONG}}}', '{"retention": 1e400}'])
def test_settings_of_training(place: Path, text: str) -> None:
    (place / "settings.json").write_text(text)
    refused("train", "--data", "photos", "--config", "settings.json", "-o", "run")


@pytest.mark.parametrize(
    "variables",
    [
        {"HF_HUB_DOWNLOAD_TIMEOUT": "abc"},
        {"HF_ENDPOINT": "http://[::1"},
        {"HF_ENDPOINT": "http://127.0.0.1:abc"},
        {"HF_ENDPOINT": "http://127.0.0.1:99999"},
        {"HF_HUB_ETAG_TIMEOUT": "1e3"},
    ],
)
@pytest.mark.parametrize(
    "command", [("models", "pull", "hf:a/b"), ("models", "list"), ("score", "x.jpg", "--model", "hf:a/b")]
)
def test_variables_of_the_hubs_client_that_cannot_be_read_are_said(
    tmp_path: Path, variables: dict[str, str], command: tuple[str, ...]
) -> None:
    (tmp_path / "x.jpg").touch()
    done = shamisa(*command, env={**ENVIRONMENT, "HF_HOME": str(tmp_path), **variables}, cwd=tmp_path)
    assert (done.returncode, "HF_" in done.stderr) == (2, True), done.stderr
    assert "bug" not in done.stderr


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    script = f'mkdir gone && cd gone && rmdir ../gone && exec "{sys.executable}" -m shamisa_cli score .'
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "does not exist any more" in done.stderr


@pytest.mark.parametrize("leads", ["gone.toml", "shamisa.toml"], ids=["nowhere", "itself"])
def test_settings_behind_a_link_that_leads_nowhere_are_not_left_out_in_silence(place: Path, leads: str) -> None:
    (place / "shamisa.toml").symlink_to(leads)
    assert "shamisa.toml is a link to what does not exist" in refused("score", "photos")


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket", "device", "link"])
@pytest.mark.parametrize("name", ["shamisa.toml", "pyproject.toml"])
def test_settings_that_are_not_a_file_are_not_left_out_in_silence(place: Path, name: str, kind: str) -> None:
    file = place / name
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
    else:
        file.symlink_to("/dev/null" if kind == "device" else "gone")
    said = refused("score", "photos")
    assert f"{name} is a" in said


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone can give a link away")
def test_a_link_of_another_user_that_leads_nowhere_stops_nobody(place: Path) -> None:
    (place / "shamisa.toml").symlink_to("gone.toml")
    os.chown(place / "shamisa.toml", 12345, 12345, follow_symlinks=False)
    assert shamisa("config").returncode == 0


@pytest.mark.parametrize("kind", ["device", "pipe", "huge", "folder"])
@pytest.mark.parametrize("name", ["shamisa.toml", "quality.json", "moved/shamisa-journal.jsonl"])
def test_files_without_an_end_are_not_read(place: Path, kind: str, name: str) -> None:
    file = place / name
    file.parent.mkdir(exist_ok=True)
    if kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        with file.open("wb") as stream:
            stream.truncate(2**40)
    if name.startswith("moved"):
        refused("cull", "--undo", "moved", "--apply")
    elif name == "quality.json":
        (place / "shamisa.toml").write_text('[gate]\nbaseline = "quality.json"\nmax-drop = 3\n')
        refused("score", "photos")
    else:
        refused("score", "photos")


@pytest.mark.parametrize("name", ["encoder.safetensors", "encoder.onnx", "probe.safetensors"])
def test_a_model_of_terabytes_is_refused_before_it_is_read(place: Path, tiny_model: Path, name: str) -> None:
    shutil.copytree(tiny_model, place / "model")
    os.truncate(place / "model" / name, 10**13)
    said = refused("score", "photos", "--model", "model")
    assert f"{name} is larger than" in said
