"""Tables of human scores: a CSV file of pictures and their MOS, read strictly."""

from __future__ import annotations

import difflib
import math
import os
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.argument_words import MASKED, is_masked
from shamisa_cli.core.arguments import check_fields
from shamisa_cli.core.errors import MosTableError, SettingError
from shamisa_cli.core.probe.csv_rows import csv_rows, table_error
from shamisa_cli.core.probe.scale import without_rounding

MIN_ROWS = 10
LARGEST_SCORE, LEAST_SPREAD = 1e12, 1e-12
"""Largest human score; no rating scale reaches it, and squares of larger numbers could overflow. Least range of them,
by which they are divided."""
MOST_NAMED = 12
"""Columns that an error names."""
OPTIONAL_COLUMNS = ("groups", "subsets", "references", "sessions")


@dataclass(frozen=True, eq=False)
class MosTable:
    """Pictures and their human scores, in the order of the file.

    Attributes:
        paths: (n,) pictures, each once; names in the file are relative to its folder. They need not exist.
        mos: (n,) finite scores, not all equal; those that differ only by rounding become one.
        groups: (n,) names of rows that must stay together in a split, or None.
        subsets: (n,) names of subsets to report separately, or None.
        references: (n,) the undistorted picture of each, or None.
        sessions: (n,) names of the rating sessions or studies that the scores come from, or None.
        file: where the table was read; None for one that was made in memory.

    Raises SettingError for columns of other lengths or types, also of lists, which are converted.
    """

    paths: tuple[Path, ...]
    mos: NDArray[np.float64]
    groups: tuple[str, ...] | None = None
    subsets: tuple[str, ...] | None = None
    references: tuple[Path, ...] | None = None
    file: Path | None = None
    sessions: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mos", _as_scores(self.mos))
        check_fields(self)
        _require_rows(self)

    @property
    def name(self) -> str:
        """The name of the table in cards and notes."""
        return "a table" if self.file is None else self.file.name

    @property
    def folder(self) -> Path:
        """The folder that relative names of images start from."""
        return Path() if self.file is None else self.file.parent

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> MosTable:
        """A table of the given rows: their numbers from 0, or a mask (n,). Raises SettingError if they make none."""
        if is_masked(rows):
            raise SettingError(f"The rows to take are {MASKED}.")
        try:
            places = np.arange(len(self))[np.asarray(rows)].ravel()
        except (IndexError, ValueError) as error:
            raise SettingError(f"These are not rows of a table of {len(self)}: {error}.") from error
        columns = ((name, getattr(self, name)) for name in ("paths", *OPTIONAL_COLUMNS))
        taken: dict[str, Any] = {name: column and tuple(column[row] for row in places) for name, column in columns}
        return replace(self, mos=self.mos[places], **taken)


def _as_scores(values: object) -> NDArray[np.float64]:
    if is_masked(values):
        raise SettingError(f"MosTable: mos is {MASKED}.")
    try:
        scores = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):  # such as rows of different lengths
        scores = np.array(None)
    if scores.ndim != 1 or scores.dtype.kind not in "iuf":
        raise SettingError("MosTable: mos must be numbers, an array (n,) of them or a list.")
    scores = scores.astype(np.float64)
    is_usable = len(scores) > 0 and bool(np.isfinite(scores).all())  # others are refused
    return without_rounding(scores) if is_usable else scores


def _require_rows(table: MosTable) -> None:
    """Raise SettingError unless there is one cell of each column for each picture, and scores can be ranked."""
    for name in ("mos", *OPTIONAL_COLUMNS):
        column = getattr(table, name)
        if column is not None and len(column) != len(table):
            raise SettingError(
                f"MosTable: there are {len(table)} paths and {len(column)} {name}; as many were expected."
            )
    if len(unusable := np.flatnonzero(~(np.abs(table.mos) <= LARGEST_SCORE))):
        raise SettingError(f"MosTable: mos[{unusable[0]}] is {table.mos[unusable[0]]:g}; a finite number was expected.")
    _require_each_once(table.paths)
    if not len(table) or np.ptp(table.mos) < LEAST_SPREAD:
        raise SettingError(
            f"A table of human scores needs some that differ; those of these {len(table)} pictures do not."
        )


def _require_each_once(paths: Sequence[Path]) -> None:
    texts = list(map(str, paths))
    if len(set(texts)) == len(texts) and not any(".." in text for text in texts):
        return
    first_seen: dict[str, int] = {}
    for row, text in enumerate(texts):
        if (before := first_seen.setdefault(os.path.normpath(text), row)) != row:
            raise SettingError(f"MosTable: paths[{row}] is {text}, as paths[{before}] is; each was expected once.")


def read_mos_table(
    path: str | Path,
    *,
    image_column: str = "image",
    mos_column: str = "mos",
    group_column: str | None = None,
    subset_column: str | None = None,
    reference_column: str | None = None,
    session_column: str | None = None,
) -> MosTable:
    """Read a comma-separated UTF-8 file whose first line names its columns; other columns are ignored.

    Where references are named and groups are not, the rows of one reference are a group.

    Raises MosTableError, naming file, line and column and what was expected, if the file is missing, too
    large or not UTF-8; if a column is missing or named twice; if a row has too many or too few cells, an
    empty cell, or a score that is not a finite number; if a picture occurs twice; and if there are fewer
    than `MIN_ROWS` rows or all scores are equal.
    """
    path = Path(path)
    rows = csv_rows(path)
    line, header = next(rows, (1, []))
    columns = [name.strip() for name in header]

    def position(name: str) -> int:
        return _position(path, line, columns, name)

    image, score = position(image_column), position(mos_column)
    optional = (group_column, subset_column, reference_column, session_column)
    named = {name: position(name) for name in optional if name is not None}

    paths: list[Path] = []
    scores: list[float] = []
    names: dict[str | None, list[str]] = {name: [] for name in named}
    first_seen: dict[str, int] = {}
    for line, row in rows:
        if len(row) != len(columns):
            wrong = f"{len(row)} cells, and {len(columns)} were expected as in the first line"
            raise table_error(path, line, None, wrong)
        picture = path.parent / _picture(path, line, image_column, row[image])
        before = first_seen.setdefault(os.path.normpath(picture), line)
        if before != line:
            wrong = f"names {row[image]!r}, as line {before} does; each picture was expected once"
            raise table_error(path, line, image_column, wrong)
        paths.append(picture)
        scores.append(_number(path, line, mos_column, row[score]))
        for name, column in named.items():
            names[name].append(_name(path, line, name, row[column]))

    if len(scores) < MIN_ROWS:
        raise MosTableError(f"{path} has {len(scores)} scored pictures; at least {MIN_ROWS} rows were expected.")
    if min(scores) == max(scores):
        raise table_error(path, 2, mos_column, f"is {scores[0]:g} in every row; scores that differ were expected")
    spread = max(scores) - min(scores)
    if spread < LEAST_SPREAD:
        raise table_error(path, 2, mos_column, f"differs by {spread:g} at most; scores that differ were expected")
    references = None if reference_column is None else tuple(path.parent / name for name in names[reference_column])
    groups = None if references is None else tuple(os.path.normpath(reference) for reference in references)
    return MosTable(
        paths=tuple(paths),
        mos=np.array(scores, dtype=np.float64),
        groups=groups if group_column is None else tuple(names[group_column]),
        subsets=tuple(names[subset_column]) if subset_column is not None else None,
        references=references,
        file=path,
        sessions=tuple(names[session_column]) if session_column is not None else None,
    )


def are_ends(low: float, high: float) -> bool:
    """Whether two numbers, rising, can be the ends of a human scale."""
    return -LARGEST_SCORE <= low < high <= LARGEST_SCORE and high - low >= LEAST_SPREAD


def read_column(path: Path, column: str, *, image_column: str = "image") -> dict[Path, str]:
    """Read one column of such a table as text by image; empty cells give empty texts.

    Raises MosTableError, naming file, line and column, as `read_mos_table` does, except about scores.
    """
    rows = csv_rows(path)
    line, header = next(rows, (1, []))
    columns = [name.strip() for name in header]
    image, wanted = (_position(path, line, columns, name) for name in (image_column, column))
    found: dict[Path, str] = {}
    for line, row in rows:
        if len(row) != len(columns):
            raise table_error(
                path, line, None, f"{len(row)} cells, and {len(columns)} were expected as in the first line"
            )
        picture, cell = path.parent / _picture(path, line, image_column, row[image]), row[wanted].strip()
        if found.setdefault(picture, cell) != cell:
            raise table_error(path, line, image_column, f"names {picture.name} again, with another {column}")
    return found


def too_few_images(readable: int, count: int, needed: int = MIN_ROWS, *, in_table: bool = True) -> str:
    """Error message for too few images, in a table or named one by one."""
    said = f"{readable} of the {count} pictures could be read, and at least {needed} are needed. "
    if not in_table or readable == count:
        return said + ("The table needs more." if in_table else "Name more.")
    return said + "Check the names in the table: they are relative to its folder."


def column_names(path: Path) -> list[str]:
    """The names in the first line of a table. Raises MosTableError as `read_mos_table` does."""
    _, header = next(csv_rows(path), (1, []))
    return [name.strip() for name in header]


def _position(path: Path, line: int, columns: list[str], name: str) -> int:
    if columns.count(name) > 1:
        raise table_error(path, line, name, "is named twice, and once was expected")
    if name in columns:
        return columns.index(name)
    near = difflib.get_close_matches(name, columns, n=1, cutoff=0.5)
    present = ", ".join(map(reprlib.repr, columns[:MOST_NAMED])) or "none"
    more = f" and {len(columns) - MOST_NAMED:,} more" if len(columns) > MOST_NAMED else ""
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if len(columns) == 1 and any(separator in columns[0] for separator in ";\t"):
        hint = " The cells seem to be separated by something other than commas."
    raise table_error(path, line, name, f"is missing; the columns present are {present}{more}", hint)


def _picture(path: Path, line: int, column: str, cell: str) -> str:
    name = _name(path, line, column, cell)
    if "\0" in name:
        raise table_error(path, line, column, "has a zero byte, and a file name was expected")
    return name


def _name(path: Path, line: int, column: str, cell: str) -> str:
    if not cell.strip():
        raise table_error(path, line, column, "is empty, and a name was expected")
    return cell.strip()


def _number(path: Path, line: int, column: str, cell: str) -> float:
    expected = "a finite number such as 3.25 was expected"
    if not cell.strip():
        raise table_error(path, line, column, f"is empty, and {expected}")
    try:
        value = float(cell)
    except ValueError:
        value = None
    if value is None or "_" in cell:
        raise table_error(path, line, column, f"is {_shortened(cell)}, which is not a number; {expected}") from None
    if not math.isfinite(value) or abs(value) > LARGEST_SCORE:
        raise table_error(path, line, column, f"is {_shortened(cell)}; {expected}")
    return value


def _shortened(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:37] + "...")
