"""Settings in a project's files: finding, reading and checking them."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from shamisa_cli.core.errors import PARSE_ERRORS, SettingError
from shamisa_cli.core.existence import exists, is_dir, is_file, is_link
from shamisa_cli.core.full_size.record import MEASURES
from shamisa_cli.core.overrides import shown
from shamisa_cli.core.ownership import folders_to_search, is_own, owns_link
from shamisa_cli.core.plain_files import read_plain
from shamisa_cli.core.remarks.remark import require_remarks
from shamisa_cli.core.scoring.gate import LEVELS, Rule

PYPROJECT = "pyproject.toml"
OWN_FILE = "shamisa.toml"
RULES = "gate.rules"
FAULT_KEYS = {f"max-{measure}": measure for measure in MEASURES}
RULE_KEYS = ("files", "level", "min-score", "max-drop", *FAULT_KEYS, "forbid")
MOST_BYTES = 1_000_000  # of a settings file
"""How much of another user's file is looked at."""


@dataclass(frozen=True)
class FileSetting:
    """A value from a file (for `RULES`: a tuple of `Rule`), and the file."""

    value: Any
    file: Path


@dataclass(frozen=True)
class Configuration:
    """Settings read from a project's files.

    Attributes:
        files: the files that were read, in order of rising precedence.
        values: dotted name of a setting → its value in the file of highest precedence that has it.
        ignored: files that were not read, since they belong to another user.
    """

    files: tuple[Path, ...] = ()
    values: Mapping[str, FileSetting] = field(default_factory=dict)
    ignored: tuple[Path, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of the gate; empty when no file has any."""
        return self.values[RULES].value if RULES in self.values else ()

    @property
    def rules_folder(self) -> Path:
        """Folder that the patterns of the rules are relative to."""
        return self.values[RULES].file.parent if RULES in self.values else Path()


def read_configuration(start: Path, known: Collection[str], safe: Sequence[str] = ()) -> Configuration:
    """Read `[tool.shamisa]` of pyproject.toml, then shamisa.toml, which takes precedence.

    Of each, the file nearest to `start` is read: in `start` itself or in a folder above it, up to the one that
    holds .git, or else up to the first folder of another user. A pyproject.toml without that table is skipped, and
    so are files that are neither this user's nor root's.

    Args:
        start: an absolute folder.
        known: the dotted names of all settings, such as "model" or "gate.min-score"; rules need not be named.
        safe: folders in which files of all users count; see `is_own`.

    Raises:
        SettingError: a file is not TOML, has an unknown name or an invalid rule, or is not a file (but a dangling
            link, a folder, a pipe).
    """
    folders = list(folders_to_search(start, safe))
    for name in (PYPROJECT, OWN_FILE):
        _refuse_what_is_no_file(folders, name)
    named = [[folder / name for folder in folders if is_file(folder / name)] for name in (PYPROJECT, OWN_FILE)]
    ignored = [file for files in named for file in files if not is_own(file, safe) and _has_settings(file)]
    nearest = [_nearest(file for file in files if is_own(file, safe)) for files in named]
    found = [(file, table) for file, table in nearest if file]
    values: dict[str, FileSetting] = {}
    for file, table in found:
        for name, value in _flat(table, {*known, RULES}, file):
            values[name] = FileSetting(_rules(value, file) if name == RULES else value, file)
    return Configuration(tuple(file for file, _ in found), values, tuple(ignored))


def suggestion(name: str, known: Collection[str]) -> str:
    """Second half of a sentence that says `name` is not known: the nearest known name, or all of them."""
    spelled = name.replace("_", "-").lower()
    last = spelled.rpartition(".")[2]
    elsewhere = [other for other in known if other.rpartition(".")[2] == last]
    close = elsewhere or get_close_matches(spelled, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f". Known are {', '.join(sorted(known))}."


def _nearest(files: Iterable[Path]) -> tuple[Path | None, Mapping[str, Any]]:
    for file in files:
        table = _own_part(_parsed(file), file)
        if table is not None:
            return file, table
    return None, {}


def _has_settings(file: Path) -> bool:
    """Whether another user's file would have been read: not every pyproject.toml says something about this program."""
    if file.name != PYPROJECT:
        return True
    try:
        with file.open("rb") as content:
            return b"tool.shamisa" in content.read(MOST_BYTES)
    except OSError:
        return False


def _refuse_what_is_no_file(folders: Iterable[Path], name: str) -> None:
    """Raise SettingError if settings stand where no file is: a gate would be off in silence."""
    for folder in folders:
        file = folder / name
        if is_file(file):
            return
        if not os.path.lexists(file) or not owns_link(file):
            continue
        if is_link(file) and not exists(file):
            raise SettingError(
                f"{file} is a link to what does not exist: {file.readlink()}. Mend the link, or remove it."
            )
        kind = "a folder" if is_dir(file) else "a device, pipe or socket"
        raise SettingError(f"{file} is {kind}, not a file of settings. Put the file there, or remove it.")


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_plain(file, MOST_BYTES).decode("utf-8-sig"))
    except PARSE_ERRORS as error:
        raise SettingError(f"{file} is not valid TOML: {error}.") from None


def _own_part(document: Mapping[str, Any], file: Path) -> Mapping[str, Any] | None:
    if file.name != PYPROJECT:
        return document
    tools = document.get("tool", {})
    table = tools.get("shamisa") if isinstance(tools, Mapping) else None
    if table is not None and not isinstance(table, Mapping):
        raise SettingError(f"{file}: tool.shamisa is {shown(table)}; it should be a table of settings.")
    return table


def _flat(table: Mapping[str, Any], known: Collection[str], file: Path, where: str = "") -> Iterator[tuple[str, Any]]:
    tables = {name.rpartition(".")[0] for name in known}
    for key, value in table.items():
        name = where + key
        if name in tables and isinstance(value, Mapping):
            yield from _flat(value, known, file, f"{name}.")
        elif name in known:
            yield name, value
        elif name in tables:
            raise SettingError(f"{file}: {name} is {shown(value)}; it should be a table of settings.")
        else:
            raise SettingError(f"{file}: there is no setting {name!r}{suggestion(name, known)}")


def _rules(value: Any, file: Path) -> tuple[Rule, ...]:
    if not isinstance(value, list):
        raise SettingError(f"{file}: {RULES} is {shown(value)}; each rule is a table, [[tool.shamisa.gate.rules]].")
    return tuple(_rule(table, f"{file}: {RULES}[{number}]") for number, table in enumerate(value, start=1))


def _rule(table: Any, where: str) -> Rule:
    if not isinstance(table, Mapping):
        raise SettingError(f"{where} is {shown(table)}; it should be a table with {', '.join(RULE_KEYS)}.")
    for key in table:
        if key not in RULE_KEYS:
            raise SettingError(f"{where}: there is no setting {key!r}{suggestion(key, RULE_KEYS)}")
    level = table.get("level")
    if level is not None and level not in LEVELS:
        raise SettingError(f"{where}.level is {shown(level)}; it can be {', '.join(LEVELS)}.")
    files = table.get("files")
    patterns = [files] if isinstance(files, str) else files
    if not isinstance(patterns, list) or not patterns or not all(isinstance(one, str) and one for one in patterns):
        raise SettingError(f"{where}.files is {shown(files)}; it should be a pattern, or a list of patterns.")
    low, drop = (
        _number(table.get(key), f"{where}.{key}", most) for key, most in (("min-score", 100), ("max-drop", None))
    )
    faults = {name: _number(table[key], f"{where}.{key}", 4) for key, name in FAULT_KEYS.items() if key in table}
    worst = {name: value for name, value in faults.items() if value is not None}
    forbid = table.get("forbid", [])
    if not isinstance(forbid, list) or not all(isinstance(one, str) for one in forbid):
        raise SettingError(f"{where}.forbid is {shown(forbid)}; it should be a list of remarks.")
    try:
        require_remarks(forbid)
        return Rule(tuple(patterns), level, low, drop, worst, tuple(forbid))
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from None


def _number(value: Any, where: str, most: float | None) -> float | None:
    if value is None:
        return None
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not 0 <= value <= (sys.float_info.max if most is None else most):
        raise SettingError(
            f"{where} is {shown(value)}; it should be a number {'from 0' if most is None else f'from 0 to {most}'}."
        )
    return float(value)
