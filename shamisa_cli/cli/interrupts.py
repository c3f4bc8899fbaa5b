"""Ctrl-C and SIGTERM, for commands that choose where they stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from shamisa_cli.cli.ends import Ended


@contextmanager
def request_stop_on_signals(hint: Callable[[str], None]) -> Iterator[list[int]]:
    """Context that yields a list, to which Ctrl-C and SIGTERM append their signal; a second signal stops at once."""
    caught: list[int] = []

    def remember(number: int, _frame: object) -> None:
        if caught:
            raise Ended(number)
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
