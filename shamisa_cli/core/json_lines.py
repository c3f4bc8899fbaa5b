"""Files of one JSON value a line that a run goes on writing: what was damaged in one line costs that line alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shamisa_cli.core.errors import PARSE_ERRORS
from shamisa_cli.core.existence import is_file


def read_json_lines(path: Path) -> Iterator[Any]:
    """The values of the lines that are JSON, in order; none if there is no file.

    Raises OSError if it cannot be read.
    """
    for line in path.read_bytes().splitlines() if is_file(path) else ():
        try:
            yield json.loads(line)
        except PARSE_ERRORS:
            continue
