"""Packages from an index, for tests that make environments of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from helpers.program import ENVIRONMENT

REPOSITORY = Path(__file__).resolve().parents[2]
OF_A_NEW_ENVIRONMENT: Mapping[str, str] = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"}
"""Variables for programs of other environments, which must not see this one's packages."""


def need_an_index() -> None:
    """Skip the test where pip reaches no index; after this, what cannot be installed is a failure."""
    if not _reached():
        pytest.skip("pip reaches no package index")


@cache
def _reached() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "hatchling"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def build_wheel(source: Path, folder: Path) -> Path:
    """The wheel of a clone, made in a folder."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def make_environment(folder: Path, *installed: str | Path) -> None:
    """Make a virtual environment with these requirements and what they need."""
    venv.create(folder, with_pip=True)
    command = [str(folder / "bin" / "pip"), "install", "--quiet", "--no-compile", *map(str, installed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
