"""Division of images into parts, for several machines that share a job."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from shamisa_cli.core.errors import SettingError

PART_NAME = re.compile(r"part-([0-9]{5,})-of-([0-9]{5,})\.parquet")
"""The file of a part, in a folder of parts."""


@dataclass(frozen=True)
class PartNumber:
    """One of `count` parts of a job.

    The part of an image depends on its name alone, so that machines agree without communicating, in whatever
    order they list the images; new images do not move others to a different part.

    Attributes:
        index: 1…count.
        count: how many parts there are.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> PartNumber:
        """Read "3/100". Raises SettingError on anything else."""
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        index, count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= index <= count:
            raise SettingError(f"There is no part {text!r}; a part is I/N with I from 1 to N, such as 1/4.")
        return cls(index, count)

    @classmethod
    def of_file(cls, name: str) -> PartNumber | None:
        """The part that a file of this name holds; None for any other file."""
        match = PART_NAME.fullmatch(name)
        return None if match is None else cls(int(match[1]), int(match[2]))

    @classmethod
    def for_image(cls, name: str | PurePath, count: int) -> PartNumber:
        """The part, of `count`, that the image called `name` belongs to."""
        text = name.as_posix() if isinstance(name, PurePath) else name
        digest = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).digest()
        return cls(int.from_bytes(digest, "big") % count + 1, count)

    def contains(self, name: str | PurePath) -> bool:
        """Whether the image called `name` belongs to this part."""
        return PartNumber.for_image(name, self.count) == self

    @property
    def file_name(self) -> str:
        """Name of this part's file."""
        return f"part-{self.index:05}-of-{self.count:05}.parquet"


def require_count(names: Iterable[str], count: int, folder: object) -> None:
    """Check, by the names of its files, that a folder has the same number of parts; else it would hold images twice.

    Raises:
        SettingError: it holds parts of a different count.
    """
    for name in names:
        shard = PartNumber.of_file(name)
        if shard is not None and shard.count != count:
            raise SettingError(
                f"{folder} holds {name}, one of {shard.count:,} parts, and this job has {count:,}. "
                "Use another folder, or the same number of parts."
            )
