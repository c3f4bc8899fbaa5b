"""One JSON object per line and image, written as images are scored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.core.records import ImageRecord, Run


def write_jsonl(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:  # noqa: ARG001
    """Write each record as it arrives."""
    for record in records:
        write_line(record.to_json(), stream)


def write_line(values: Mapping[str, Any], stream: TextIO) -> None:
    """Write one object and flush the stream."""
    stream.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")
    stream.flush()


JSONL = Reporter(write_jsonl, streams=True)
