"""One JSON object per line and image, written as images are scored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from shamisa_cli.cli.output import write_json_line
from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.core.records import ImageRecord, Run


def write_jsonl(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:  # noqa: ARG001
    """Write each record as it arrives."""
    for record in records:
        write_json_line(record.to_json(), stream)


JSONL = Reporter(write_jsonl, streams=True)
