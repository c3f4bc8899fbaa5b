"""State of the whole process that this library needs otherwise for a while, and leaves to everybody else as it was."""

from __future__ import annotations

import re
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, cast


class WhileInside(ABC):
    """Context that changes something of the process while any thread is inside; the last one takes it back.

    Threads that saved and restored it each for itself would leave another's value. Where that is possible, what is
    changed acts only for threads of this library meanwhile, since others go on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self.put()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self.take_back()

    @abstractmethod
    def put(self) -> None:
        """Change it; at each entry, since others may have changed it since the last."""

    @abstractmethod
    def take_back(self) -> None:
        """Leave it as it would be without this library."""


class WarningsHere(WhileInside):
    """Filter of warnings that some threads meet before all others, and no other thread meets.

    Args:
        action: of the filter.
        category: of the warnings.
        modules: regular expression of the modules that give them.
        here: whether this thread meets the filter.
    """

    def __init__(
        self, action: Literal["always", "ignore"], category: type[Warning], modules: str, here: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._action, self._category, self._here = action, category, here
        self._modules = re.compile(modules)
        self._filter = (action, None, category, self, 0)

    def match(self, module: str) -> bool:
        """Whether a module's warning is meant; Python asks a filter's pattern for this."""
        return self._here() and self._modules.match(module) is not None

    def put(self) -> None:
        """Make the filter the first one."""
        filters = cast(list[Any], warnings.filters)
        if filters and filters[0] == self._filter:
            return
        self.take_back()
        # One that matches nothing, set as is usual, so that Python forgets which warnings it has shown.
        warnings.filterwarnings(self._action, category=self._category, module="(?!)")
        filters = cast(list[Any], warnings.filters)
        never = (self._action, None, self._category, re.compile("(?!)"), 0)
        filters[filters.index(never)] = self._filter

    def take_back(self) -> None:
        """Remove the filter."""
        filters = cast(list[Any], warnings.filters)
        while self._filter in filters:
            filters.remove(self._filter)
