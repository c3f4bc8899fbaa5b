"""`shamisa config`: the settings in effect in this folder, and the source of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from shamisa_cli.cli.console import Console, printable
from shamisa_cli.cli.output import write_json
from shamisa_cli.cli.settings import Setting, configuration_of, known_settings
from shamisa_cli.core.configuration import RULES, Configuration
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.scoring.gate import Rule

SCHEMA = 1


class Format(StrEnum):
    """Forms of the result."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class EffectiveSetting:
    """A setting in effect, and its source.

    Attributes:
        name: name of the setting.
        value: its value as JSON.
        source: "default", "file" or "environment".
        where: the file or variable; None for a default.
        meaning: how to describe a missing value to people.
    """

    name: str
    value: Any
    source: str
    where: str | None
    meaning: str = "none"


def config(
    context: typer.Context,
    format: Annotated[Format, typer.Option("--format", "-f", help="text for people, or json.")] = Format.TEXT,
) -> None:
    """Show the settings in effect in this folder, and where each comes from.

    From lowest to highest precedence: the table tool.shamisa of pyproject.toml, shamisa.toml, SHAMISA_* variables, the
    command line. Files of other users are ignored, except in folders that the variable SHAMISA_SAFE_DIRECTORY names.
    """
    configuration = configuration_of(context)
    assert context.parent is not None
    known = known_settings(context.parent.command)
    holdings = [_holding(setting, configuration, context) for setting in sorted(known.values(), key=_order)]
    holdings.append(_rules(configuration))
    with Console().results(None) as stream:
        if format is Format.JSON:
            _write_json(holdings, configuration, stream)
        else:
            _write_text(holdings, configuration, stream)


def _order(setting: Setting) -> tuple[bool, str]:
    return "." in setting.name, setting.name


def _holding(setting: Setting, configuration: Configuration, context: typer.Context) -> EffectiveSetting:
    from_environment = os.environ.get(setting.variable)
    if from_environment:
        return EffectiveSetting(
            setting.name, _of_variable(setting, from_environment, context), "environment", setting.variable
        )
    configured = configuration.values.get(setting.name)
    if configured is not None:
        return EffectiveSetting(setting.name, _json_value(configured.value), "file", str(configured.file))
    said = setting.option.show_default
    return EffectiveSetting(
        setting.name, _json_value(setting.option.default), "default", None, said if isinstance(said, str) else "none"
    )


def _of_variable(setting: Setting, text: str, context: typer.Context) -> Any:
    try:
        return _json_value(setting.option.process_value(context, text))
    except typer.BadParameter as error:
        raise SettingError(f"The variable {setting.variable} is {text!r}: {error.message}") from None


def _rules(configuration: Configuration) -> EffectiveSetting:
    configured = configuration.values.get(RULES)
    if configured is None:
        return EffectiveSetting(RULES, [], "default", None)
    return EffectiveSetting(RULES, [_rule(rule) for rule in configuration.rules], "file", str(configured.file))


def _rule(rule: Rule) -> dict[str, Any]:
    limits: dict[str, Any] = {"level": rule.level, "min-score": rule.min_score, "max-drop": rule.max_drop}
    limits |= {f"max-{name}": worst for name, worst in rule.max_faults.items()}
    limits |= {"forbid": list(rule.forbid) or None}
    return {"files": list(rule.files)} | {name: value for name, value in limits.items() if value is not None}


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _write_json(holdings: list[EffectiveSetting], configuration: Configuration, stream: TextIO) -> None:
    document = {
        "schema": SCHEMA,
        "files": [str(file) for file in configuration.files],
        "ignored": [str(file) for file in configuration.ignored],
        "settings": [
            {"name": one.name, "value": one.value, "source": one.source, "where": one.where} for one in holdings
        ],
    }
    write_json(document, stream)


def _write_text(holdings: list[EffectiveSetting], configuration: Configuration, stream: TextIO) -> None:
    rows = [row for holding in holdings for row in _rows(holding)]
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, value, where in rows:
        stream.write(f"{name:{names}}  {value:{values}}  {where}".rstrip() + "\n")
    files = ", ".join(_short(str(file)) for file in configuration.files)
    stream.write(f"\nFiles read, lowest precedence first: {files or 'none'}\n")
    if configuration.ignored:
        stream.write(
            f"Ignored, since another user owns them: {', '.join(map(_short, map(str, configuration.ignored)))}\n"
        )


def _rows(holding: EffectiveSetting) -> Iterator[tuple[str, str, str]]:
    where = _short(holding.where) if holding.where else holding.source
    if holding.name != RULES or not holding.value:
        yield holding.name, _shown(holding), where
        return
    for number, rule in enumerate(holding.value, start=1):
        said = ", ".join(f"{key} {value}" for key, value in rule.items() if key != "files")
        yield f"{RULES}[{number}]", printable(f"{' '.join(rule['files'])} → {said or 'nothing'}"), where


def _shown(holding: EffectiveSetting) -> str:
    if holding.value is None or holding.value == []:
        return holding.meaning
    return printable(str(holding.value).lower() if isinstance(holding.value, bool) else str(holding.value))


def _short(where: str) -> str:
    """A file relative to this folder where that is shorter; anything else as it is."""
    path = Path(where)
    if not path.is_absolute():
        return printable(where)
    with suppress(ValueError):  # on another drive
        return printable(min(str(path), os.path.relpath(path), key=len))
    return printable(str(path))
