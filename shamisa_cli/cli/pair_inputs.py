"""From REF and CANDIDATE to the pairs of files to compare."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from shamisa_cli.cli import inputs
from shamisa_cli.cli.console import Console
from shamisa_cli.core.errors import InputNotFoundError, SettingError
from shamisa_cli.core.existence import exists, is_dir, is_file
from shamisa_cli.core.relational.folder_pairs import FolderPairs, pair_folders, with_names_passed_over


def find_pairs(
    reference: Path,
    candidates: Sequence[str] | None,
    files_from: Path | None,
    recursive: bool,
    console: Console,
    *,
    allow_empty: bool = False,
) -> FolderPairs:
    """Pair one reference with all its versions, or the pictures of two folders by name.

    Raises:
        InputNotFoundError: there is no reference; or no version or no pair, unless `allow_empty`.
        SettingError: only some of the inputs are folders.
    """
    if not exists(reference):
        raise InputNotFoundError(
            f"REF {str(reference)!r} does not exist, or lies where you may not look. Check the spelling and the folder."
        )
    if not is_dir(reference):
        if not candidates and files_from is None:
            raise InputNotFoundError(
                f"Name at least one version of {reference} to compare with it; or try codecs on it with --ladder."
            )
        versions = inputs.find_images(candidates, files_from, recursive, console, allow_empty=allow_empty)
        return FolderPairs(tuple((reference, path) for path in versions))
    if files_from is not None or not candidates or not all(is_dir(Path(folder)) for folder in candidates):
        raise SettingError(f"REF {reference} is a folder, so the candidates must be folders too.")

    find = functools.partial(
        inputs.find_images, files_from=None, recursive=recursive, console=console, allow_empty=allow_empty,
        every_name=True,
    )  # fmt: skip
    originals = find([str(reference)])
    found = FolderPairs()
    for folder in map(Path, candidates):
        found += with_names_passed_over(
            pair_folders(originals, reference, find([str(folder)]), folder), reference, folder
        )
    found = _with_unreachable(found)
    if not found.pairs and not allow_empty:
        raise InputNotFoundError(
            f"No picture of {reference} has a partner. Partners have the same path below the two folders; the suffix "
            "may differ where no other picture has that name."
        )
    return found


def _with_unreachable(found: FolderPairs) -> FolderPairs:
    """Pair what is no file, such as a folder that may not be listed, with itself: reading it reports why."""
    closed = [path for path in (*found.removed, *found.added) if not is_file(path)]
    added, removed = (tuple(path for path in paths if path not in closed) for paths in (found.added, found.removed))
    return FolderPairs(found.pairs + tuple((path, path) for path in closed), added, removed, found.ambiguous)
