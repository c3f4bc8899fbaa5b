"""From exceptions to error messages and exit codes. No other module decides exit codes."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from shamisa_cli.cli.console import Console
from shamisa_cli.core.errors import ShamisaError

FINE = 0
GATE_FAILED = 1
TOOL_ERROR = 2
UNREADABLE = 3
INTERRUPTED = 130
PIPE_CLOSED = 141
"""Exit code that shells report for a program whose reader closed the pipe."""

ANSWERS = (typer.Exit, typer.Abort, typer.BadParameter)
"""Exceptions that control Typer; they are not errors of the program."""


def exit_code(*, failed: int, unreadable: int, skip_unreadable: bool) -> int:
    """Exit code of a completed run; a failed gate takes precedence over unreadable images."""
    if failed:
        return GATE_FAILED
    if unreadable and not skip_unreadable:
        return UNREADABLE
    return FINE


def with_exit_code(command: Callable[..., None], *, debug: bool) -> Callable[..., None]:
    """Wrap `command` so that an exception becomes a line on stderr and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except ANSWERS:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if debug:
                traceback.print_exc()
            raise typer.Exit(_explain(error)) from None

    return run


def _explain(error: BaseException) -> int:
    if isinstance(error, BrokenPipeError):
        # Python flushes stdout once more at its end, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    console = Console()
    if isinstance(error, KeyboardInterrupt):
        console.error("interrupted; outputs are complete or were not written.")
        return INTERRUPTED
    console.error(_sentence(error))
    return TOOL_ERROR


def _sentence(error: BaseException) -> str:
    if isinstance(error, ShamisaError):
        return " ".join(str(error).split("\n"))
    if isinstance(error, MemoryError):
        return "there is not enough memory. Try fewer --jobs, a smaller --view-size or smaller --max-pixels."
    if isinstance(error, OSError) and error.strerror:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return f"{where}{error.strerror}."
    summary = "".join(traceback.format_exception_only(error)).strip().split("\n")[-1]
    return f"this is a bug in shamisa ({summary}). Run the command again with --debug, and report what it shows."
