"""Filters of files that were found: by patterns of their names, and by the time of their last change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.patterns import Pattern, matches, read_patterns
from shamisa_cli.core.relative_names import RelativeNames


@dataclass(frozen=True)
class FileFilter:
    """Conditions for files that were found.

    Attributes:
        exclude: patterns as in a .gitignore file; they are matched with paths relative to the current folder, and as
            they were named or found.
        since: files that were changed earlier are left out; without a time zone, it is local time. None: any time.

    Raises:
        SettingError: a pattern cannot be used.
    """

    exclude: tuple[str, ...] = ()
    since: datetime | None = None

    def __post_init__(self) -> None:
        self._patterns  # noqa: B018  a pattern that cannot be used is found here, and not at the first file

    def select(self, paths: Sequence[Path]) -> Sequence[Path]:
        """The files that meet the conditions, in the order given; those whose time is unknown are kept."""
        if not self.exclude and self.since is None:
            return paths
        since = None if self.since is None else self.since.timestamp()
        return [path for path in paths if not self._excluded(path) and (since is None or _changed(path, since))]

    def idle(self, paths: Sequence[Path]) -> list[str]:
        """The patterns of `exclude` that match none of the files; exceptions from others are left out."""
        patterns = {text: read_patterns([text]) for text in self.exclude if not text.startswith("!")}
        for path in paths:
            if not patterns:
                break
            names = self._names_of(path)
            patterns = {text: one for text, one in patterns.items() if one and not matches(one, *names)}
        return list(patterns)

    def _excluded(self, path: Path) -> bool:
        return bool(self.exclude) and matches(self._patterns, *self._names_of(path))

    def _names_of(self, path: Path) -> set[str]:
        return {path.as_posix(), self._here.of(str(path))}

    @cached_property
    def _here(self) -> RelativeNames:
        return RelativeNames(Path())

    @cached_property
    def _patterns(self) -> tuple[Pattern, ...]:
        return read_patterns(self.exclude)


def read_date(text: str) -> datetime:
    """Read a date or a moment in ISO 8601, such as 2026-05-01 or 2026-05-01T18:30. Raises SettingError."""
    try:
        moment = datetime.fromisoformat(text.strip())
        moment.timestamp()  # the first and last days of the calendar may have none
    except (ValueError, OverflowError):
        raise SettingError(f"{text!r} is not a date. Write it as 2026-05-01 or 2026-05-01T18:30.") from None
    return moment


def _changed(path: Path, since: float) -> bool:
    try:
        return os.stat(path).st_mtime >= since  # noqa: PTH116  a name may be too long or hold what no name can
    except (OSError, ValueError):
        return True
