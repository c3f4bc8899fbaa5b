"""The program: its commands, and how they are started. Imports nothing heavy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from shamisa_cli import __version__
from shamisa_cli.cli.commands.cache import CACHE
from shamisa_cli.cli.commands.compare import compare
from shamisa_cli.cli.commands.config import config
from shamisa_cli.cli.commands.cull import cull
from shamisa_cli.cli.commands.doctor import doctor
from shamisa_cli.cli.commands.embed import embed
from shamisa_cli.cli.commands.evaluate import evaluate
from shamisa_cli.cli.commands.fit_defects import fit_defects
from shamisa_cli.cli.commands.fit_direction import fit_direction
from shamisa_cli.cli.commands.fit_probe import fit_probe
from shamisa_cli.cli.commands.models import MODELS
from shamisa_cli.cli.commands.rank import rank
from shamisa_cli.cli.commands.score import score
from shamisa_cli.cli.commands.serve import serve
from shamisa_cli.cli.commands.train import train
from shamisa_cli.cli.ends import run_to_its_end
from shamisa_cli.cli.errors import with_exit_code
from shamisa_cli.cli.overwriting import without_overwriting
from shamisa_cli.cli.settings import load_settings

DEBUG_OPTION = "--debug"
DEBUG_VARIABLE = "SHAMISA_DEBUG"

COMMANDS: dict[str, Callable[..., None]] = {
    "score": score,
    "cull": cull,
    "compare": compare,
    "rank": rank,
    "embed": embed,
    "fit-probe": fit_probe,
    "fit-defects": fit_defects,
    "fit-direction": fit_direction,
    "evaluate": evaluate,
    "train": train,
    "serve": serve,
    "config": config,
    "doctor": doctor,
}
GROUPS = {"models": MODELS, "cache": CACHE}
HELP_OPTIONS = ["--help", "-h"]


def build_app(*, debug: bool = False) -> typer.Typer:
    """The Typer application; with `debug`, errors show their tracebacks."""
    app = typer.Typer(
        name="shamisa",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": HELP_OPTIONS},
    )
    app.callback()(with_exit_code(_program, debug=debug))
    for name, command in COMMANDS.items():
        app.command(name)(with_exit_code(without_overwriting(command), debug=debug))
    for name, group in GROUPS.items():
        commands = typer.Typer(help=group.help, no_args_is_help=True, rich_markup_mode="rich")
        for command_name, command in group.commands.items():
            commands.command(command_name)(with_exit_code(without_overwriting(command), debug=debug))
        app.add_typer(commands, name=name)
    return app


def run() -> None:
    """Be the program: as `main`, with signals and closed streams answered for the whole process."""
    run_to_its_end(main)


def main() -> None:
    """Run the program with the arguments of this process, and leave it with its exit code."""
    arguments, debug = _without_debug(sys.argv[1:])
    debug = debug or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")
    build_app(debug=debug)(args=arguments, prog_name="shamisa")


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
        load_settings(context)
