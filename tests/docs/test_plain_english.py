"""Pages, help texts and messages are in standard words; phrases that readers stumbled over do not return."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
"""The pages of docs/cli hold the help texts, those of docs/api the docstrings."""
MODULES = sorted((REPOSITORY / "shamisa_cli").rglob("*.py"))

ODD = (
    r"scores of another day",
    r"found out about pictures",
    r"what was not used for longest",
    r"nothing could be done: ",
    r"a picture a row",
    r"a (row|line) each\b",
    r"one number a picture",
    r"into so many",
    r"nobody sees",
    r"became free in",
    r"give its ports to nobody",
    r"the bar: exit code",
    r"under the bar of",
    r"with no bar to reach",
    r"no regular file",
    r"its numbers would mean nothing",
    r"has no meaning with",
    r"get the folder again",
    r"now and then",
    r"mailed around",
    r"for this very version",
)
"""Patterns of phrases, in any case."""
ODD_IN_MESSAGES = (r"The line is no (JSON|object)", r"\bMend it\b", r"lines? a picture\b", r"truer|falser")


@pytest.mark.parametrize("file", [*PAGES, *MODULES], ids=lambda file: file.relative_to(REPOSITORY).as_posix())
def test_no_odd_phrase(file: Path) -> None:
    text = re.sub(r"[\s\"]+", " ", file.read_text(encoding="utf-8"))
    for phrase in ODD if file.suffix == ".md" else (*ODD, *ODD_IN_MESSAGES):
        assert not re.search(phrase, text, re.IGNORECASE), phrase
