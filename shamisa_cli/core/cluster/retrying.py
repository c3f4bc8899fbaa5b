"""Retries for stores that do not answer."""

from __future__ import annotations

import errno
import gzip
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

TRIES = 5
"""Number of tries before an error is raised; retries by Ray after a lost machine do not count."""
FIRST_WAIT = 1.0
"""Seconds before the second try; each further one waits twice as long."""
DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)
"""Errors of a damaged archive, as opposed to one that cannot be reached."""

T = TypeVar("T")


def with_retries(make: Callable[[], T], wait: Callable[[float], None] = time.sleep) -> T:
    """Call `make` and return its result; after an OSError try again, up to `TRIES` times, with growing waits.

    Raises the OSError of the last try; FileNotFoundError and PermissionError are raised at once.
    """
    for attempt in range(TRIES - 1):
        try:
            return make()
        except (FileNotFoundError, PermissionError):
            raise
        except OSError:
            wait(FIRST_WAIT * 2**attempt)
    return make()


@contextmanager
def as_os_errors(address: str) -> Iterator[None]:
    """Convert the errors of object stores' libraries to OSError.

    These libraries have only FileNotFoundError and PermissionError in common.
    """
    try:
        yield
    except (OSError, *DAMAGE):
        raise
    except Exception as error:
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}", address) from error
