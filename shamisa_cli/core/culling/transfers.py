"""Moving and copying images into a folder, with a journal from which everything can be undone."""

from __future__ import annotations

import filecmp
import functools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from shamisa_cli.core.atomic import NO_LINKS, replacing
from shamisa_cli.core.culling.journal import (
    JOURNAL,
    Action,
    DamagedLine,
    Transfer,
    line_of,
    read_journal,
    remove_unfinished_line,
)
from shamisa_cli.core.culling.xmp import own_sidecars
from shamisa_cli.core.errors import SettingError, item_error
from shamisa_cli.core.existence import is_file, is_link
from shamisa_cli.core.sole_writer import sole_writer


@dataclass(frozen=True)
class TransferResult:
    """Outcome of one transfer.

    Attributes:
        transfer: what was to be done; None for a line of a journal that cannot be read.
        problem: why it was not; empty if it was.
        was_done: its copy was there already, as of an earlier run that was interrupted.
    """

    transfer: Transfer | None
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
    files = [file for picture, sidecars in own_sidecars(found).items() for file in (picture, *sidecars)]
    return [Transfer(action, file, target / file.relative_to(base)) for file in dict.fromkeys(files)]


def outside(pictures: Sequence[Path], folder: Path) -> list[Path]:
    """The images that are not in a folder, where earlier transfers put them; all where every one is there."""
    inside = os.path.realpath(folder)
    left = [picture for picture in pictures if not Path(os.path.realpath(picture.parent)).is_relative_to(inside)]
    return left or list(pictures)


def transfer_files(transfers: Sequence[Transfer], folder: Path) -> Iterator[TransferResult]:
    """Move or copy files, one result each; nothing is ever overwritten.

    Each transfer is in the journal, on disk, before it is made, so that an interrupted run can be undone too, and
    files appear when they are complete. What an interrupted run had done is not done again.

    Raises:
        SettingError: another run moves, copies or undoes in the folder, or its journal is none.
    """
    if not transfers:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with sole_writer(folder / JOURNAL):
        yield from _transferred(transfers, folder / JOURNAL)


def undo_transfers(folder: Path, *, dry: bool = False) -> Iterator[TransferResult]:
    """Undo the journal of a folder, last transfer first: move files back, and remove copies that were not changed.

    What cannot be undone keeps its entry, and so does a line that cannot be read. An empty journal is removed.

    Raises:
        SettingError: the folder has no journal, no line of it can be read, or another run writes there.
    """
    with nullcontext() if dry else sole_writer(folder / JOURNAL):
        yield from _all_undone(folder / JOURNAL, dry=dry)


def _all_undone(file: Path, *, dry: bool) -> Iterator[TransferResult]:
    left: list[bytes] = []
    for entry in reversed(read_journal(file)):
        if isinstance(entry, DamagedLine):
            left.append(entry.content)
            yield TransferResult(None, f"{file}, line {entry.number} is damaged ({entry.reason}), and was left there.")
            continue
        try:
            problem = _undone(entry, dry=dry)
        except OSError as error:
            problem = f"{entry.target} cannot be compared with {entry.source}: {error.strerror or error}."
        if problem:
            left.append(line_of(entry).encode())
        if problem is not None:
            yield TransferResult(entry, problem)
    if dry:
        return
    if left:
        with replacing(file) as beside:
            beside.write_bytes(b"".join(reversed(left)))
    else:
        file.unlink()


def _transferred(transfers: Sequence[Transfer], file: Path) -> Iterator[TransferResult]:
    remove_unfinished_line(file)
    begun = functools.cache(lambda: _transfers_of(file))
    try:
        with file.open("a", encoding="utf-8") as journal:
            for transfer in transfers:
                was_done = transfer.action == "copy" and _is_copied(transfer)
                problem = "" if was_done else _carried_out(transfer, journal, begun)
                yield TransferResult(transfer, problem, was_done)
    finally:
        with suppress(OSError):
            if not file.stat().st_size:  # nothing was done
                file.unlink()


def _is_copied(transfer: Transfer) -> bool:
    """Whether the copy is there and holds what its source holds; not if it is the source, reached by another path."""
    source, target = transfer.source, transfer.target
    try:
        if is_link(target) or _is_one_entry(source, target) or (is_link(source) and source.samefile(target)):
            return False
        return is_file(source) and is_file(target) and filecmp.cmp(source, target, shallow=False)
    except OSError:
        return False


def _is_half_moved(transfer: Transfer) -> bool:
    """Whether a file is in both places, as after a run that was interrupted between the two steps of a move."""
    source, target = transfer.source, transfer.target
    try:
        if _is_one_entry(source, target):
            return False
        if os.path.samestat(source.lstat(), target.lstat()):
            return True
        if is_link(source) or is_link(target):
            return is_link(source) and is_link(target) and _led_to(source) == _led_to(target)
        return is_file(target) and filecmp.cmp(source, target, shallow=False)
    except OSError:
        return False


def _is_one_entry(first: Path, second: Path) -> bool:
    """Whether two paths lead to one name in one folder, as through a link, a second mount, or where case is ignored.

    To remove one is to remove the other. Raises OSError where one cannot be looked at.
    """
    is_one_file = os.path.samestat(first.lstat(), second.lstat())
    return is_one_file and os.path.samestat(first.parent.stat(), second.parent.stat())


def _transfers_of(journal: Path) -> Set[Transfer]:
    """All that a journal says was begun; nothing if it cannot be read."""
    try:
        return {entry for entry in read_journal(journal) if isinstance(entry, Transfer)}
    except SettingError:
        return set()


def _carried_out(transfer: Transfer, journal: TextIO, begun: Callable[[], Set[Transfer]]) -> str:
    half_moved = transfer.action == "move" and _is_half_moved(transfer) and transfer in begun()
    if os.path.lexists(transfer.target) and not half_moved:
        return f"{transfer.target} exists already."
    journal.write(line_of(transfer))
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
    except Exception as error:
        return str(item_error(transfer.source, error))
    return ""


def _move(source: Path, target: Path) -> None:
    """Move a file without ever overwriting one: by a second name, or where that is not possible by a copy.

    A link is made anew, and leads to where it led.
    """
    if is_link(source):
        destination = source.readlink()
        if not destination.is_absolute():
            destination = Path(os.path.relpath(_led_to(source), os.path.realpath(target.parent)))
        target.symlink_to(destination)
        source.unlink()
        return
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _copy(source, target)
    source.unlink()


def _led_to(link: Path) -> Path:
    """The place that a link names, whether or not something is there."""
    place = link.parent / link.readlink()
    return Path(os.path.realpath(place.parent), place.name)


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
        if _is_half_moved(transfer):
            return _try(target.unlink, dry)
        return f"{source} exists again; {target} was left where it is."
    if transfer.action == "copy":
        if not _is_copied(transfer):
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
