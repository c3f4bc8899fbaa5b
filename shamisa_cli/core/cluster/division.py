"""Division of the pictures of a job, whatever they are called on each machine, and the record of it in each part."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shamisa_cli.core.cluster.part_number import PartNumber
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.relative_names import common_folder
from shamisa_cli.core.scoring.feature_table import stored_source


@dataclass(frozen=True)
class Division:
    """One part of a division, as its table records it.

    Attributes:
        part: such as "3/100".
        pictures: number of pictures in all parts together.
        keys: SHA-256, in hex, of the keys of all pictures.
    """

    part: str
    pictures: int
    keys: str

    def same_job(self, other: Division) -> bool:
        """Whether the two are parts of the same pictures."""
        return (self.pictures, self.keys) == (other.pictures, other.keys)


@dataclass(frozen=True)
class SharedJob:
    """The pictures of one part.

    Attributes:
        paths: its pictures.
        division: the record for its table; None if there are no parts.
    """

    paths: Sequence[Path]
    division: Division | None

    @classmethod
    def of(cls, paths: Sequence[Path], keys: Sequence[str], part: PartNumber) -> SharedJob:
        """One part of these pictures, divided by their keys."""
        digest = hashlib.sha256("\0".join(sorted(keys)).encode("utf-8", "backslashreplace")).hexdigest()
        own = [path for path, key in zip(paths, keys, strict=True) if part.contains(key)]
        return cls(own, Division(f"{part.index}/{part.count}", len(paths), digest))

    @property
    def record(self) -> dict[str, Any] | None:
        """The division as JSON values."""
        return None if self.division is None else asdict(self.division)


def picture_keys(paths: Sequence[Path], folders: Sequence[Path]) -> list[str]:
    """Names by which pictures are divided: the same for `photos`, `./photos` and `/data/photos`.

    A picture of a folder that was named is called by its path below that folder, others by their path below the common
    parent of all those.

    Args:
        paths: the pictures.
        folders: the folders that were named; the first that holds a picture counts.
    """
    below = [_below_first(path, folders) for path in paths]
    single = [Path(os.path.abspath(path)) for path, name in zip(paths, below, strict=True) if name is None]  # noqa: PTH100  links stay
    common = common_folder(path.parent for path in single) if single else Path()
    alone = iter(single)
    return [(next(alone).relative_to(common) if name is None else name).as_posix() for name in below]


def _below_first(path: Path, folders: Sequence[Path]) -> Path | None:
    """The path below the first of the folders that holds it, as they are written; None if none does."""
    names = (path.relative_to(folder) for folder in folders if path.is_relative_to(folder))
    return next((name for name in names if ".." not in name.parts), None)


def recorded(table: Path) -> Division | None:
    """The record in a table of scores or features; None if it has none."""
    return read_division(stored_source(table))


def read_division(source: Mapping[str, Any]) -> Division | None:
    """The record in a table's metadata; None if it has none, or one that cannot be read."""
    try:
        return Division(**source["division"])
    except (KeyError, TypeError):
        return None


def require_only_part(table: Path, shard: PartNumber) -> None:
    """Check that the table this part would replace is an earlier one of the same part.

    Raises:
        SettingError: it is a table of another part, or of no part.
    """
    before = recorded(table)
    if not stored_source(table) or (before is not None and before.part == f"{shard.index}/{shard.count}"):
        return
    raise SettingError(
        f"{table} holds pictures of parts other than {shard.index}/{shard.count}, which would be lost.",
        remedy="folder-of-parts",
    )
