"""Resources of this process: processors and memory."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Any

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_MOST = 2**31 - 1  # bytes; the parameters are C ints


def available_cpus() -> int:
    """Number of processors this process may use (containers and batch systems often grant fewer than there are)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> bool:
    """Ask the C library to keep freed blocks for the next tensors instead of giving them back to the system.

    Returned memory must be mapped and zeroed again, page by page, for the next tensor, which can take more
    time than the arithmetic on it. Meant for processes that allocate the same sizes repeatedly; with many
    different sizes, a third more memory may be needed, since freed blocks do not fit.

    Returns:
        Whether it is supported: by glibc, but not by other C libraries.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_MMAP_THRESHOLD, _MOST)) and bool(mallopt(_M_TRIM_THRESHOLD, _MOST))


class OneBlasThread:
    """Holds BLAS to one thread while any thread of this process is inside, and then gives back what was allowed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._controller: Any = None
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._controller is None:
                from threadpoolctl import ThreadpoolController

                self._controller = ThreadpoolController()
            if self._inside == 0:
                self._limit = self._controller.limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_reason: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


ONE_BLAS_THREAD = OneBlasThread()
