"""No option takes NaN, which is neither below nor above any limit: checked for all commands."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from shamisa_cli.core.errors import SettingError


def with_numbers_only(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap `command` so that it refuses NaN as the value of an option."""

    @functools.wraps(command)
    def run(*args: Any, **values: Any) -> None:
        for name, value in values.items():
            if isinstance(value, float) and math.isnan(value):
                raise SettingError(f"--{name.replace('_', '-')} is nan, which is not a number.")
        command(*args, **values)

    return run
