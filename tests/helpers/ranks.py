"""Several processes on this machine that train together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

TESTS = str(Path(__file__).resolve().parents[1])
"""From where `helpers` can be imported."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_ranks(script: str, folder: Path, size: int) -> None:
    """Run a script with a folder as its argument in `size` processes of one thread, as torchrun starts them."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(size)}
    place["PYTHONPATH"] = os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")])
    processes = [
        subprocess.Popen(
            [sys.executable, script, folder],
            env={**os.environ, **place, "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    ends = [(process.communicate()[1], process.returncode) for process in processes]
    assert all(code == 0 for _, code in ends), "\n".join(said for said, _ in ends)
