"""Features that `shamisa embed` stored, for the rows of a table of human scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.probe.mos_table import MosTable
from shamisa_cli.core.scoring.feature_formats import FileStamp
from shamisa_cli.core.scoring.feature_table import load_features
from shamisa_cli.core.scoring.provenance import differing, reading_in
from shamisa_cli.core.scoring.resumable import feature_source


@dataclass(frozen=True)
class StoredFeatures:
    """Features from a file.

    Attributes:
        rows: (n, D), in the order of the table's n rows.
        warnings: sentences about images that may have changed since, and about features of another version.
    """

    rows: AnyFeatures
    warnings: tuple[str, ...]


def stored_features(model: Model, table: MosTable, file: Path) -> StoredFeatures:
    """Features from a file of `shamisa embed` for each row of a table.

    An image need not be there, as where a file was carried to another machine. One that is there must have the size in
    bytes that it had when it was embedded; copies often have another time of change, which is a warning.

    Raises:
        ModelError: another model made them, or the file is damaged.
        SettingError: an image of the table has none, or is another one now.
    """
    stored = load_features(file)
    now = feature_source(model)
    if not stored.origin.matches(now):
        raise ModelError(
            f"The features in {file} were made by {stored.origin.model} "
            f"({stored.origin.encoder_digest[:12] or 'old'}), or at a different view size, but the probe is for "
            f"{model.name} ({model.encoder_digest[:12]}). Make them again with: shamisa embed."
        )
    places = match_rows(table.paths, stored.paths, (Path(), table.folder))
    stamps = [stored.stamps[place] for place in places]
    doubts = _doubts(file, table.paths, stamps) + _made_otherwise(file, stored.origin.computed_by, now.computed_by)
    return StoredFeatures(stored.features[places], doubts)


def _made_otherwise(file: Path, before: str, now: str) -> tuple[str, ...]:
    """A sentence about features of pictures that were read in another way; the arguments are as `computed_by`."""
    if reading_in(before) == reading_in(now):
        return ()
    old, new = differing(before, now)
    return (
        f"The features in {file} were made by another version, which reads some pictures otherwise ({old}; now {new}). "
        "Where it matters, embed again with: shamisa embed.",
    )


def _doubts(file: Path, paths: Sequence[Path], stamps: Sequence[FileStamp]) -> tuple[str, ...]:
    """A sentence about images whose time of change is another now. Raises SettingError for one of another size."""
    there = [(path, was, now) for path, was in zip(paths, stamps, strict=True) if (now := _stamp(path)) is not None]
    if others := [path for path, was, now in there if was.size != now.size]:
        raise SettingError(
            f"The features in {file} are not of {_named(others)} as it is now: the size in bytes was another when "
            "pictures were embedded. Embed the pictures of the table again with: shamisa embed."
        )
    touched = [path for path, was, now in there if was.mtime != now.mtime]
    if not touched:
        return ()
    return (
        f"The time of change of {_named(touched)} is another than when it was embedded, and the size the same, as it "
        "is for a copy. If a picture was changed since, embed again with: shamisa embed.",
    )


def _stamp(path: Path) -> FileStamp | None:
    """The stamp of a file; None where there is none, or nobody can look."""
    try:
        return FileStamp.of(path)
    except (OSError, ValueError):
        return None


def _named(paths: Sequence[Path]) -> str:
    return f"{paths[0]} (and {len(paths) - 1:,} more)" if len(paths) > 1 else str(paths[0])


def match_rows(wanted: Sequence[Path], known: Sequence[str], folders: Sequence[Path]) -> NDArray[np.int64]:
    """For each wanted picture, (n,), the number of its row among the known paths.

    Args:
        wanted: paths of images, relative to the current folder or absolute.
        known: paths as they were given when the features were computed.
        folders: candidates for the current folder of that time, in order of preference.
    Raises SettingError if no folder yields a row for every image; the text names the first one missing.
    """
    targets = [_canonical(path) for path in wanted]
    tables = [{_canonical(folder / path): row for row, path in enumerate(known)} for folder in folders]
    best = max(tables, key=lambda table: sum(target in table for target in targets))
    missing = [path for path, target in zip(wanted, targets, strict=True) if target not in best]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SettingError(
            f"There are no stored features of {missing[0]}{others}. Embed every picture of the table with "
            f"shamisa embed, and name the file from the same folder."
        )
    return np.array([best[target] for target in targets], dtype=np.int64)


def _canonical(path: Path) -> str:
    # Stored paths are valid Unicode with escapes for other bytes, so convert these likewise.
    return os.path.realpath(path).encode("utf-8", "backslashreplace").decode()
