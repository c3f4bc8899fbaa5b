"""The line that was typed, for cards: whoever reads one can do the same again."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

LEFT_OUT = {"cache", "cache_dir", "cache_size", "device", "jobs", "offline", "skip_unreadable"}
"""Options that say how to compute, and not what."""


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
