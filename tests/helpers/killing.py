"""A run that is killed on its way."""

from __future__ import annotations

from collections.abc import Callable


class KilledError(Exception):
    pass


def killed_after(pictures: int | None) -> Callable[[int], None]:
    """To be told of pictures that are done: raises KilledError when they are so many; None: never."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if pictures is not None and done >= pictures:
            raise KilledError

    return advance
