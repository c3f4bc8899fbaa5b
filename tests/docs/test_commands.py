"""Command lines and links in README and docs: each command and option exists, each file that is linked is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from helpers.documented_commands import COMMANDS, PAGES, REPOSITORY
from typer.main import get_command

from shamisa_cli.cli.app import build_app

LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


def test_there_are_command_lines() -> None:
    assert len(COMMANDS) > 60


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else value.name
)
def test_a_command_line_has_a_command_and_options_that_exist(page: Path, words: list[str]) -> None:
    command: Any = get_command(build_app())
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"{page.name}: shamisa {' '.join(words)}"
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "-h", "--debug", "--install-completion", "--show-completion"}
    used = {word.partition("=")[0] for word in rest if re.match(r"--[a-z]|-[a-z0]$", word)}
    assert used <= known, f"{page.name}: shamisa {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_front_page_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
