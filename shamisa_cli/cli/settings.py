"""Settings of a project, as defaults of options. An option with an environment variable is a setting: files may
give its default, the variable takes precedence over them, and the command line over both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer

from shamisa_cli.cli.console import Console
from shamisa_cli.core.configuration import Configuration, FileSetting, read_configuration
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import may
from shamisa_cli.core.home import expanded
from shamisa_cli.core.overrides import shown

PREFIX = "SHAMISA_"
SETTINGS = {
    "SHAMISA_FORMAT": "format",
    "SHAMISA_SORT": "sort",
    "SHAMISA_MIN_SCORE": "gate.min-score",
    "SHAMISA_MIN_RELATIONAL_SCORE": "gate.min-relational-score",
    "SHAMISA_MAX_DIFFERENCE": "gate.max-difference",
    "SHAMISA_BASELINE": "gate.baseline",
    "SHAMISA_MAX_DROP": "gate.max-drop",
    "SHAMISA_STRICT": "gate.strict",
    "SHAMISA_SIMILARITY": "groups.similarity",
    "SHAMISA_BURST_GAP": "groups.burst-gap",
    "SHAMISA_SHARD": "shard",
    "SHAMISA_RECURSIVE": "recursive",
    "SHAMISA_VIEW_SIZE": "view-size",
    "SHAMISA_MAX_PIXELS": "max-pixels",
    "SHAMISA_MAX_MEMORY": "max-memory",
    "SHAMISA_SKIP_UNREADABLE": "skip-unreadable",
    "SHAMISA_RESIZE": "resize",
    "SHAMISA_MODEL": "model",
    "SHAMISA_PROBE": "probe",
    "SHAMISA_RELATIONAL_MODEL": "relational-model",
    "SHAMISA_OFFLINE": "offline",
    "SHAMISA_DEVICE": "device",
    "SHAMISA_RUNTIME": "runtime",
    "SHAMISA_JOBS": "jobs",
    "SHAMISA_CACHE": "cache",
    "SHAMISA_CACHE_DIR": "cache-dir",
    "SHAMISA_CACHE_SIZE": "cache-size",
}
"""Environment variable of an option → its key in files. The variable decides, since one spelling of an option can mean
different things in different commands."""
SAFE_FOLDERS = "SHAMISA_SAFE_DIRECTORY"
"""Variable with the folders in which settings files of other users are obeyed, as in PATH; "*" is every folder."""
FILES = {"gate.baseline", "cache-dir"}
"""Settings that name a file or folder; in a configuration file it is relative to that file."""
MODELS = {"model", "probe", "relational-model"}
"""Settings that may name a folder; they are relative to the configuration file when they start with a dot."""


@dataclass(frozen=True)
class Setting:
    """One option of one or more commands.

    Attributes:
        name: its key in files, such as "model" or "gate.min-score"; see `SETTINGS`.
        variable: the environment variable.
        option: the option, as the first command has it.
    """

    name: str
    variable: str
    option: Any


def known_settings(program: Any) -> dict[str, Setting]:
    """The settings of all commands of the program, by name."""
    found: dict[str, Setting] = {}
    for command in program.commands.values():
        for setting in _settings_of(command):
            found.setdefault(setting.name, setting)
    return found


def load_settings(context: typer.Context, whole: Callable[[], Any]) -> None:
    """Read the files, check them, and make their values the defaults of the commands.

    Args:
        context: of the program, which may know no more than the command that it runs.
        whole: makes the program with all its commands, whose options check the values; called if there are any.

    Raises:
        SettingError: a name or value in a file cannot be used.
    """
    safe = os.environ.get(SAFE_FOLDERS, "").split(os.pathsep)
    here = Path.cwd()
    if not may(here, os.X_OK):
        Console().warn(f"you may not look into {here}, where this command runs; settings there are ignored.")
    configuration = read_configuration(here, SETTINGS.values(), safe)
    _warn_of_ignored(configuration)
    context.obj = configuration
    if configuration.values:
        context.default_map = _default_map(whole(), configuration, context)
    _warn_of_unknown_variables({*SETTINGS, SAFE_FOLDERS, *map(_variable_of, context.command.params)})


def configuration_of(context: typer.Context) -> Configuration:
    """Configuration read from the project's files; an empty one if none were read."""
    found = context.find_object(Configuration)
    return found if found is not None else Configuration()


def was_typed(context: typer.Context, name: str) -> bool:
    """Whether the option was given on the command line; a setting, in contrast, is ignored where it does not apply."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _default_map(program: Any, configuration: Configuration, context: typer.Context) -> dict[str, Any]:
    known = known_settings(program)
    usable = {
        name: _usable(known[name], configured, context)
        for name, configured in configuration.values.items()
        if name in known
    }
    return _defaults(program, usable)


def _defaults(command: Any, usable: dict[str, Any]) -> dict[str, Any]:
    """The defaults that files give to the options of a command, or of the commands in a group."""
    if hasattr(command, "commands"):
        return {name: _defaults(each, usable) for name, each in command.commands.items()}
    return {setting.option.name: usable[setting.name] for setting in _settings_of(command) if setting.name in usable}


def _settings_of(command: Any) -> Iterator[Setting]:
    for option in command.params:
        variable = _variable_of(option)
        if variable in SETTINGS:
            yield Setting(SETTINGS[variable], variable, option)


def _variable_of(option: Any) -> str:
    return option.envvar if isinstance(option.envvar, str) else ""


def _usable(setting: Setting, configured: FileSetting, context: typer.Context) -> Any:
    """The value, validated by the option."""
    value = configured.value
    where = f"{configured.file}: {setting.name} is {shown(value)}"
    if setting.option.is_flag:
        if not isinstance(value, bool):
            raise SettingError(f"{where}; it must be true or false.")
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise SettingError(f"{where}; it must be text or a number.")
    text = str(value)
    in_files_folder = setting.name in FILES or (setting.name in MODELS and text.startswith("."))
    if in_files_folder:
        text = str(configured.file.parent / expanded(text))
    try:
        setting.option.process_value(context, text)
    except typer.BadParameter as error:
        raise SettingError(f"{where}: {error.message}") from None
    return text


def _warn_of_ignored(configuration: Configuration) -> None:
    if configuration.ignored:
        files = ", ".join(str(file) for file in configuration.ignored)
        Console().warn(
            f"ignored {files}, since another user owns it. To obey it, name its folder in the variable {SAFE_FOLDERS}."
        )


def _warn_of_unknown_variables(known: set[str]) -> None:
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in known:
            close = get_close_matches(variable, known, n=1)
            guess = f" Did you mean {close[0]}?" if close else ""
            Console().warn(f"the variable {variable} is not a setting and has no effect.{guess}")
