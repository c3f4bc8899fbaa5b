"""The command line of a run, for model cards, so that readers can repeat it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import typer

LEFT_OUT = {"cache", "cache_dir", "cache_size", "device", "jobs", "offline", "skip_unreadable"}
"""Options that affect how results are computed, not the results."""


def command_text(context: typer.Context, command: str) -> str:
    """Format the options that were given as a command line to repeat; paths keep their last part alone."""
    words = ["shamisa", command]
    option: Any
    for option in context.command.params:
        value: Any = context.params.get(option.name or "")
        source = context.get_parameter_source(option.name or "")
        if source is None or source.name == "DEFAULT" or option.name in LEFT_OUT:
            continue
        if isinstance(value, bool):
            words.append(option.opts[0] if value else option.secondary_opts[0])
        else:
            for each in value if isinstance(value, list | tuple) else [value]:
                words += [option.opts[0], Path(each).name if option.type.name == "path" else str(each)]
    return shlex.join(words)
