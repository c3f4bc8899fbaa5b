"""One JSON object a line and picture, written as pictures are done."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

from shamisa_cli.cli.reporters.reporter import Reporter
from shamisa_cli.core.scoring.records import ImageRecord, Run


def write_jsonl(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:  # noqa: ARG001
    """Write each record as it comes."""
    for record in records:
        line = json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False)
        stream.write(line + "\n")
        stream.flush()


JSONL = Reporter(write_jsonl, streams=True)
