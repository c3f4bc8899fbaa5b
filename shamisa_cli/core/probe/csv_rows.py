"""Rows of a CSV file, and errors that say where in it something is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from shamisa_cli.core.errors import MosTableError

MAX_BYTES = 100_000_000
WORKBOOK = b"PK\x03\x04"
"""First bytes of a ZIP file, as which Excel and LibreOffice store tables."""


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows of a file that are not blank, each with the number of the line it begins on.

    Raises:
        MosTableError: it cannot be read, is larger than `MAX_BYTES`, or is no CSV in UTF-8.
    """
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    begins = 1
    try:
        for row in reader:
            if row:
                yield begins, row
            begins = reader.line_num + 1
    except csv.Error as error:
        raise table_error(
            path, begins, None, f"is not CSV ({error}); cells separated by commas were expected"
        ) from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise MosTableError(f"{path} does not exist; a CSV file of human scores was expected.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MosTableError(f"{path} cannot be read: {reason}. A CSV file of human scores was expected.") from error
    if len(data) > MAX_BYTES:
        raise MosTableError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB; a table of scores is smaller.")
    if data.startswith(WORKBOOK):
        raise MosTableError(f"{path} is a workbook of a spreadsheet program. Save its sheet as CSV in UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # With a byte order mark the codec counts from after it.
        read = data[len(data) - len(error.object) :][: error.start]
        line, column = read.count(b"\n") + 1, len(read) - (read.rfind(b"\n") + 1) + 1
        raise MosTableError(
            f"{path}, line {line}, byte {column}: not UTF-8 text; a CSV file saved as UTF-8 was expected."
        ) from error


def table_error(path: Path, line: int, column: str | None, what: str, hint: str = "") -> MosTableError:
    """The error about a line of a table, or a column in it."""
    place = f"{path}, line {line}" if column is None else f"{path}, line {line}, column {column!r}"
    return MosTableError(f"{place}: {what}.{hint}" if column is None else f"{place} {what}.{hint}")
