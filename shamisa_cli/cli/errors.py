"""From exceptions to error messages and exit codes. No other module decides exit codes."""

from __future__ import annotations

import errno
import functools
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import typer

from shamisa_cli.cli.console import Console
from shamisa_cli.cli.ends import ENDED_BY_SIGNAL, PIPE_CLOSED, Ended, discard
from shamisa_cli.core.errors import Remedy, ShamisaError
from shamisa_cli.core.records import ErrorRecord

FINE = 0
GATE_FAILED = 1
TOOL_ERROR = 2
UNREADABLE = 3
INTERRUPTED = 130

ANSWERS = (typer.Exit, typer.Abort, typer.BadParameter)
"""Exceptions that control Typer; they are not errors of the program."""

REMEDIES: dict[Remedy, str] = {
    "derive-for-paper": "Derive a model with the same encoder that does, with: "
    "shamisa models derive {model} -o FOLDER --protocol paper",
    "folder-of-parts": "With --shard, let --output name a folder: each part is a separate file.",
    "go-on-after-loss": "; continue with --resume and the same number of processes.",
    "go-online": "Leave out --offline, or unset HF_HUB_OFFLINE.",
    "make-parts": "Make them with: shamisa score --shard.",
    "name-a-probe": "Name one with --probe, or fit one with: shamisa fit-probe.",
    "name-devices": "Use --device cuda or --device cpu.",
    "new-baseline": " and write it with --update-baseline.",
    "not-private": "Leave out --private, or name another repository.",
    "resize": "; --resize resamples the first to the second.",
    "rewrite-baseline": ", or write the baseline again with --update-baseline.",
    "score-with-torch": "Score with --runtime torch.",
    "score-with-torch-and-report": "Score this model with --runtime torch, and report this.",
    "take-torch": ", or use --runtime torch.",
    "take-torch-on": "For {device}, use --runtime torch.",
}
"""What core says is wrong, with the option that helps: a sentence of its own, or the rest of the last one."""


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
            raise typer.Exit(_explain(error, kwargs)) from None

    return run


def with_remedy(text: str, remedy: Remedy | None, about: Mapping[str, str] | None = None) -> str:
    """An error's text, followed by its remedy if there is one.

    Args:
        text: one or more sentences.
        remedy: as in `ShamisaError`.
        about: likewise.
    """
    if remedy is None:
        return text
    rest = REMEDIES[remedy].format(**about or {})
    return f"{text} {rest}" if rest[0].isupper() else text.removesuffix(".") + rest


def told(error: ErrorRecord | None) -> ErrorRecord | None:
    """The record with its remedy in its message, as results give it."""
    return error and replace(error, message=with_remedy(error.message, error.remedy), remedy=None)


def _explain(error: BaseException, given: Mapping[str, Any]) -> int:
    """Say on stderr what ended a command that was given these options; its exit code."""
    if isinstance(error, OSError) and error.filename in (None, "stdout"):
        discard(sys.stdout)  # Python flushes it once more at its end, and would complain there
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    console = Console()
    if isinstance(error, KeyboardInterrupt):
        console.error(f"interrupted; no partial file was written.{_kept(given)}")
        return ENDED_BY_SIGNAL + error.number if isinstance(error, Ended) else INTERRUPTED
    console.error(_sentence(error))
    return TOOL_ERROR


def _kept(given: Mapping[str, Any]) -> str:
    """Where the results are that an interrupted command had computed; empty if it has no cache."""
    if not given.get("cache") or given.get("ray") is not None:
        return ""
    from shamisa_cli.core.scoring.cache import default_folder

    folder = given.get("cache_dir") or default_folder()
    if folder is None:
        return ""
    return f" What was computed is in the cache, {folder}: run the same command again to continue."


def _sentence(error: BaseException) -> str:
    if isinstance(error, ShamisaError):
        return " ".join(with_remedy(str(error), error.remedy, error.about).split("\n"))
    if isinstance(error, MemoryError):
        return "there is not enough memory. Take fewer pictures, or compute less at once (--jobs, --view-size)."
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "the system allows this program no more threads. Give fewer --jobs, or allow it more."
    if isinstance(error, OSError) and error.errno == errno.EBADF and error.filename:
        return f"{error.filename} is closed."
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "the folder that the command runs in does not exist any more."
    if isinstance(error, OSError) and error.strerror:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return f"{where}{error.strerror}."
    summary = "".join(traceback.format_exception_only(error)).strip().split("\n")[-1]
    return f"this is a bug in shamisa ({summary}). Run the command again with --debug, and report its output."
