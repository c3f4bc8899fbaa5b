"""The command line of a run, for model cards, so that readers can repeat it."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

LEFT_OUT = {"cache", "cache_dir", "cache_size", "device", "jobs", "offline", "skip_unreadable"}
"""Options that affect how results are computed, not the results."""


def command_text(context: typer.Context, command: str) -> str:
    """Format the options that were given as a command line to repeat; paths keep their last part alone."""
    words = ["shamisa", command]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        source = context.get_parameter_source(option.name or "")
        if source is None or source.name == "DEFAULT" or option.name in LEFT_OUT:
            continue
        if isinstance(value, bool):
            words.append(option.opts[0] if value else option.secondary_opts[0])
        elif isinstance(value, list | tuple):
            words += [word for path in value for word in (option.opts[0], path.name)]
        else:
            words += [option.opts[0], value.name if isinstance(value, Path) else str(value)]
    return shlex.join(words)
