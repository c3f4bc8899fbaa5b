"""The pages about the commands are those that the program would write today."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

PAGES = Path(__file__).resolve().parents[2] / "docs" / "cli"


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """The script that writes the pages; it comes with a checkout and not with the package."""
    script = PAGES / "make.py"
    if not script.is_file():
        pytest.skip("the documentation is not beside these tests")
    spec = importlib.util.spec_from_file_location("make_cli_pages", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def test_every_page_is_current(make: ModuleType) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    assert written == make.pages(), "run: python docs/cli/make.py"


def test_every_command_has_a_page_that_names_its_options(make: ModuleType) -> None:
    pages = make.pages()
    assert {"score.md", "fit-probe.md", "models-pull.md"} <= set(pages)
    assert "`--format text\\|json" in pages["score.md"]
    assert "`--json`" in pages["models-list.md"]
    assert "(models-push.md)" in pages["README.md"]


def test_every_option_of_the_help_text_is_on_the_page(make: ModuleType) -> None:

    from typer.main import get_command

    from shamisa_cli.cli.app import build_app

    program = get_command(build_app())
    for name, command in program.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            continue
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        on_page = set(re.findall(r"`(--[a-z0-9-]+)", make.pages()[f"{name}.md"]))
        assert options - {"--help"} <= on_page, name
