"""Writes the pages of this folder, one a command, from the program itself.

    python docs/cli/make.py

`pages()` gives their text; a test holds the files against it. It reads the commands' own signatures, so that the pages
do not depend on the release of Typer.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

from typer.models import OptionInfo, ParameterInfo

from shamisa_cli.cli import app

HERE = Path(__file__).resolve().parent
INDEX = "README.md"
NOTE = "<!-- Made by docs/cli/make.py from the program: edit the help texts there and run it again. -->\n"
VALUES = {int: "N", float: "X"}

COMPLETION = """## Completion in the shell

`shamisa --install-completion` teaches the shell that runs it (bash, zsh, fish or PowerShell) to complete commands,
options, choices and the names of bundled models; open a new shell afterwards. `shamisa --show-completion` prints what
that installs.
"""


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command: its name in Python, its type, what Typer was told, and its default."""

    name: str
    kind: Any
    info: ParameterInfo
    default: Any

    @property
    def is_option(self) -> bool:
        return isinstance(self.info, OptionInfo)

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


def pages() -> dict[str, str]:
    """File name → Markdown: a page for every command, and the index."""
    commands = dict(_commands())
    listing = "".join(f"- [`{name}`]({_file(name)}): {_summary(function)}\n" for name, function in commands.items())
    index = [NOTE, "# The commands\n", f"{_help(app._program)}\n", listing, _options(app._program), COMPLETION]
    return {INDEX: "\n".join(index), **{_file(name): _page(name, function) for name, function in commands.items()}}


def _commands() -> Iterator[tuple[str, Callable[..., None]]]:
    for name in app.COMMANDS:
        yield f"shamisa {name}", app.command(name)
    for group_name in app.GROUPS:
        for name, function in app.group(group_name).commands.items():
            yield f"shamisa {group_name} {name}", function


def _file(name: str) -> str:
    return name.removeprefix("shamisa ").replace(" ", "-") + ".md"


def _page(name: str, function: Callable[..., None]) -> str:
    arguments = [parameter for parameter in _parameters(function) if not parameter.is_option]
    needed = [parameter for parameter in _parameters(function) if parameter.is_option and parameter.required]
    words = [name, *map(_word, arguments), *(f"{_names(each)[0]} {_value(each)}" for each in needed), "[OPTIONS]"]
    explained = "".join(f"- `{each.info.metavar}`: {each.info.help}\n" for each in arguments)
    parts = [
        NOTE,
        f"# {name}\n",
        f"{_help(function)}\n",
        f"```sh\n{' '.join(words)}\n```\n",
        explained,
        _options(function),
    ]
    return "\n".join(part for part in parts if part)


def _help(function: Callable[..., None]) -> str:
    """The help text; lines of exit codes become a list."""
    text = (inspect.getdoc(function) or "").replace("Exit codes:\n", "Exit codes:\n\n")
    return re.sub(r"^(\d)  ", r"- `\1` ", text, flags=re.MULTILINE)


def _summary(function: Callable[..., None]) -> str:
    return " ".join(_help(function).partition("\n\n")[0].split())


def _parameters(function: Callable[..., None]) -> list[Parameter]:
    found = []
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if get_origin(parameter.annotation) is Annotated:
            kind, info = get_args(parameter.annotation)[:2]
            found.append(Parameter(name, kind, info, parameter.default))
    return found


def _options(function: Callable[..., None]) -> str:
    """A table for each panel of options, in the order of --help."""
    panels: dict[str, list[Parameter]] = {}
    for parameter in _parameters(function):
        if parameter.is_option:
            panels.setdefault(parameter.info.rich_help_panel or "Options", []).append(parameter)
    heading = "| | | default |\n|---|---|---|\n"
    return "\n".join(f"## {name}\n\n{heading}{''.join(map(_row, rows))}" for name, rows in panels.items())


def _row(option: Parameter) -> str:
    value = "" if bool in _kinds(option) else f" {_value(option)}"
    first, *others = _names(option)
    names = ", ".join([f"`{first}{value}`", *(f"`{name}`" for name in others)])
    variable = f" Variable: `{option.info.envvar}`." if option.info.envvar else ""
    return f"| {_cell(names)} | {_cell(option.info.help or '')}{variable} | {_default(option)} |\n"


def _names(option: Parameter) -> list[str]:
    """Long names first. In an annotation, Typer keeps the first name that is declared where a default would be."""
    first = [option.info.default] if isinstance(option.info.default, str) else []
    declared = [*first, *(option.info.param_decls or ())] or [f"--{option.name.replace('_', '-')}"]
    names = [name for declaration in declared for name in declaration.split("/")]
    return sorted(names, key=lambda name: not name.startswith("--"))


def _word(argument: Parameter) -> str:
    return str(argument.info.metavar) if argument.required else f"[{argument.info.metavar}]"


def _kinds(option: Parameter) -> tuple[Any, ...]:
    return get_args(option.kind) if isinstance(option.kind, UnionType) else (option.kind,)


def _value(option: Parameter) -> str:
    kinds = _kinds(option)
    if isinstance(kinds[0], type) and issubclass(kinds[0], Enum):
        return "|".join(str(choice.value) for choice in kinds[0])
    return str(option.info.metavar or VALUES.get(kinds[0], "TEXT"))


def _default(option: Parameter) -> str:
    if option.required:
        return "required"
    if isinstance(option.info.show_default, str):
        return _cell(option.info.show_default)
    if option.default is None or option.info.show_default is False:
        return ""
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return f"`{getattr(option.default, 'value', option.default)}`"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())


if __name__ == "__main__":
    for stale in HERE.glob("*.md"):
        stale.unlink()
    for file, text in pages().items():
        (HERE / file).write_text(text, encoding="utf-8", newline="\n")
