"""Many photographs, one after the other: one at which something goes wrong is left out and named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from shamisa_cli.core.errors import ImageError, Unread, item_error

T = TypeVar("T")


def made_of_each(
    photos: Iterable[tuple[int, Path]],
    make: Callable[[int, Path], T],
    *,
    unread: Unread,
    advance: Callable[[int], None],
) -> Iterator[tuple[int, T]]:
    """Yield the place of each photograph, and the result of `make`.

    Args:
        photos: place and path of each.
        make: gets both. Whatever it raises leaves the photograph out, as in `item_error`.
        unread: see `Unread`.
        advance: called with 1 after each photograph.
    """
    for place, path in photos:
        try:
            made = make(place, path)
        except Exception as error:
            unread(item_error(path, error))
            continue
        finally:
            advance(1)
        yield place, made


def pass_over(_: ImageError) -> None:
    """Tell nobody."""
