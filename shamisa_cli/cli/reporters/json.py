"""One JSON document: the model, all pictures, a summary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from shamisa_cli.cli import output
from shamisa_cli.cli.reporters.base import Reporter
from shamisa_cli.core.records import SCHEMA, ImageRecord, Run, summarise


def write_json(records: Iterable[ImageRecord], run: Run, stream: TextIO) -> None:
    """Write the document once all records have arrived."""
    records = list(records)
    document = {
        "schema": SCHEMA,
        "model": run.model.to_json(),
        "images": [record.to_json() for record in records],
        "summary": (run.summary or summarise(records)).to_json() | {"left_out": dict(run.left_out)},
    }
    output.write_json(document, stream)


JSON = Reporter(write_json)
