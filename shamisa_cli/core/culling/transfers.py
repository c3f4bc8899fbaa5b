"""Moving and copying images into a folder, with a journal from which everything can be undone."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from shamisa_cli.core.atomic import NO_LINKS, replacing
from shamisa_cli.core.culling.xmp import SUFFIX
from shamisa_cli.core.errors import PARSE_ERRORS, SettingError
from shamisa_cli.core.ownership import is_own
from shamisa_cli.core.plain_files import read_plain

JOURNAL = "shamisa-journal.jsonl"
MOST_BYTES = 1_000_000_000
"""Of a journal; a million files take some 200 MB."""

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


@dataclass(frozen=True)
class TransferResult:
    """Outcome of one transfer.

    Attributes:
        transfer: what was to be done.
        problem: why it was not; empty if it was.
        was_done: its copy was there already, as of an earlier run that was interrupted.
    """

    transfer: Transfer
    problem: str = ""
    was_done: bool = False


def plan_transfers(pictures: Iterable[Path], folder: Path, action: Action) -> list[Transfer]:
    """The transfers of images and their sidecars into a folder, below which they keep their places to each other.

    Sidecars are photo.jpg.xmp, and photo.xmp where no other file shares that name. All paths are absolute.
    """
    found = [Path(os.path.abspath(picture)) for picture in pictures]  # noqa: PTH100  a link is moved, not its target
    if not found:
        return []
    base = Path(os.path.commonpath([picture.parent for picture in found]))
    target = Path(os.path.abspath(folder))  # noqa: PTH100
    files = [file for picture in found for file in (picture, *_sidecars(picture))]
    return [Transfer(action, file, target / file.relative_to(base)) for file in dict.fromkeys(files)]


def transfer_files(transfers: Sequence[Transfer], folder: Path) -> Iterator[TransferResult]:
    """Move or copy files, one result each; nothing is ever overwritten.

    Each transfer is in the journal, on disk, before it is made, so that an interrupted run can be undone too, and
    files appear when they are complete. What an interrupted run had done is not done again.
    """
    if not transfers:
        return
    folder.mkdir(parents=True, exist_ok=True)
    _remove_unfinished_line(folder / JOURNAL)
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        for transfer in transfers:
            was_done = transfer.action == "copy" and _in_both_places(transfer)
            yield TransferResult(transfer, "" if was_done else _carried_out(transfer, journal), was_done)


def _remove_unfinished_line(journal: Path) -> None:
    """Remove the end of a journal that a crash or a full disk cut off, since more is to be written after it."""
    if journal.is_file():
        content = journal.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(journal, content.rfind(b"\n") + 1)


def undo_transfers(folder: Path, *, dry: bool = False) -> Iterator[TransferResult]:
    """Undo the journal of a folder, last transfer first: move files back, and remove copies that were not changed.

    What cannot be undone keeps its entry. An empty journal is removed.

    Raises:
        SettingError: the folder has no journal, or it is damaged.
    """
    file = folder / JOURNAL
    left: list[Transfer] = []
    for transfer in reversed(read_journal(file)):
        problem = _undone(transfer, dry=dry)
        if problem:
            left.append(transfer)
        if problem is not None:
            yield TransferResult(transfer, problem)
    if dry:
        return
    if left:
        with replacing(file) as beside:
            beside.write_text("".join(_line(transfer) for transfer in reversed(left)), encoding="utf-8")
    else:
        file.unlink()


def read_journal(file: Path) -> list[Transfer]:
    """The transfers in a journal. An unfinished last line, left by a crash, was never carried out.

    A journal moves files, so only one of this user's is obeyed, and only for files in its folder.

    Raises:
        SettingError: there is no journal, it is another user's, names files elsewhere, or is damaged.
    """
    try:
        if not is_own(file.absolute()):
            raise SettingError(f"{file} is another user's, who alone can undo what it says.")
        lines = read_plain(file, MOST_BYTES).decode().split("\n")[:-1]
        transfers = [_transfer(json.loads(line)) for line in lines]
        elsewhere = next((each for each in transfers if not _is_of(file.parent, each)), None)
        if elsewhere is not None:
            raise SettingError(
                f"{file} names {elsewhere.target}, which is not in this folder, or had another name before. Was the "
                "folder moved? Move its files back by hand."
            )
        return transfers
    except (FileNotFoundError, NotADirectoryError):
        raise SettingError(f"{file} does not exist: nothing was moved or copied to that folder.") from None
    except (*PARSE_ERRORS, KeyError, TypeError) as error:
        raise SettingError(f"{file} is not a journal ({error}). Move the files back by hand.") from None


def _is_of(folder: Path, transfer: Transfer) -> bool:
    """Whether a transfer is one that `plan_transfers` makes: into the folder, below which the file keeps its place."""
    inside, target = os.path.realpath(folder), transfer.target
    place = Path(os.path.realpath(target.parent), target.name)
    if not place.is_relative_to(inside):
        return False
    below = place.relative_to(inside).parts
    return transfer.source.parts[-len(below) :] == below


def _transfer(entry: dict[str, str]) -> Transfer:
    action, source, target = entry["action"], Path(entry["from"]), Path(entry["to"])
    if action in ("move", "copy") and source.is_absolute() and target.is_absolute():
        return Transfer("move" if action == "move" else "copy", source, target)
    raise ValueError(f"unknown entry {entry}")


def _sidecars(picture: Path) -> Iterator[Path]:
    appended = picture.with_name(picture.name + SUFFIX)
    if appended.is_file():
        yield appended
    replaced = picture.with_suffix(SUFFIX)
    if replaced != picture and replaced.is_file():
        relatives = [file for file in picture.parent.glob(f"{_escaped(picture.stem)}.*") if file.suffix != SUFFIX]
        if relatives == [picture]:
            yield replaced


def _escaped(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _line(transfer: Transfer) -> str:
    return json.dumps(transfer.to_json()) + "\n"


def _in_both_places(transfer: Transfer) -> bool:
    """Whether a file is at its place already: copied, or moved by a run that was interrupted between its two steps."""
    source, target = transfer.source, transfer.target
    try:
        if source == target:
            return False
        if os.path.samestat(source.lstat(), target.lstat()):
            return True
        links = source.is_symlink() or target.is_symlink()
        return not links and target.is_file() and filecmp.cmp(source, target, shallow=False)
    except OSError:
        return False


def _carried_out(transfer: Transfer, journal: TextIO) -> str:
    half_moved = transfer.action == "move" and _in_both_places(transfer)
    if os.path.lexists(transfer.target) and not half_moved:
        return f"{transfer.target} exists already."
    journal.write(_line(transfer))
    journal.flush()
    os.fsync(journal.fileno())
    try:
        if half_moved:
            transfer.source.unlink()
            return ""
        transfer.target.parent.mkdir(parents=True, exist_ok=True)
        (_move if transfer.action == "move" else _copy)(transfer.source, transfer.target)
    except FileExistsError:
        return f"{transfer.target} exists already."
    except OSError as error:
        return f"{transfer.source} could not be transferred: {error.strerror or error}."
    return ""


def _move(source: Path, target: Path) -> None:
    """Move a file without ever overwriting one: by a second name, or where that is not possible by a copy."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _copy(source, target)
    source.unlink()


def _copy(source: Path, target: Path) -> None:
    with replacing(target, only_new=True) as beside:
        with source.open("rb") as reader, beside.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
        shutil.copystat(source, beside)


def _undone(transfer: Transfer, *, dry: bool) -> str | None:
    """Undo one transfer: "" if done, None if it had not been made, else why it cannot be undone."""
    source, target = transfer.source, transfer.target
    if not os.path.lexists(target):
        return None if os.path.lexists(source) else f"{target} is gone."
    if transfer.action == "move" and os.path.lexists(source):
        if _in_both_places(transfer):
            return _try(target.unlink, dry)
        return f"{source} exists again; {target} was left where it is."
    if transfer.action == "copy":
        if not source.is_file() or not filecmp.cmp(source, target, shallow=False):
            return f"{target} differs from {source}; it was left where it is."
        return _try(target.unlink, dry)
    return _try(lambda: _move_back(target, source), dry)


def _move_back(moved: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    _move(moved, place)


def _try(action: Callable[[], None], dry: bool) -> str:
    if dry:
        return ""
    try:
        action()
    except OSError as error:
        return f"{error.filename}: {error.strerror}."
    return ""
