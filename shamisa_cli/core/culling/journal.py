"""The journal of moved and copied files, from which they are brought back."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from shamisa_cli.core.errors import PARSE_ERRORS, SettingError
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.ownership import is_own
from shamisa_cli.core.plain_files import read_plain

JOURNAL = "shamisa-journal.jsonl"
MOST_BYTES = 1_000_000_000
"""Of a journal; a million files take some 200 MB."""

_LONGEST_LINE = 1_000_000
"""Bytes; two of the longest paths, all escaped, have some 100,000."""

Action = Literal["move", "copy"]


@dataclass(frozen=True)
class Transfer:
    """One file and the place it goes to."""

    action: Action
    source: Path
    target: Path

    def to_json(self) -> dict[str, str]:
        """The entry of the journal."""
        return {"action": self.action, "from": os.fspath(self.source), "to": os.fspath(self.target)}


def remove_unfinished_line(journal: Path) -> None:
    """Remove the end of a journal that a crash or a full disk cut off, since more is to be written after it.

    Raises:
        SettingError: it is not a regular file, or ends in a line longer than any of a journal.
    """
    if not os.path.lexists(journal):
        return
    if not is_file(journal):
        raise SettingError(f"{journal} is not a regular file, so no journal can be kept there. Name another folder.")
    with journal.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _LONGEST_LINE))
        end = stream.read(_LONGEST_LINE)
    if end.endswith(b"\n") or not end:
        return
    kept = end.rfind(b"\n") + 1
    if not kept and size > _LONGEST_LINE:
        raise SettingError(f"{journal} is not a journal of shamisa. Move it away, or name another folder.")
    os.truncate(journal, size - len(end) + kept)


@dataclass(frozen=True)
class DamagedLine:
    """A line of a journal that is no transfer, with its line break."""

    number: int
    content: bytes
    reason: str


def read_journal(file: Path) -> list[Transfer | DamagedLine]:
    """The transfers in a journal. An unfinished last line, left by a crash, was never carried out.

    A journal moves files, so only one of this user's is obeyed, and only for files in its folder.

    Raises:
        SettingError: there is no journal, it is another user's, names files elsewhere, or is no journal at all.
    """
    try:
        if not is_own(file.absolute()):
            raise SettingError(f"{file} is another user's, who alone can undo what it says.")
        lines = read_plain(file, MOST_BYTES).split(b"\n")[:-1]
    except (FileNotFoundError, NotADirectoryError):
        raise SettingError(f"{file} does not exist: nothing was moved or copied to that folder.") from None
    entries = [_entry(number, line) for number, line in enumerate(lines, 1)]
    transfers = [each for each in entries if isinstance(each, Transfer)]
    elsewhere = _elsewhere(file.parent, transfers)
    if elsewhere is not None:
        raise SettingError(
            f"{file} names {elsewhere.target}, which is not in this folder, or had another name before. Was the "
            "folder moved? Move its files back by hand."
        )
    if entries and not transfers:
        raise SettingError(f"{file} is not a journal: no line of it can be read. Move the files back by hand.")
    return entries


def _entry(number: int, line: bytes) -> Transfer | DamagedLine:
    try:
        return _transfer(json.loads(line))
    except (*PARSE_ERRORS, KeyError, TypeError) as error:
        return DamagedLine(number, line + b"\n", str(error) or type(error).__name__)


def require_transfers(transfers: Sequence[Transfer], folder: Path) -> None:
    """Refuse what a journal in the folder could not undo.

    Raises:
        SettingError: a transfer is not one that `plan_transfers` makes for this folder.
    """
    odd = next((each for each in transfers if not _is_usable(each)), None)
    if odd is not None:
        raise SettingError(f"{odd} is no transfer: the action is move or copy, and both places are absolute Paths.")
    elsewhere = _elsewhere(folder, transfers)
    if elsewhere is not None:
        raise SettingError(
            f"{elsewhere.source} is to become {elsewhere.target}, which a journal in {folder} could not undo. Plan the "
            "transfers for this folder with plan_transfers."
        )


def _is_usable(transfer: Transfer) -> bool:
    places = (transfer.source, transfer.target)
    return transfer.action in get_args(Action) and all(isinstance(each, Path) and each.is_absolute() for each in places)


def _elsewhere(folder: Path, transfers: Iterable[Transfer]) -> Transfer | None:
    """The first transfer that `plan_transfers` does not make: into the folder, below which files keep their places."""
    inside, real = os.path.realpath(folder), functools.cache(os.path.realpath)

    def is_of(transfer: Transfer) -> bool:
        place = Path(real(transfer.target.parent), transfer.target.name)
        if not place.is_relative_to(inside):
            return False
        below = place.relative_to(inside).parts
        return transfer.source.parts[-len(below) :] == below

    return next((each for each in transfers if not is_of(each)), None)


def _transfer(entry: dict[str, str]) -> Transfer:
    action, source, target = entry["action"], Path(entry["from"]), Path(entry["to"])
    if action in ("move", "copy") and source.is_absolute() and target.is_absolute():
        return Transfer("move" if action == "move" else "copy", source, target)
    raise ValueError(f"unknown entry {entry}")


def line_of(transfer: Transfer) -> str:
    """The line of a transfer."""
    return json.dumps(transfer.to_json()) + "\n"
