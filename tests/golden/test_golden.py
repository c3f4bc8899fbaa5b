"""The program prints what it printed before: the cases of make.sh that compute nothing, against stored hashes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
COMPARE = [sys.executable, str(HERE / "compare.py")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("flock") is None, reason="make.sh needs flock, of util-linux")
def test_texts_are_as_they_were_stored(tmp_path: Path) -> None:
    sys.path.insert(0, str(HERE))
    try:
        from compare import HASHES, releases
    finally:
        sys.path.remove(str(HERE))
    if json.loads(HASHES.read_text())["releases"] != releases():
        pytest.skip("other releases of Typer, Click or Rich draw help pages otherwise")
    environment = {**os.environ, "PYTHON": sys.executable}
    subprocess.run([HERE / "make.sh", tmp_path / "out", HERE.parents[1], "texts"], env=environment, check=True)
    result = subprocess.run([*COMPARE, "--stored", tmp_path / "out"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + "If this is meant: tests/golden/compare.py --store OUT"


def test_a_comparison_passes_over_clocks_and_over_nothing_else(tmp_path: Path) -> None:
    for name, speed, score in (("old", 12.5, 40), ("same", 99, 40), ("other", 12.5, 41)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.jsonl").write_text(json.dumps({"crops_per_s": speed, "score": score}))
    assert subprocess.run([*COMPARE, tmp_path / "old", tmp_path / "same"], check=False).returncode == 0
    differing = subprocess.run([*COMPARE, tmp_path / "old", tmp_path / "other"], capture_output=True, check=False)
    assert differing.returncode == 1
    assert b"run.jsonl: differs in line 1" in differing.stdout
