"""Asking a store again that does not answer."""

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
"""Of what cannot be reached; a lost machine costs none."""
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
    """Raise as OSError what the libraries of object stores raise when one does not answer as it should.

    They agree on FileNotFoundError and PermissionError, and on nothing else.
    """
    try:
        yield
    except (OSError, *DAMAGE):
        raise
    except Exception as error:
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}", address) from error
