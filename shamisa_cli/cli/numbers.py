"""No option takes NaN, which is neither below nor above any limit, nor a seed that generators do not take: checked for
all commands."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from shamisa_cli.core.arguments import SEED, require_seed
from shamisa_cli.core.errors import SettingError


def with_numbers_only(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap `command` so that it refuses NaN as the value of an option, and a seed out of range."""

    @functools.wraps(command)
    def run(*args: Any, **values: Any) -> None:
        for name, value in values.items():
            if isinstance(value, float) and math.isnan(value):
                raise SettingError(f"--{name.replace('_', '-')} is nan, which is not a number.")
            if name == SEED and value is not None:
                require_seed(value)
        command(*args, **values)

    return run
