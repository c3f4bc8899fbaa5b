"""The workflow, the action and the Dockerfile, which run elsewhere: their commands, files and extras are there."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from helpers.pictures import save_small_examples
from helpers.program import run_here

yaml = pytest.importorskip("yaml")

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOW: dict[str, Any] = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
ACTION: dict[str, Any] = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
COMMANDS = [shlex.split(part) for step in STEPS if "run" in step for part in re.split(r"&&|\n", step["run"]) if part]
OF_THE_TESTS = {"pip", "pytest", "ruff", "mypy"}


def test_each_job_runs_on_three_systems_with_a_version_of_python_that_is_supported() -> None:
    lowest = tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split(".")))
    for job in WORKFLOW["jobs"].values():
        assert {name.partition("-")[0] for name in job["strategy"]["matrix"]["os"]} == {"ubuntu", "macos", "windows"}
        versions = [step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
        assert versions
        assert all(tuple(map(int, version.split("."))) >= lowest for version in versions)


@pytest.mark.parametrize("step", [*STEPS, *ACTION["runs"]["steps"]], ids=lambda step: step.get("uses") or step["run"])
def test_a_step_uses_a_version_or_runs_something(step: dict[str, Any]) -> None:
    assert ("uses" in step) != ("run" in step)
    assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "a/b@v1"))


@pytest.mark.slow
@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] == "shamisa"], ids=" ".join)
def test_a_command_of_the_workflow_works(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_small_examples(tmp_path / "examples" / "photos")
    monkeypatch.chdir(tmp_path)
    done = run_here(*words[1:])
    assert done.returncode == 0, done.stderr


def test_other_commands_are_those_of_the_tests_and_their_extras_exist() -> None:
    others = [words for words in COMMANDS if words[0] != "shamisa"]
    assert {words[0] for words in others} == OF_THE_TESTS
    extras = {extra for words in others for word in words for extra in re.findall(r"\.\[(.+)\]", word)}
    assert extras
    assert extras <= PROJECT["optional-dependencies"].keys()


def test_the_container_runs_the_program_without_being_root() -> None:
    words = [line.split() for line in DOCKERFILE.splitlines() if re.match(r"[A-Z]+ ", line)]
    (user,) = (rest[0] for name, *rest in words if name == "USER")
    assert user != "root"
    assert f"useradd --create-home {user}" in DOCKERFILE
    (entry,) = re.findall(r'^ENTRYPOINT \["(.+)"\]$', DOCKERFILE, re.MULTILINE)
    assert entry in PROJECT["scripts"]
    left_out = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv"} <= {line.strip("/") for line in left_out}
    assert not {"weights", "shamisa_cli", "README.md", "LICENSE"} & {line.strip("/") for line in left_out}
