"""A list of paths that makes each of them only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload


class PathList(Sequence[Path]):
    """Paths of files, kept as text: 100,000 of them take half a second to make, and the first is wanted at once.

    Args:
        names: the paths, in order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Path]:
        return map(Path, self._names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> PathList: ...
    def __getitem__(self, index: int | slice) -> Path | PathList:
        return PathList(self._names[index]) if isinstance(index, slice) else Path(self._names[index])
