"""The ends of a run: signals, closed streams and a reader that has gone, in one place around all commands."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

from shamisa_cli.core.home import is_homeless

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that end a run; Windows lacks the last."""
ENDED_BY_SIGNAL = 128
"""Shells report a program that a signal ended by this and the signal's number."""
PIPE_CLOSED = 141
"""Exit code that shells report for a program whose reader closed the pipe."""
GRACE_SECONDS = 10.0
"""Time to clean up, or to give a last answer to a client that may not be reading, before the process ends at once."""


class Ended(KeyboardInterrupt):
    """A signal asked the program to end.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def end_within_grace(code: int) -> None:
    """Leave the process with this code if it is still there after `GRACE_SECONDS`."""
    watchdog = threading.Timer(GRACE_SECONDS, os._exit, [code])
    watchdog.daemon = True
    watchdog.start()


def discard(stream: TextIO) -> None:
    """Let what else is written to stdout or stderr, also what waits in its buffer, go nowhere."""
    with suppress(OSError, ValueError):  # a stream in memory has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run_to_its_end(program: Callable[[], None]) -> None:
    """Run the program. After a signal or a closed pipe, what it began is cleaned up and no thread is waited for."""
    _open_closed_streams()
    _replace_unknown_letters()
    caught: list[int] = []
    try:
        with _caught_signals(caught):
            program()
    except SystemExit as end:
        if caught:  # the parser, or an import that was interrupted, leaves with a code of its own
            _leave(ENDED_BY_SIGNAL + caught[0])
        if isinstance(end.__context__, BrokenPipeError):  # rich and the parser leave with 1
            _leave(PIPE_CLOSED)
        if isinstance(end.code, int) and end.code > ENDED_BY_SIGNAL:
            _leave(end.code)
        raise
    except Ended as end:
        _leave(ENDED_BY_SIGNAL + end.number)
    except OSError as error:  # in what the parser itself prints, such as help
        with suppress(OSError):
            said = "stdout is closed" if error.errno == errno.EBADF else f"stdout: {error.strerror}"
            print(f"error: {said}.", file=sys.stderr)
        _leave(2)
    except RuntimeError as error:  # of the parser, which writes completions there
        if not is_homeless(error):
            raise
        print("error: This user has no home folder. Set HOME to one.", file=sys.stderr)
        _leave(2)


def _open_closed_streams() -> None:
    """Give stdin, stdout and stderr, where they are closed, a descriptor again, else a file gets its number.

    It fails as a closed one does; only what is said on a closed stderr is dropped.
    """
    for number, (name, access) in enumerate((("stdin", os.O_WRONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))):
        if getattr(sys, name) is None:
            os.open(os.devnull, access)  # takes the lowest number that is free
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", errors="backslashreplace"))  # noqa: SIM115, PTH123


def _replace_unknown_letters() -> None:
    """Print help where its letters are not those of stdout's encoding; results are UTF-8 everywhere."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def _leave(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


@contextmanager
def _caught_signals(caught: list[int]) -> Iterator[None]:
    """Context in which a signal raises `Ended`, once its number is in `caught`."""
    process = os.getpid()

    def end(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != process:  # a worker that was forked ends as any process does
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        caught.append(number)
        end_within_grace(ENDED_BY_SIGNAL + number)
        raise Ended(number)

    before = {}
    for name in SIGNALS:
        number = getattr(signal, name, None)
        # A signal that was ignored from the start stays so: nohup, or a shell's job in the background.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
