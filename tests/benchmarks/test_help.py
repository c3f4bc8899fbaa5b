"""Every script in benchmarks/ and docs/ starts with the package as it is today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.program import run_script_here

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    path
    for folder in ("benchmarks", "docs", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "argparse" in path.read_text(encoding="utf-8")
]


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 10


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.relative_to(ROOT).as_posix())
def test_a_script_says_what_it_does_and_how_to_call_it(script: Path) -> None:
    shown = run_script_here(script, "--help")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"usage: {script.name}")
    options = re.findall(r"add_argument\(\s*\"(--[a-z0-9-]+)\"", script.read_text(encoding="utf-8"))
    assert [option for option in options if option not in shown.stdout] == []
