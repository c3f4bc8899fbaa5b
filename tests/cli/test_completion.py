"""Completion by the Tab key in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")

ASK = """
eval "$(_SHAMISA_COMPLETE=source_bash shamisa)"
complete -p shamisa >/dev/null || exit 1
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shamisa_completion shamisa; echo "${COMPREPLY[*]}"; }
ask shamisa mod
ask shamisa models pu
ask shamisa score --min-s
ask shamisa score --format cs
ask shamisa score --model shamisa-li
ask shamisa models show shamisa-li
"""


def test_commands_options_choices_and_bundled_models_are_completed(tmp_path: Path) -> None:
    program = tmp_path / "shamisa"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m shamisa_cli "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    shown = subprocess.run(["bash", "-c", ASK], env=environment, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        "models",
        "pull push",
        "--min-score",
        "csv",
        "shamisa-lite0 shamisa-lite2",
        "shamisa-lite0 shamisa-lite2",
    ]
