"""A folder of 100,000 pictures: the first result comes soon, and a bar says how long the rest will take."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import ENVIRONMENT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processor time as Linux tells it"),
]

COUNT = 100_000
BAR = re.compile(rb"Scoring [^\r]*[1-9]\d*/100000[^\r]*\d+:\d\d:\d\d")
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 100,000 names of two small pictures."""
    folder = tmp_path_factory.mktemp("many")
    pictures = save_noise(folder / "two", [(96, 64)] * 2, blur=2)  # file systems take 65,000 names of one file
    (folder / "photos").mkdir()
    for number in range(COUNT):
        os.link(pictures[number % 2], folder / "photos" / f"IMG_{number:06}.jpg")
    return folder / "photos"


def seconds_to_first_line(path: Path) -> float:
    """Processor time of a process until the first line of its results is there."""
    command = [sys.executable, "-m", "shamisa_cli", "score", str(path), "-f", "jsonl", "--jobs", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith(b"{")
        fields = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()
        running.kill()
    return (int(fields[11]) + int(fields[12])) / TICKS


def test_the_first_result_comes_hardly_later_than_that_of_one_picture(many: Path) -> None:
    one = min(seconds_to_first_line(many / f"IMG_00000{number}.jpg") for number in (2, 3))
    assert min(seconds_to_first_line(many) for _ in range(2)) < 3 * one  # a start from kept bytecode is short


def test_a_bar_counts_and_estimates_the_time_left(many: Path) -> None:
    import pty

    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "shamisa_cli", "score", str(many), "-o", str(many.parent / "scores.csv")]
    variables = ENVIRONMENT | {"TERM": "xterm"}
    seen, latest = b"", time.monotonic() + 100
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=end, env=variables) as running:
        os.close(end)
        while not (shown := BAR.search(seen)) and time.monotonic() < latest:
            seen += os.read(terminal, 4096)
        running.kill()
    os.close(terminal)
    assert shown, seen[-500:]
