"""Several processes on this machine that work together."""

from __future__ import annotations

import os
import runpy
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from helpers.forked import preload


def run_together(work: Callable[..., None], arguments: tuple[Any, ...], size: int) -> None:
    """Call `work(rank, *arguments)` in `size` processes of their own, and raise what one of them raises."""
    from torch import multiprocessing

    preload()
    multiprocessing.start_processes(work, arguments, nprocs=size, start_method="forkserver")  # type: ignore[no-untyped-call]


def run_ranks(script: str, folder: Path, size: int) -> None:
    """Run a script with a folder as its argument in `size` processes with the variables that torchrun sets."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(size)}
    run_together(_run_rank, (script, str(folder), place), size)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run_rank(rank: int, script: str, folder: str, place: Mapping[str, str]) -> None:
    os.environ.update(place, RANK=str(rank), LOCAL_RANK=str(rank))
    with mock.patch.object(sys, "argv", [script, folder]):
        runpy.run_path(script, run_name="__main__")
