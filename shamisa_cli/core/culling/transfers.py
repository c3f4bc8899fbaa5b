"""Moving and copying images into a folder, with a journal from which everything can be undone."""

from __future__ import annotations

import errno
import filecmp
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from shamisa_cli.core.culling.xmp import SUFFIX
from shamisa_cli.core.errors import PARSE_ERRORS, SettingError

JOURNAL = "shamisa-journal.jsonl"
NO_LINKS = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}
"""Errors of file systems on which a file cannot get a second name."""

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
    """Outcome of one transfer; `problem` says why it was not made, and is empty if it was."""

    transfer: Transfer
    problem: str = ""


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

    Each transfer is in the journal, on disk, before it is made, so that an interrupted run can be undone too.
    """
    if not transfers:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        for transfer in transfers:
            yield TransferResult(transfer, _carried_out(transfer, journal))


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
        file.write_text("".join(_line(transfer) for transfer in reversed(left)), encoding="utf-8")
    else:
        file.unlink()


def read_journal(file: Path) -> list[Transfer]:
    """The transfers in a journal. An unfinished last line, left by a crash, was never carried out.

    Raises:
        SettingError: there is no journal, or it is damaged.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]
        entries = [json.loads(line) for line in lines]
        return [_transfer(entry) for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        raise SettingError(f"{file} does not exist: nothing was moved or copied to that folder.") from None
    except (*PARSE_ERRORS, KeyError, TypeError) as error:
        raise SettingError(f"{file} is not a journal ({error}). Move the files back by hand.") from None


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


def _carried_out(transfer: Transfer, journal: TextIO) -> str:
    if os.path.lexists(transfer.target):
        return f"{transfer.target} exists already."
    journal.write(_line(transfer))
    journal.flush()
    os.fsync(journal.fileno())
    try:
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
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            shutil.copyfileobj(reader, writer)
            writer.flush()
            os.fsync(writer.fileno())
        except BaseException:
            target.unlink()
            raise
    shutil.copystat(source, target)


def _undone(transfer: Transfer, *, dry: bool) -> str | None:
    """Undo one transfer: "" if done, None if it had not been made, else why it cannot be undone."""
    source, target = transfer.source, transfer.target
    if not os.path.lexists(target):
        return None if os.path.lexists(source) else f"{target} is gone."
    if transfer.action == "move" and os.path.lexists(source):
        if source.samefile(target):  # interrupted between the two steps of a move
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
