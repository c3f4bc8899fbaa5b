"""Commands under a common name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CommandGroup:
    """Commands under a common name.

    Attributes:
        help: what they have in common.
        commands: by name.
    """

    help: str
    commands: Mapping[str, Callable[..., None]]
