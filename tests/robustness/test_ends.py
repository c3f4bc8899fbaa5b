"""A run that is told to end does so: at once, cleanly, and with the code that shells know."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.pictures import save_noise

PROGRAM = (sys.executable, "-m", "shamisa_cli")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.slow
def test_a_signal_leaves_no_temporary_file(tiny_model: Path, tmp_path: Path, number: signal.Signals) -> None:
    save_noise(tmp_path / "photos", [(1200, 800)] * 200)
    output = tmp_path / "out" / "x.csv"
    run = subprocess.Popen(
        [*PROGRAM, "score", tmp_path / "photos", "--model", tiny_model, "-o", output, "--no-cache", "-j", "1"],
        stderr=subprocess.PIPE,
    )
    while not output.parent.exists() or not list(output.parent.iterdir()):
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(number)
    _, said = run.communicate(timeout=20)
    assert run.returncode == 128 + number
    assert list(output.parent.iterdir()) == []
    assert b"interrupted" in said
    assert b"Traceback" not in said


@pytest.mark.slow
def test_a_client_that_does_not_read_cannot_keep_a_server_alive(tiny_model: Path) -> None:
    server = subprocess.Popen(
        [*PROGRAM, "serve", "--model", tiny_model],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert server.stdin is not None
    request = json.dumps({"path": "x" * 4000}).encode() + b"\n"
    server.stdin.write(request * 10)
    server.stdin.flush()
    time.sleep(5)
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=30) in (0, 143)


def test_help_on_a_full_device_is_a_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run([*PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert run.returncode == 2
    assert b"Traceback" not in run.stderr
    assert b"No space left" in run.stderr


def test_a_reader_that_has_gone_is_141() -> None:
    photos = Path(__file__).resolve().parents[2] / "examples" / "photos"
    command = f"{' '.join(PROGRAM)} score '{photos}' -f csv --no-cache | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout.strip() == "141"
    assert "Traceback" not in run.stderr
