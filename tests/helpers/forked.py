"""The program in processes of its own that start at once: copies of one that has imported everything before.

They are killed, stopped and left behind like any process. What a start itself does is not shown by them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

PRELOADED = [
    "onnxruntime",
    "sklearn.linear_model",
    "shamisa_cli.cli.app",
    "shamisa_cli.cli.commands.score",
    "shamisa_cli.core.training.pretraining.step",
    "shamisa_cli.core.training.relational.task",
    "torchmetrics",
]
"""Imported once by the process of which the others are copies, since each would take seconds for it."""


PROGRAM = "from shamisa_cli.cli.app import main; main()"


def preload() -> None:
    """Let the process that the copies are made of import what they need, if it is not there yet."""
    from torch import multiprocessing

    multiprocessing.set_forkserver_preload(PRELOADED)  # type: ignore[attr-defined]


def begin_program(
    arguments: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None, said: Path | None = None
) -> Any:
    """Start `shamisa` with these arguments in a copy, as the leader of its own process group.

    Args:
        arguments: what is typed after `shamisa`.
        cwd: the folder it runs in.
        env: variables that are set beside those of the tests.
        said: a file for stdout and stderr; None: they are not kept.

    Returns:
        a multiprocessing.Process: `kill`, `pid`, `join(seconds)`, `exitcode` (None while it runs).
    """
    return _begun(PROGRAM, ["shamisa", *map(str, arguments)], str(cwd), dict(env or {}), str(said or os.devnull))


def begin_code(code: str, *arguments: str | Path, said: Path) -> Any:
    """Start a copy that runs Python code as `python -c` does; what it prints goes to the file `said`."""
    return _begun(code, ["-c", *map(str, arguments)], str(Path.cwd()), {}, str(said))


def _begun(*given: object) -> Any:
    preload()
    process = get_context("forkserver").Process(target=_run, args=given)
    process.start()
    return process


def _run(code: str, command: list[str], cwd: str, env: dict[str, str], said: str) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.update(env)
    with Path(os.devnull).open() as nothing, Path(said).open("a") as stream:
        for descriptor, file in enumerate((nothing, stream, stream)):
            os.dup2(file.fileno(), descriptor)
    with mock.patch.object(sys, "argv", command):
        exec(code, {"__name__": "__main__"})
