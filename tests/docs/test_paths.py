"""Files, folders, modules, sections and names in Python that the pages name are there."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
FOLDERS = ("benchmarks", "cli", "core", "docs", "examples", "shamisa_cli", "tests", "weights")
MODULES = REPOSITORY / "shamisa_cli"

LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*\w")
DOTTED = re.compile(r"\bshamisa_cli(?:\.\w+)+")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())


def sections(page: Path) -> set[str]:
    """The names by which the sections of a page are linked to."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, section in LINK.findall(page.read_text(encoding="utf-8")):
        place = page.parent / target if target else page
        assert place.exists(), target
        assert not section or section in sections(place), f"{target}#{section}"


@every_page
def test_every_path_of_this_project_is_there(page: Path) -> None:
    for named in PATH.findall(page.read_text(encoding="utf-8")):
        if not any((root / named).exists() for root in (REPOSITORY, MODULES, page.parent)):
            # a module, or what stands in it
            pkgutil.resolve_name("shamisa_cli." + named.removeprefix("shamisa_cli/").replace("/", "."))


@every_page
def test_every_dotted_name_can_be_imported(page: Path) -> None:
    for named in DOTTED.findall(page.read_text(encoding="utf-8")):
        pkgutil.resolve_name(named)
