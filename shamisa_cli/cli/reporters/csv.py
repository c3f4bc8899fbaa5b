"""A table for spreadsheets and scripts (RFC 4180 quoting), written as images are scored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from shamisa_cli.cli.output import CsvTable
from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.core.records import ImageRecord, Run
from shamisa_cli.core.scoring.score_columns import score_row, table_columns


def write_csv(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:
    """Write the column names, then each record as it arrives; unknown values are empty fields."""
    table = CsvTable(stream)
    names = [column.name for column in table_columns(grouped=run.grouped)]
    table.writerow(names)
    for record in records:
        row = score_row(record)
        table.writerow([row.get(name) for name in names])
        stream.flush()


CSV = Reporter(write_csv, streams=True)
