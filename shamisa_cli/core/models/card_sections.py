"""Parts of a model card that a command writes anew each time, between marks, so that the rest stays a person's own."""

from __future__ import annotations

from pathlib import Path

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.models.manifest import CARD


def write_section(folder: Path, name: str, text: str) -> None:
    """Put `text` into the section `name` of the folder's card; a card without it gets it at its end."""
    path = folder / CARD
    card = path.read_text(encoding="utf-8") if path.is_file() else ""
    with replacing(path) as temporary:
        temporary.write_text(with_section(card, name, text), encoding="utf-8", newline="\n")


def with_section(card: str, name: str, text: str) -> str:
    """The card, Markdown, with its section of that name replaced, or added at the end."""
    begin, end = f"<!-- shamisa {name} -->", f"<!-- /shamisa {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    before, found, rest = card.partition(begin)
    _, closed, after = rest.partition(end)
    if found and closed:
        return before + section + after
    return f"{card.rstrip()}\n\n{section}\n" if card.strip() else f"{section}\n"
