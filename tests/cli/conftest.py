"""A model folder made on the spot, pictures, and the program, here or as a process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import Program, run_here, run_process


@pytest.fixture(scope="session")
def shamisa() -> Program:
    """Run `shamisa` with the arguments in this process, with streams, variables and a folder of its own."""
    return run_here


@pytest.fixture(scope="session")
def process() -> Program:
    """Run `shamisa` with the arguments in a process of its own, for what only a process can show."""
    return run_process


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with four pictures."""
    save_noise(tmp_path / "photos", [(120, 80)] * 4, blur=2)
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def installed_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which shamisa/bin/shamisa is the program under test."""
    folder = tmp_path_factory.mktemp("installed")
    program = folder / "shamisa" / "bin" / "shamisa"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m shamisa_cli "$@"\n')
    program.chmod(0o755)
    return folder
