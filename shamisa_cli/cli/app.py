"""The program: its commands, and how they are started. Imports nothing heavy."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from types import ModuleType
from typing import Annotated

import typer
from typer.main import get_command

from shamisa_cli import __version__
from shamisa_cli.cli.command_group import CommandGroup
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.ends import run_to_its_end
from shamisa_cli.cli.errors import TOOL_ERROR, with_exit_code
from shamisa_cli.cli.numbers import with_numbers_only
from shamisa_cli.cli.option_rules import RuledCommand
from shamisa_cli.cli.overwriting import without_overwriting
from shamisa_cli.cli.settings import load_settings
from shamisa_cli.core.existence import exists

DEBUG_OPTION = "--debug"
DEBUG_VARIABLE = "SHAMISA_DEBUG"

COMMANDS = {
    "score": "Score pictures from 0 to 100; higher looks better.",
    "cull": "Decide which pictures to keep, and rate, move, copy or list them.",
    "compare": "Compare versions of a picture with the original: what changed, where, and which is better.",
    "rank": "Order versions of one picture from best to worst, without an original.",
    "embed": "Write the features of pictures to a file, for fit-probe --features and for your own tools.",
    "fit-probe": "Fit a probe, a linear map from a model's features to human scores, and report how well it predicts.",
    "fit-defects": "Fit a model's defect probe: severities from 0 to 4 of blur, noise and five other kinds of defect.",
    "fit-direction": "Fit a model's direction: which of two pictures is the better one, for compare and rank.",
    "evaluate": "Correlate a model's scores with human scores, with 95 % bootstrap intervals.",
    "train": "Train on photographs without human scores: an encoder, for fit-probe, or the relational networks.",
    "serve": "Score pictures named on stdin and answer with JSON lines on stdout, keeping the model loaded.",
    "config": "Show the settings in effect in this folder, and where each comes from.",
    "doctor": "Show versions, the extras that are installed, the libraries that compute, and the image formats "
    "that are read.",
}
"""Commands and groups of commands, with the first sentence of their help. Each is the function, or the group, of the
same name in its module of `commands`, which is imported only to be run: the list of commands needs none of them."""
GROUPS = {
    "models": "List, show, download, upload, export and derive models.",
    "cache": "Show or clear the cache of results.",
}
SUMMARIES = COMMANDS | GROUPS
SHOWS_ALL_SETTINGS = "config"
HELP_OPTIONS = ["--help", "-h"]


def command(name: str) -> Callable[..., None]:
    """The function of a command in `COMMANDS`."""
    function: Callable[..., None] = getattr(_module(name), name.replace("-", "_"))
    return function


def group(name: str) -> CommandGroup:
    """A group of commands in `GROUPS`."""
    found: CommandGroup = getattr(_module(name), name.upper())
    return found


def _module(name: str) -> ModuleType:
    return import_module(f"shamisa_cli.cli.commands.{name.replace('-', '_')}")


def build_app(only: Collection[str] | None = None, *, debug: bool = False) -> typer.Typer:
    """The Typer application.

    Args:
        only: the commands and groups that will be run; the others are listed, no more. None: all of them.
        debug: whether errors show their tracebacks.
    """
    app = typer.Typer(
        name="shamisa",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": HELP_OPTIONS},
    )
    app.callback()(with_exit_code(_program, debug=debug))
    for name, summary in SUMMARIES.items():
        if only is not None and name not in only:
            app.command(name, help=summary)(_listed)
        elif name in COMMANDS:
            app.command(name, cls=RuledCommand)(_guarded(command(name), debug=debug))
        else:
            app.add_typer(_build_group(group(name), debug=debug), name=name)
    return app


def _build_group(group: CommandGroup, *, debug: bool) -> typer.Typer:
    app = typer.Typer(help=group.help, no_args_is_help=True, rich_markup_mode="rich")
    for name, function in group.commands.items():
        app.command(name, cls=RuledCommand)(_guarded(function, debug=debug))
    return app


def _guarded(command: Callable[..., None], *, debug: bool) -> Callable[..., None]:
    return with_exit_code(with_numbers_only(without_overwriting(command)), debug=debug)


def _listed() -> None:
    """Stand for a command in the list of commands."""


def run() -> None:
    """Be the program: as `main`, with signals and closed streams answered for the whole process."""
    run_to_its_end(main)


def main() -> None:
    """Run the program with the arguments of this process, and leave it with its exit code."""
    arguments, debug = _without_debug(sys.argv[1:])
    debug = debug or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")
    _require_command(arguments)
    build_app(_needed(arguments), debug=debug)(args=arguments, prog_name="shamisa")


def _needed(arguments: Sequence[str]) -> Collection[str] | None:
    # What is not plain, such as a completion or an option of the program before the command, is given all.
    first = arguments[0] if arguments else None
    if first in HELP_OPTIONS:
        return ()
    return (first,) if first in SUMMARIES and first != SHOWS_ALL_SETTINGS else None


def _require_command(arguments: Sequence[str]) -> None:
    """Leave the program with a hint if a picture or folder stands where the command should."""
    first = arguments[0] if arguments else ""
    if first.startswith("-") or first in SUMMARIES or not exists(first):
        return
    Console().error(f"{first} is not a command. To score it: shamisa score {shlex.quote(first)}")
    raise SystemExit(TOOL_ERROR)


def _without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    # --debug may stand anywhere, so that it can be put after a command that has just failed.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != DEBUG_OPTION]
    return [*options, *arguments[end:]], len(options) < end


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shamisa {__version__}")
        raise typer.Exit


def _program(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, show_default=False, help="Show the version."),
    ] = False,
    debug: Annotated[  # noqa: ARG001
        bool,
        typer.Option(DEBUG_OPTION, envvar=DEBUG_VARIABLE, show_default="off", help="Show tracebacks of errors."),
    ] = False,
) -> None:
    """Score how good photographs look, and say why: image quality assessment without a reference."""
    # Help is shown whatever is wrong with a file of settings.
    if not context.resilient_parsing and not set(HELP_OPTIONS) & set(sys.argv):
        load_settings(context, lambda: get_command(build_app()))
