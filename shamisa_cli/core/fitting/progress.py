"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""From what is being done and how often to a block whose function moves on."""


@contextmanager
def no_progress(_doing: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Tell nobody."""
    yield lambda _done: None
