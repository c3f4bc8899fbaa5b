"""Moving and copying images into a folder, with a journal from which everything can be undone."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeVar

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.culling.file_moves import copy, is_copied, is_half_moved, move
from shamisa_cli.core.culling.journal import (
    JOURNAL,
    Action,
    DamagedLine,
    Transfer,
    line_of,
    read_journal,
    remove_unfinished_line,
    require_transfers,
)
from shamisa_cli.core.culling.sidecar_names import SUFFIX, is_sidecar_of, own_sidecars, sidecar_of
from shamisa_cli.core.errors import item_error
from shamisa_cli.core.existence import is_dir, is_gone, may
from shamisa_cli.core.relative_names import common_folder
from shamisa_cli.core.sole_writer import sole_writer

Entry = TypeVar("Entry", bound=Transfer | DamagedLine)


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

    Also to those that are there from the same folder, as of a run that was interrupted. Sidecars are as `own_sidecars`
    finds them. All paths are absolute.

    Raises:
        SettingError: the folder's journal could undo nothing, or the images lie on several drives.
    """
    found = [Path(os.path.abspath(picture)) for picture in pictures]  # noqa: PTH100  a link is moved, not its target
    if not found:
        return []
    target = Path(os.path.abspath(folder))  # noqa: PTH100
    base = _base(common_folder(picture.parent for picture in found), target, action)
    files = [file for picture, sidecars in own_sidecars(found).items() for file in (picture, *sidecars)]
    return [Transfer(action, file, target / file.relative_to(base)) for file in dict.fromkeys(files)]


def _base(common: Path, target: Path, action: Action) -> Path:
    """The folder that becomes `target`: the last that did and holds the images' common folder, else that one."""
    earlier = (
        transfer.source.parents[len(transfer.target.relative_to(target).parts) - 1]
        for transfer in reversed([*_begun(target / JOURNAL)])
        if transfer.action == action and transfer.target.is_relative_to(target)
    )
    return next((base for base in earlier if common.is_relative_to(base)), common)


def outside(pictures: Sequence[Path], folder: Path) -> list[Path]:
    """The images that are not in a folder, where earlier transfers put them; all where every one is there."""
    inside = os.path.realpath(folder)
    left = [picture for picture in pictures if not Path(os.path.realpath(picture.parent)).is_relative_to(inside)]
    return left or list(pictures)


def transfer_files(transfers: Sequence[Transfer], folder: Path, *, dry: bool = False) -> Iterator[TransferResult]:
    """Move or copy files, one result each; nothing is ever overwritten. With `dry`, only find out what would happen.

    Each transfer is in the journal, on disk, before it is made, so that an interrupted run can be undone too, and
    files appear when they are complete. What an interrupted run had done is not done again, and a sidecar that such a
    run left behind follows its picture first, with a result of its own.

    Raises:
        SettingError: another run moves, copies or undoes in the folder, its journal could undo nothing, as in a folder
            that was renamed, or a transfer is not one that `plan_transfers` makes for this folder.
    """
    require_transfers(transfers, folder)
    if dry:
        begun = _begun(folder / JOURNAL)
        for together in [*_left_behind(begun), *_together(transfers)]:
            yield from _transferred_together(together, None, begun)
        return
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
    for together in reversed(list(_together(read_journal(file)))):
        for result, line in _undone_together(together, file, dry=dry):
            if result.problem:
                left.append(line)
            yield result
    if dry:
        return
    if left:
        with replacing(file) as beside:
            beside.write_bytes(b"".join(reversed(left)))
    else:
        file.unlink()


def _together(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The entries as groups: a picture, then its sidecars."""
    group: list[Entry] = []
    for entry in entries:
        if group and not _belong_together(group[0], entry):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _belong_together(first: Transfer | DamagedLine, entry: Transfer | DamagedLine) -> bool:
    if isinstance(first, DamagedLine) or isinstance(entry, DamagedLine):
        return False
    return entry.action == first.action and is_sidecar_of(entry.source, first.source)


def _undone_together(together: Sequence[Entry], file: Path, *, dry: bool) -> Iterator[tuple[TransferResult, bytes]]:
    """Undo a group, last entry first, all or none; each result with its line of the journal."""
    transfers = [entry for entry in together if isinstance(entry, Transfer)]
    reason = next((problem for problem in (_undone(each, dry=True) for each in transfers) if problem), "")
    for entry in reversed(together):
        if isinstance(entry, DamagedLine):
            problem = f"{file}, line {entry.number} is damaged ({entry.reason}), and was left there."
            yield TransferResult(None, problem), entry.content
            continue
        undone = _undone(entry, dry=dry or bool(reason))
        if undone is not None:
            problem = undone or (f"{entry.target} was left where it is: {reason}" if reason else "")
            yield TransferResult(entry, problem), line_of(entry).encode()


def _transferred(transfers: Sequence[Transfer], file: Path) -> Iterator[TransferResult]:
    remove_unfinished_line(file)
    begun = _begun(file)
    try:
        with file.open("a", encoding="utf-8") as journal:
            for together in [*_left_behind(begun), *_together(transfers)]:
                yield from list(_transferred_together(together, journal, begun))  # a picture is not taken without them
    finally:
        with suppress(OSError):
            if not file.stat().st_size:  # nothing was done
                file.unlink()


def _transferred_together(
    together: Sequence[Transfer], journal: TextIO | None, begun: Collection[Transfer]
) -> Iterator[TransferResult]:
    """Move or copy a picture and its sidecars; none where a place of one of them is taken, or without a journal."""
    done = [_was_done(transfer, begun) for transfer in together]
    left = [transfer for transfer, was_done in zip(together, done, strict=True) if not was_done]
    file, reason = _obstacle(together, left)
    if journal is not None and not reason:
        _write_down(left, journal)
    for transfer, was_done in zip(together, done, strict=True):
        if was_done and (transfer.action == "copy" or not os.path.lexists(transfer.source)):
            yield TransferResult(transfer, was_done=True)
        elif reason:
            is_own = file in (transfer.source, transfer.target)
            yield TransferResult(transfer, reason if is_own else f"{transfer.source} was left where it is: {reason}")
        else:
            reason = "" if journal is None else _carried_out(transfer, half_moved=was_done)
            yield TransferResult(transfer, reason)


def _obstacle(together: Sequence[Transfer], left: Sequence[Transfer]) -> tuple[Path | None, str]:
    """The file and the reason for which a picture and its sidecars stay where they are; `left` are yet to go."""
    picture, places = together[0].target, [transfer.target for transfer in left]
    own = {transfer.target for transfer in together}
    beside = {sidecar_of(picture)} - own if picture in places and picture.suffix.lower() != SUFFIX else ()
    if taken := next((place for place in (*places, *beside) if os.path.lexists(place)), None):
        return taken, f"{taken} exists already."
    if gone := next((transfer.source for transfer in left if is_gone(transfer.source)), None):
        return gone, f"{gone} is not there any more."
    folder = together[0].source.parent
    if together[0].action == "move" and not may(folder, os.W_OK):
        return None, f"{folder} may not be changed. Copy from it instead."
    return None, ""


def _was_done(transfer: Transfer, begun: Collection[Transfer]) -> bool:
    """Whether an earlier run copied or moved the file, or gave it its new name and was interrupted before the old one
    ended."""
    if transfer.action == "copy":
        return is_copied(transfer)
    return (_is_moved(transfer) or is_half_moved(transfer)) and transfer in begun


def _is_moved(transfer: Transfer) -> bool:
    return os.path.lexists(transfer.target) and not os.path.lexists(transfer.source)


def _left_behind(begun: Iterable[Transfer]) -> list[list[Transfer]]:
    """Of what was begun, pictures that were moved with a sidecar that was not, since the run was interrupted."""
    moves = (transfer for transfer in begun if transfer.action == "move")
    return [group for group in _together(moves) if _is_moved(group[0]) and any(map(_is_to_be_moved, group[1:]))]


def _is_to_be_moved(transfer: Transfer) -> bool:
    return os.path.lexists(transfer.source) and not os.path.lexists(transfer.target)


def _begun(journal: Path) -> Collection[Transfer]:
    """The transfers that a journal says were begun, each once and in that order: none if there is no journal.

    Raises SettingError if nothing could be undone by the journal, and so not what would be added to it.
    """
    if not os.path.lexists(journal):
        return ()
    return dict.fromkeys(entry for entry in read_journal(journal) if isinstance(entry, Transfer))


def _write_down(transfers: Sequence[Transfer], journal: TextIO) -> None:
    """Write a group to the journal, on disk, so that it can be ended or undone whenever the run is interrupted."""
    journal.write("".join(map(line_of, transfers)))
    journal.flush()
    os.fsync(journal.fileno())


def _carried_out(transfer: Transfer, *, half_moved: bool) -> str:
    """Move or copy one file, or end a move that was begun: why not, or ""."""
    try:
        if half_moved:
            transfer.source.unlink()
            return ""
        transfer.target.parent.mkdir(parents=True, exist_ok=True)
        (move if transfer.action == "move" else copy)(transfer.source, transfer.target)
    except FileExistsError:
        return f"{transfer.target} exists already."
    except OSError as error:
        return f"{transfer.source} could not be transferred: {error.strerror or error}."
    except Exception as error:
        return str(item_error(transfer.source, error))
    return ""


def _undone(transfer: Transfer, *, dry: bool) -> str | None:
    """Undo one transfer: "" if done, None if it had not been made, else why it cannot be undone."""
    source, target = transfer.source, transfer.target
    try:
        if not os.path.lexists(target):
            return None if os.path.lexists(source) else f"{target} is gone."
        if transfer.action == "copy":
            if not is_copied(transfer):
                return f"{target} differs from {source}; it was left where it is."
            undo = target.unlink
        elif not os.path.lexists(source):
            if not is_dir(source.parent):
                return f"{target} was left where it is: connect the disk of {source.parent}, or make that folder anew."
            undo = functools.partial(move, target, source)
        elif is_half_moved(transfer):
            undo = target.unlink
        else:
            return f"{source} exists again; {target} was left where it is."
        if not dry:
            undo()
    except OSError as error:
        return f"{error.filename or target}: {error.strerror or error}."
    return ""
