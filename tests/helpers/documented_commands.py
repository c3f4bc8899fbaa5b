"""The command lines on README and the pages of docs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
BLOCK = re.compile(r"```(?:sh|console)\n(.*?)```", re.DOTALL)


def typed(page: Path) -> list[list[str]]:
    """Words after `shamisa` of each command line on a page."""
    found = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if "shamisa " in line else []
            for at, word in enumerate(words):
                if word == "shamisa" and (at == 0 or words[at - 1] in ("|", "&&", "bin/shamisa")):
                    rest = words[at + 1 :]
                    ends = [index for index, each in enumerate(rest) if each in ("|", "&&", "||", ";", ">")]
                    found.append(rest[: min(ends, default=len(rest))])
    return found


COMMANDS = [(page, words) for page in PAGES for words in typed(page)]
