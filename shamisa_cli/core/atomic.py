"""Files that are either complete or absent, even if the program is interrupted."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME_DIGITS = 12


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` that takes its name when the block ends without an error.

    The parent folder is created. On an error, or Ctrl-C, the temporary file is removed and `target` is
    left as it was. The temporary name keeps the suffix of `target`, since libraries choose a format by it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:NAME_DIGITS]}{target.suffix}")
    try:  # from before the file is there, since Ctrl-C may come at once
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # some libraries make a file that only its owner may read
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
