from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from helpers.program import ENVIRONMENT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        "[tool.shamisa]\njobs = 1\nview-size = 640\nmodel = './models/ours'\n"
        "[tool.shamisa.gate]\nmin-score = 40\nbaseline = 'quality.json'\n"
    )
    (tmp_path / "shamisa.toml").write_text("jobs = 2\nmax-pixels = 5000000\n")
    return tmp_path


def holding(shamisa, folder: Path, **variables: str) -> dict[str, tuple[object, str]]:  # type: ignore[no-untyped-def]
    shown = shamisa("config", "-f", "json", cwd=folder, env=ENVIRONMENT | variables)
    assert shown.returncode == 0, shown.stderr
    settings = json.loads(shown.stdout)["settings"]
    return {one["name"]: (one["value"], Path(one["where"]).name if one["where"] else one["source"]) for one in settings}


def test_it_shows_what_holds_and_where_it_comes_from(shamisa, project: Path) -> None:  # type: ignore[no-untyped-def]
    held = holding(shamisa, project, SHAMISA_JOBS="3", SHAMISA_OFFLINE="1", SHAMISA_MODEL="")
    assert held["jobs"] == (3, "SHAMISA_JOBS")
    assert held["offline"] == (True, "SHAMISA_OFFLINE")
    assert held["max-pixels"] == (5_000_000, "shamisa.toml")
    assert held["gate.min-score"] == (40, "pyproject.toml")
    assert held["model"] == ("./models/ours", "pyproject.toml")
    assert held["recursive"] == (True, "default")
    assert held["gate.rules"] == ([], "default")

    table = shamisa("config", cwd=project)
    assert re.search(r"^gate\.min-score +40 ", table.stdout, re.MULTILINE)
    assert "Files read, lowest precedence first: pyproject.toml, shamisa.toml" in table.stdout


def test_every_variable_in_the_help_is_a_setting(shamisa, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / ".git").mkdir()
    held = holding(shamisa, tmp_path)
    names = ("model", "probe", "relational-model", "offline", "device", "jobs", "view-size", "format", "sort", "resize")
    for name in (*names, "skip-unreadable"):
        assert held[name][1] == "default"
    assert {name for name in held if "." in name} == {
        "gate.baseline", "gate.max-difference", "gate.max-drop", "gate.min-relational-score", "gate.min-score",
        "gate.rules", "gate.strict", "groups.burst-gap", "groups.similarity",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle = 'x'", "did you mean 'model'?"),
        ("jobs = 0", "jobs is 0"),
        ("jobs = 'many'", "jobs is 'many'"),
        ("offline = 'yes'", "must be true or false"),
        ("device = 'tpu'", "device is 'tpu'"),
        ("model = ['a']", "must be text or a number"),
        ("[gate]\nmin-score = 400", "gate.min-score is 400"),
    ],
)
def test_a_mistake_in_a_file_stops_every_command_but_help(shamisa, tmp_path: Path, text: str, said: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "shamisa.toml").write_text(text)
    shown = shamisa("score", "x.jpg", cwd=tmp_path)
    assert shown.returncode == 2
    assert said in shown.stderr
    assert "shamisa.toml" in shown.stderr
    assert "Traceback" not in shown.stderr
    assert shamisa("score", "--help", cwd=tmp_path).returncode == 0


def test_a_variable_that_is_no_setting_is_warned_of(shamisa, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shown = shamisa("config", cwd=tmp_path, env=ENVIRONMENT | {"SHAMISA_MIN_SCOR": "40"})
    assert shown.returncode == 0
    assert "SHAMISA_MIN_SCOR is not a setting and has no effect. Did you mean SHAMISA_MIN_SCORE?" in shown.stderr
    wrong = shamisa("config", cwd=tmp_path, env=ENVIRONMENT | {"SHAMISA_JOBS": "many"})
    assert wrong.returncode == 2
    assert "SHAMISA_JOBS is 'many'" in wrong.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files to others")
def test_a_file_of_another_user_is_said_to_be_ignored(shamisa, project: Path) -> None:  # type: ignore[no-untyped-def]
    file = project / "shamisa.toml"
    os.chown(file, 12_345, -1)
    shown = shamisa("config", "-f", "json", cwd=project)
    assert json.loads(shown.stdout)["ignored"] == [str(file)]
    assert shown.stderr.startswith(f"warning: ignored {file}, since another user owns it.")
    assert "Ignored, since another user owns them: shamisa.toml" in shamisa("config", cwd=project).stdout
    obeyed = shamisa("config", cwd=project, env=ENVIRONMENT | {"SHAMISA_SAFE_DIRECTORY": str(project)})
    assert obeyed.stderr == ""
    assert "Files read, lowest precedence first: pyproject.toml, shamisa.toml" in obeyed.stdout
