"""A table for spreadsheets and scripts (RFC 4180 quoting), written as images are scored."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.records import ImageRecord, Run

COLUMNS = (
    "path", "score", "interval_low", "interval_high", "mos", "width", "height", "status", "error_kind", "error",
    *(f"defect_{group}" for group in GROUPS),
)  # fmt: skip


def write_csv(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:  # noqa: ARG001
    """Write the column names, then each record as it arrives; unknown values are empty fields."""
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)
    for record in records:
        low, high = record.interval or (None, None)
        kind, message = (record.error.kind, record.error.message) if record.error else (None, None)
        size = (record.width, record.height)
        defects = [(record.defects or {}).get(group) for group in GROUPS]
        row = [record.path, record.score, low, high, record.mos, *size, record.status, kind, message]
        table.writerow([*row, *defects])
        stream.flush()


CSV = Reporter(write_csv, streams=True)
