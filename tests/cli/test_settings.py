"""Every option that can be set has one key in files, and keys once published stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from shamisa_cli.cli.app import build_app
from shamisa_cli.cli.settings import SETTINGS, known_settings

KEYS = {
    "cache", "cache-dir", "cache-size", "device", "format", "gate.baseline", "gate.max-drop",
    "gate.max-difference", "gate.min-relational-score", "gate.min-score", "gate.strict", "groups.burst-gap",
    "groups.similarity", "jobs", "max-memory", "max-pixels", "model", "offline", "probe", "recursive",
    "relational-model", "resize", "runtime", "shard", "skip-unreadable", "sort", "view-size",
}  # fmt: skip
"""In files of projects that exist: a key may be added, and none may go."""


def variables_of(command: Any) -> Iterator[str]:
    for each in getattr(command, "commands", {}).values():
        yield from variables_of(each)
        yield from (option.envvar for option in each.params if option.envvar)


def test_every_option_with_a_variable_has_one_key() -> None:
    assert set(variables_of(get_command(build_app()))) == set(SETTINGS)
    assert len(set(SETTINGS.values())) == len(SETTINGS)


def test_the_keys_are_those_that_files_use() -> None:
    assert set(SETTINGS.values()) == KEYS
    assert set(known_settings(get_command(build_app()))) == KEYS
