"""One budget of bytes for all threads of this process that decode pictures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shamisa_cli.core.errors import ImageError

MEGABYTE = 1_000_000
SHARE_OF_FREE = 0.25
SHARE_ALONE = 0.75
_LEAST = 256 * 2**20
"""Bytes; a default below this would refuse photographs on a busy machine."""
_UNTOLD = 4 * 2**30
"""Bytes that are taken to be free where the system does not say."""
_CGROUP = Path("/sys/fs/cgroup")


class MemoryBudget:
    """Bytes that may be in use by decoding at once; a thread waits until its picture fits.

    Args:
        limit: in bytes, above 0; None takes `SHARE_OF_FREE` of what is free when it is first needed.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._chosen = limit is not None
        self._used = 0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """The limit in bytes."""
        if self._limit is None:
            self._limit = max(_LEAST, int(SHARE_OF_FREE * free_memory()))
        return self._limit

    def set_limit(self, limit: int | None) -> None:
        """Change the limit, in bytes, or take the default; pictures that are being decoded go on."""
        with self._changed:
            self._limit = limit
            self._chosen = limit is not None
            self._changed.notify_all()

    @property
    def alone(self) -> int:
        """Bytes that one picture may take while it is computed alone: the limit if set, else most that is free."""
        return self.limit if self._chosen else int(SHARE_ALONE * free_memory())

    def fits(self, needed: int) -> bool:
        """Whether so many bytes are within the limit, whatever is in use now."""
        return needed <= self.limit

    def require_alone(self, path: Path | str, needed: int, shape: tuple[int, ...], *, doing: str, remedy: str) -> None:
        """Raise ImageError "too-large" where a picture, alone, would take more than it may.

        Args:
            path: file or address of the picture.
            needed: in bytes.
            shape: (H, W, …) of its pixels.
            doing: for the message: a verb, such as "compute".
            remedy: for the message: a sentence.
        """
        if needed > self.alone:
            raise ImageError(
                path,
                "too-large",
                f"{path} would take some {needed / MEGABYTE:,.0f} MB to {doing} at {shape[1]}×{shape[0]} pixels, more "
                f"than the {self.alone / MEGABYTE:,.0f} MB there may be used. {remedy}",
            )

    @contextmanager
    def hold(self, needed: int) -> Iterator[None]:
        """Hold bytes within the limit, from when so many are left; more than the limit are held when nothing is."""
        limit = self.limit
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + needed <= limit)
            self._used += needed
        try:
            yield
        finally:
            with self._changed:
                self._used -= needed
                self._changed.notify_all()


DECODING = MemoryBudget()
"""The budget of `decode`. Memory belongs to the process, and so does this."""


def free_memory() -> int:
    """Bytes that this process could still get: of the machine, or of its control group where that is less."""
    from psutil import Error, virtual_memory

    try:
        free: int = virtual_memory().available
    except (OSError, Error):  # such as in a sandbox without /proc
        free = _UNTOLD
    bound, used = _text(_CGROUP / "memory.max").strip(), _text(_CGROUP / "memory.current").strip()
    return min(free, int(bound) - int(used)) if bound.isdigit() and used.isdigit() else free


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
