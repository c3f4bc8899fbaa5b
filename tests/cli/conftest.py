"""A model folder made on the spot, pictures, and the program as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

Shamisa = Callable[..., "subprocess.CompletedProcess[str]"]

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("SHAMISA_", "GITHUB_"))} | {
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "100",
    "SHAMISA_CACHE": "0",
}


@pytest.fixture(scope="session")
def shamisa() -> Shamisa:
    """Run `shamisa` with the arguments in a process of its own; keywords go to subprocess.run."""

    def run(*arguments: str | Path, **settings: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "shamisa_cli", *map(str, arguments)]
        defaults = {"capture_output": True, "text": True, "env": ENVIRONMENT, "timeout": 120, "check": False}
        return subprocess.run(command, **(defaults | settings))  # type: ignore[call-overload,no-any-return]

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with four pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (80, 120, 3), dtype=np.uint8)
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2 * number)).save(folder / f"{number}.jpg", quality=95)
    return folder


@pytest.fixture(scope="session")
def installed_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which shamisa/bin/shamisa is the program under test."""
    folder = tmp_path_factory.mktemp("installed")
    program = folder / "shamisa" / "bin" / "shamisa"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m shamisa_cli "$@"\n')
    program.chmod(0o755)
    return folder
