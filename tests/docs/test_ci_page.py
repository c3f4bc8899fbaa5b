"""docs/ci.md: its blocks run as they stand, with a clone, a commit and a wheel in place of the names in them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.packages import OF_A_NEW_ENVIRONMENT, REPOSITORY, build_wheel, need_an_index
from helpers.program import run_here

from shamisa_cli import __version__
from shamisa_cli.core.models.resolver import DEFAULT_MODEL

yaml = pytest.importorskip("yaml")
pytest.importorskip("pre_commit")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
]

PAGE = (REPOSITORY / "docs" / "ci.md").read_text(encoding="utf-8")
PHOTOS = REPOSITORY / "examples" / "photos"
GOOD, BAD = "cat.jpg", "astronaut_gaussian-blur.jpg"
"""Pictures above and below the minimum of 40 that the page sets."""
CLONE, COMMIT, WHEEL = "/path/to/a/clone", "COMMIT", f"shamisa-{__version__}-py3-none-any.whl"
"""Names on the page that stand for what a reader has."""
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "action.yml", ".pre-commit-hooks.yaml", "shamisa_cli")
IDENTITY = {f"GIT_{who}_{what}": "tester@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def blocks(section: str, language: str) -> list[str]:
    """The blocks of a language in a section of the page."""
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Clone:
    """A repository with this working tree, of whose models it has the default alone, as its one commit."""

    folder: Path
    commit: str

    def filled(self, text: str) -> str:
        """A text of the page with this clone's place and commit."""
        return text.replace(CLONE, str(self.folder)).replace(COMMIT, self.commit)


def git(folder: Path, *words: str) -> str:
    environment = {name: value for name, value in OF_A_NEW_ENVIRONMENT.items() if not name.startswith("GIT_")}
    environment |= IDENTITY | {"GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    need_an_index()
    folder = tmp_path_factory.mktemp("clone") / "shamisa"
    folder.mkdir()
    for name in (*SHIPPED, f"weights/{DEFAULT_MODEL}"):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "all of it")
    return Clone(folder, git(folder, "rev-parse", "HEAD"))


def in_shell(
    line: str, folder: Path, *, programs: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a line in a folder, as a step of a job in CI; `programs` is searched first."""
    environment = {**OF_A_NEW_ENVIRONMENT, **(variables or {})}
    environment["PATH"] = os.pathsep.join([str(programs), environment["PATH"]])
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", line]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def project(folder: Path) -> Path:
    """A folder with the pictures that the page's commands name."""
    for name in ("assets", "originals", "build", "drafts", "hero", "site/blog"):
        (folder / name).mkdir(parents=True)
        shutil.copy(PHOTOS / GOOD, folder / name)
    shutil.copy(PHOTOS / "coffee.jpg", folder / "site" / "blog" / "coffee.png")
    return folder


# --- commands and settings -------------------------------------------------------------------------------------------


def commands_of_the_page() -> list[list[str]]:
    lines = re.findall(r"^(?:- run: )?(shamisa .*)$", PAGE, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_the_commands_of_the_page_pass_on_good_pictures(tmp_path: Path) -> None:
    folder = project(tmp_path)
    found = commands_of_the_page()
    assert len(found) >= 5
    for words in found:
        done = run_here(*words, cwd=folder)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    assert {"quality.json", "quality.sarif", "quality.xml"} <= {path.name for path in folder.iterdir()}


def test_the_settings_of_the_page_are_settings(tmp_path: Path) -> None:
    (minimum,) = blocks("A gate in three lines", "toml")
    (rules,) = blocks("Rules for some of the files", "toml")
    folder = project(tmp_path)
    shutil.copy(PHOTOS / BAD, folder / "assets")
    (folder / "pyproject.toml").write_text(minimum)
    assert run_here("score", "assets", cwd=folder).returncode == 1
    (folder / "pyproject.toml").write_text(rules)
    assert run_here("score", "assets/cat.jpg", "--update-baseline", cwd=folder).returncode == 0
    (folder / "assets" / BAD).rename(folder / "drafts" / BAD)
    assert run_here("score", "assets", "drafts", cwd=folder).returncode == 0  # drafts are warned of
    shutil.copy(PHOTOS / "hopper.jpg", folder / "hero")
    strict = run_here("score", "hero", cwd=folder)
    assert strict.returncode == 1
    assert "hopper.jpg" in strict.stdout


# --- pre-commit ------------------------------------------------------------------------------------------------------

FROM_A_CLONE, FROM_A_WHEEL, INSTALLED = blocks("pre-commit", "yaml")


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path / "store", ignore_errors=True)  # 400 MB


def pre_commit(folder: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    git(folder, "add", ".")
    command = f"{shlex.quote(sys.executable)} -m pre_commit run"
    variables = {"PRE_COMMIT_HOME": str(folder.parent / "store")}
    return in_shell(command, folder, programs=programs, variables=variables)


def stops_a_bad_picture(configuration: str, folder: Path, programs: Path) -> None:
    """A commit of a good picture passes, and one with a bad picture beside it does not."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / ".pre-commit-config.yaml").write_text(configuration)
    shutil.copy(PHOTOS / GOOD, folder)
    good = pre_commit(folder, programs)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "Passed" in good.stdout
    shutil.copy(PHOTOS / BAD, folder)
    bad = pre_commit(folder, programs)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert f"{BAD} scores" in bad.stdout


def test_the_hook_of_a_clone_stops_a_bad_picture(clone: Clone, scratch: Path) -> None:
    stops_a_bad_picture(clone.filled(FROM_A_CLONE), scratch / "repository", scratch)


def test_the_hook_of_a_git_address_stops_a_bad_picture(clone: Clone, scratch: Path) -> None:
    text = clone.filled(FROM_A_CLONE.replace(CLONE, f"file://{CLONE}"))
    stops_a_bad_picture(text, scratch / "repository", scratch)


def test_the_hook_of_a_wheel_stops_a_bad_picture(clone: Clone, scratch: Path) -> None:
    wheel = build_wheel(clone.folder, scratch)
    assert wheel.name == WHEEL
    text = FROM_A_WHEEL.replace(f"/path/to/{WHEEL}", str(wheel))
    assert text != FROM_A_WHEEL
    stops_a_bad_picture(text, scratch / "repository", scratch)


# --- the action, and the lines that install --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """RUNNER_TEMP after the action's own installation."""
    folder = tmp_path_factory.mktemp("runner")
    _, install, _ = steps_of_the_action(clone)
    variables = {"RUNNER_TEMP": str(folder), "GITHUB_ACTION_PATH": str(clone.folder)}
    done = in_shell(install["run"], folder, programs=folder, variables=variables)
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder)  # 400 MB


def steps_of_the_action(clone: Clone) -> list[dict[str, Any]]:
    action = yaml.safe_load((clone.folder / "action.yml").read_text(encoding="utf-8"))
    return list(action["runs"]["steps"])


def test_the_action_checks_the_pictures_that_its_example_names(clone: Clone, installed: Path, tmp_path: Path) -> None:
    job = yaml.safe_load(blocks("GitHub", "yaml")[0])
    _, fetched, used = job
    assert used["uses"] == f"./{fetched['with']['path']}"
    folder = project(tmp_path)
    check = steps_of_the_action(clone)[-1]
    given = {"paths": used["with"]["paths"], "min-score": str(used["with"]["min-score"])}
    inputs = (expression.removeprefix("${{ inputs.").removesuffix(" }}") for expression in check["env"].values())
    variables = {name: given.get(each, "") for name, each in zip(check["env"], inputs, strict=True)}
    variables |= {"RUNNER_TEMP": str(installed), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    done = in_shell(check["run"], folder, programs=tmp_path, variables=variables)
    assert (done.returncode, done.stdout) == (0, "2 checked, all passed\n"), done.stderr
    shutil.copy(PHOTOS / BAD, folder / "assets")
    done = in_shell(check["run"], folder, programs=tmp_path, variables=variables)
    assert done.returncode == 1
    assert f"::error file=assets/{BAD}" in done.stdout
    variables |= {"INPUT_MIN_SCORE": "", "SHAMISA_MIN_SCORE": "1"}  # a variable of the job, and no input over it
    done = in_shell(check["run"], folder, programs=tmp_path, variables=variables)
    assert (done.returncode, done.stdout) == (0, "3 checked, all passed\n"), done.stderr


def test_the_hook_that_calls_an_installed_program_stops_a_bad_picture(installed: Path, tmp_path: Path) -> None:
    stops_a_bad_picture(INSTALLED, tmp_path / "repository", installed / "shamisa" / "bin")


INSTALLING, ALONE = (block.splitlines() for block in blocks("How to install it in CI", "sh"))


@pytest.mark.parametrize("line", INSTALLING)
def test_a_line_installs_a_program_that_scores(clone: Clone, installed: Path, tmp_path: Path, line: str) -> None:
    programs = installed / "shamisa" / "bin"
    quick = {"PIP_COMPILE": "0"}
    removed = in_shell("pip uninstall --quiet --yes shamisa", tmp_path, programs=programs)
    assert removed.returncode == 0, removed.stderr
    assert not (programs / "shamisa").exists()
    done = in_shell(clone.filled(line), tmp_path, programs=programs, variables=quick)
    assert done.returncode == 0, done.stderr
    scored = in_shell(f"shamisa score {shlex.quote(str(PHOTOS / GOOD))}", tmp_path, programs=programs)
    assert scored.returncode == 0, scored.stderr


@pytest.mark.parametrize("line", ALONE)
def test_a_line_puts_the_program_alone_on_the_path(clone: Clone, tmp_path: Path, line: str) -> None:
    tool = line.split()[0]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    places = ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR", "UV_TOOL_DIR", "UV_TOOL_BIN_DIR")
    variables = {name: str(tmp_path / ("bin" if "BIN" in name else "tools")) for name in places}
    done = in_shell(clone.filled(line), tmp_path, programs=tmp_path, variables=variables)
    assert done.returncode == 0, done.stderr
    scored = in_shell(f"shamisa score {shlex.quote(str(PHOTOS / GOOD))}", tmp_path, programs=tmp_path / "bin")
    shutil.rmtree(tmp_path / "tools")
    assert scored.returncode == 0, scored.stderr
