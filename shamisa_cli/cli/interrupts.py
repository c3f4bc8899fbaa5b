"""Ctrl-C and a cluster's request to end, for commands that stop at a place of their own choosing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def request_stop_on_signals(hint: Callable[[str], None]) -> Iterator[list[int]]:
    """A list that gets the signal when Ctrl-C or a cluster asks to stop; a second Ctrl-C stops at once."""
    caught: list[int] = []

    def remember(number: int, _frame: object) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)
        hint("Stopping after this step, with a checkpoint. Ctrl-C again stops at once.")

    kinds = (signal.SIGINT, signal.SIGTERM)
    before: dict[signal.Signals, Callable[..., Any] | int | None] = {
        kind: signal.signal(kind, remember) for kind in kinds
    }
    try:
        yield caught
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
