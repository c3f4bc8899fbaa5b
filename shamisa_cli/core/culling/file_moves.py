"""One file that is moved or copied: the steps, and whether they were taken. Nothing is ever overwritten."""

from __future__ import annotations

import filecmp
import os
import shutil
from contextlib import suppress
from pathlib import Path

from shamisa_cli.core.atomic import NO_LINKS, replacing
from shamisa_cli.core.culling.journal import Transfer
from shamisa_cli.core.existence import is_file, is_link


def move(source: Path, target: Path) -> None:
    """Move a file without ever overwriting one: by a second name, or where that is not possible by a copy.

    A link is made anew, and leads to where it led. Where the file cannot be removed, its new name is.
    """
    if is_link(source):
        _link_anew(source, target)
    else:
        _link_or_copy(source, target)
    try:
        source.unlink()
    except OSError:
        if os.path.lexists(source):
            target.unlink()
        raise


def _link_anew(source: Path, target: Path) -> None:
    destination = source.readlink()
    if not destination.is_absolute():
        destination = _led_to(source)
        with suppress(ValueError):  # on another drive
            destination = Path(os.path.relpath(destination, os.path.realpath(target.parent)))
    target.symlink_to(destination)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        copy(source, target)


def _led_to(link: Path) -> Path:
    """The place that a link names, whether or not something is there."""
    place = link.parent / link.readlink()
    return Path(os.path.realpath(place.parent), place.name)


def copy(source: Path, target: Path) -> None:
    """Copy a file, which appears when it is complete. Raises FileExistsError where one is there."""
    with replacing(target, only_new=True) as beside:
        with source.open("rb") as reader, beside.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
        with suppress(OSError):  # a disk may take no times and no modes
            shutil.copystat(source, beside)


def is_copied(transfer: Transfer) -> bool:
    """Whether the copy is there and holds what its source holds; not if it is the source, reached by another path."""
    source, target = transfer.source, transfer.target
    try:
        if is_link(target) or _is_one_entry(source, target) or (is_link(source) and source.samefile(target)):
            return False
        return is_file(source) and is_file(target) and filecmp.cmp(source, target, shallow=False)
    except OSError:
        return False


def is_half_moved(transfer: Transfer) -> bool:
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
