"""The hook in a scratch repository, run by the real pre-commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.program import ENVIRONMENT

yaml = pytest.importorskip("yaml")
pytest.importorskip("pre_commit")

REPOSITORY = Path(__file__).resolve().parents[2]
MANIFEST = REPOSITORY / ".pre-commit-hooks.yaml"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="pre-commit needs git"),
]


@pytest.fixture
def environment(tmp_path: Path, installed_program: Path) -> dict[str, str]:
    names = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
             {"NAME": "tester", "EMAIL": "tester@example.com"}.items()}  # fmt: skip
    kept = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("GIT_")}
    path = f"{installed_program / 'shamisa' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    home = {"PRE_COMMIT_HOME": str(tmp_path / "cache"), "GIT_CONFIG_GLOBAL": os.devnull, "PATH": path}
    return kept | names | home


@pytest.fixture
def scratch(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A repository whose configuration takes the hook as it is published, but for how it is installed."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    (hook,) = yaml.safe_load(MANIFEST.read_text())
    # The program that is already installed stands in for one of its own; docs/test_ci_page.py makes that.
    del hook["additional_dependencies"]
    local = {"repo": "local", "hooks": [hook | {"language": "system", "verbose": True}]}
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [local]}))
    (folder / "shamisa.toml").write_text("[gate]\nmin-score = 60\n")
    subprocess.run(["git", "init", "-q"], cwd=folder, env=environment, check=True)
    return folder


def committed(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    subprocess.run(["git", "add", "."], cwd=folder, env=environment, check=True)
    command = [sys.executable, "-m", "pre_commit", "run"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )


def test_the_manifest_is_valid_and_runs_one_process_at_a_time(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", str(MANIFEST)]
    assert subprocess.run(command, env=environment, check=False, timeout=60).returncode == 0
    (hook,) = yaml.safe_load(MANIFEST.read_text())
    assert hook["require_serial"] is True


def test_a_bad_picture_stops_the_commit_and_a_good_one_does_not(
    scratch: Path, environment: dict[str, str], example_photos: Path
) -> None:
    (scratch / "notes.txt").write_text("no picture")
    (scratch / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    shutil.copy(example_photos / "cat.jpg", scratch / "good cat.jpg")
    good = committed(scratch, environment)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "1 checked, all passed" in good.stdout

    shutil.copy(example_photos / "cat_white-noise.jpg", scratch / "bad.jpg")
    bad = committed(scratch, environment)
    assert bad.returncode == 1
    assert "2 checked: 1 failed" in bad.stdout
    assert "bad.jpg scores" in bad.stdout
    assert "good cat.jpg scores" not in bad.stdout
