"""One writer at a time for what is written over a longer time: tables that are resumed, runs and model folders."""

from __future__ import annotations

import functools
import inspect
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import exists
from shamisa_cli.core.places import require_place

P = ParamSpec("P")
R = TypeVar("R")
ADDRESS = "://"
"""Part of an address in an object store, which has no locks."""


def lock_file(target: Path) -> Path:
    """The lock of a file or folder: hidden, beside it."""
    target = Path(os.path.realpath(target))
    return target.with_name(f".{target.name}.lock")


@contextmanager
def sole_writer(target: Path | None) -> Iterator[None]:
    """Hold the lock of a file or folder, which says who writes it; None holds nothing.

    The operating system frees the lock of a process that ends in any way, and the next run takes over its file. Where
    locks cannot be had (Windows, folders one may not write into, some network drives) nothing is locked.

    Raises:
        SettingError: another process writes the target, or this user may not; at once.
    """
    if target is None:
        yield
        return
    require_place(target)
    lock = lock_file(target)
    new_folders = [folder for folder in lock.parents if not exists(folder)]
    descriptor = _locked(target, lock)
    try:
        yield
    finally:
        if descriptor is not None:
            lock.unlink(missing_ok=True)
            os.close(descriptor)
        with suppress(OSError):  # nothing was written, so nothing stays
            for folder in new_folders:
                folder.rmdir()


def _locked(target: Path, lock: Path) -> int | None:
    """A descriptor that holds the lock; None where there are no locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError:
            return None  # what writes the target says what is wrong
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            writer = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise SettingError(f"{target} is being written by {writer}. Wait for it, or name another target.") from None
        except OSError:
            os.close(descriptor)
            return None
        if _is(descriptor, lock):
            with suppress(OSError):  # on a full disk the lock is nameless
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            return descriptor
        os.close(descriptor)  # its holder removed it meanwhile


def _is(descriptor: int, path: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False


def writes(parameter: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator of a function that holds the lock of the path in `parameter`, if it is not None, while it runs."""

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def run(*arguments: P.args, **settings: P.kwargs) -> R:
            target = signature.bind(*arguments, **settings).arguments.get(parameter)
            with sole_writer(None if target is None or ADDRESS in str(target) else Path(target)):
                return function(*arguments, **settings)

        return run

    return decorated
