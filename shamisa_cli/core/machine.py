"""How much of the machine is this process's."""

from __future__ import annotations

import ctypes
import os
import sys

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_MOST = 2**31 - 1  # bytes; the parameters are C ints


def available_cpus() -> int:
    """How many processors this process may use (containers and batch systems often grant a few of many)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> bool:
    """Ask the C library to keep freed blocks for the next tensors instead of giving them back to the system.

    What is given back must be mapped and zeroed anew, page by page, for the next tensor, which can take more
    time than the arithmetic on it. For a process that makes the same tensors again and again; one that makes
    many of different sizes may need a third more memory, since freed blocks do not fit.

    Returns:
        Whether it could be asked: glibc has the means, other C libraries do not.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_MMAP_THRESHOLD, _MOST)) and bool(mallopt(_M_TRIM_THRESHOLD, _MOST))
