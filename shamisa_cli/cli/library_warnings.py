"""Warnings of the library, and bars of the Hub's client, as a command shows them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shamisa_cli.cli.console import Console
from shamisa_cli.core.errors import ModelWarning

_NO_BARS = "HF_HUB_DISABLE_PROGRESS_BARS"
"""The variable of the Hub's client by which it draws none."""


@contextmanager
def warnings_said(*, quiet: bool) -> Iterator[None]:
    """Context of a command: a warning about its model is a line on stderr, each once; none, and no bars, if quiet."""
    say = Console(quiet=quiet).warn_once()
    silenced = quiet and _NO_BARS not in os.environ
    if silenced:
        os.environ[_NO_BARS] = "1"
    try:
        with warnings.catch_warnings():
            otherwise = warnings.showwarning

            def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
                if issubclass(category, ModelWarning):
                    say(str(message))
                else:
                    otherwise(message, category, *where, **more)

            warnings.showwarning = show
            warnings.simplefilter("always", ModelWarning)
            yield
    finally:
        if silenced:
            os.environ.pop(_NO_BARS, None)
