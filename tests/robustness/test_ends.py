"""A run that is told to end does so: at once, cleanly, and with the code that shells know."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from helpers.pictures import save_noise

PROGRAM = (sys.executable, "-m", "shamisa_cli")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.slow
def test_a_signal_leaves_no_temporary_file(tiny_model: Path, tmp_path: Path, number: signal.Signals) -> None:
    (photo,) = save_noise(tmp_path / "photos", [(1200, 800)])
    for copy in range(200):
        (tmp_path / "photos" / f"copy{copy}.jpg").hardlink_to(photo)
    output = tmp_path / "out" / "x.csv"
    run = subprocess.Popen(
        [*PROGRAM, "score", tmp_path / "photos", "--model", tiny_model, "-o", output, "--no-cache", "-j", "1"],
        stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, number, signal.SIG_DFL),  # also where the tests themselves ignore it
    )
    while not output.parent.exists() or not list(output.parent.iterdir()):
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(number)
    _, said = run.communicate(timeout=20)
    assert run.returncode == 128 + number
    assert not output.parent.exists()
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


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"], ["cull", "--help"], ["config"], ["doctor"]])
def test_letters_that_a_terminal_does_not_have_end_nothing(encoding: str, arguments: list[str]) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    run = subprocess.run([*PROGRAM, *arguments], capture_output=True, timeout=60, check=False, env=environment)
    assert run.returncode == 0
    assert b"Traceback" not in run.stderr


def in_shell(arguments: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """Run the program with its streams redirected as a shell does, and without a word of its own on a closed stream."""
    command = ["bash", "-c", f"exec {' '.join(PROGRAM)} {arguments} {redirection}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done


@pytest.mark.parametrize("redirection", [">&-", "<&- >&-", ">/dev/full", ">&- 2>&-"])
def test_results_that_cannot_be_written_are_a_sentence(redirection: str) -> None:
    done = in_shell("config", redirection)
    assert done.returncode == 2
    assert "2>&-" in redirection or "stdout" in done.stderr


@pytest.mark.parametrize("redirection", ["<&-", "2>&-", "2>/dev/full"])
def test_a_stream_that_is_not_needed_may_be_closed(tiny_model: Path, tmp_path: Path, redirection: str) -> None:
    save_noise(tmp_path / "photos", [(60, 40)])
    done = in_shell(f"score '{tmp_path / 'photos'}' --model '{tiny_model}' -f csv", redirection)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("arguments", ["serve --model MODEL", "score -"])
def test_a_closed_stdin_is_said_where_it_is_read(tiny_model: Path, arguments: str) -> None:
    done = in_shell(arguments.replace("MODEL", f"'{tiny_model}'"), "<&-")
    assert done.returncode == 2
    assert "is closed" in done.stderr


@pytest.mark.parametrize("arguments", ["config", "config -f json", "--help", "score --help", "models list"])
def test_a_reader_that_has_gone_is_141(arguments: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [*PROGRAM, *arguments.split()], stdout=writing, stderr=subprocess.PIPE, timeout=120, check=False
    )
    os.close(writing)
    assert run.returncode == 141
    assert b"Traceback" not in run.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_exit_code_whatever_a_library_makes_of_it(number: signal.Signals) -> None:
    code = (
        "import os, signal, sys, time\nfrom shamisa_cli.cli.ends import run_to_its_end\n"
        "signal.signal(int(sys.argv[1]), signal.SIG_DFL)\n"  # a job in the background ignores Ctrl-C
        "def program():\n"
        "    try:\n        os.kill(os.getpid(), int(sys.argv[1]))\n        time.sleep(20)\n"
        "    except KeyboardInterrupt:\n        raise SystemExit(2)\n"
        "run_to_its_end(program)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(int(number))], check=False)
    assert done.returncode == 128 + number


def test_a_user_without_a_home_folder_is_told_so_where_a_library_wants_one(tmp_path: Path) -> None:
    program = (
        "from shamisa_cli.cli.ends import run_to_its_end\n"
        "def program():\n"
        "    raise RuntimeError('Could not determine home directory.')\n"
        "run_to_its_end(program)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stderr) == (2, "error: This user has no home folder. Set HOME to one.\n")
