"""How much of the machine is this process's."""

from __future__ import annotations

import os


def available_cpus() -> int:
    """How many processors this process may use (containers and batch systems often grant a few of many)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
