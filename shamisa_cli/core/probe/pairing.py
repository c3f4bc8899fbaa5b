"""Which stored features belong to which picture of a table of scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.errors import SettingError


def matching_rows(wanted: Sequence[Path], known: Sequence[str], folders: Sequence[Path]) -> NDArray[np.int64]:
    """For each wanted picture, (n,), the number of its row among the known paths.

    Args:
        wanted: pictures, as they can be opened from here.
        known: paths as they were typed when the features were made.
        folders: where that may have been, in order of preference: relative paths are tried against each.
    Raises SettingError when no folder gives a row for every picture; the text names the first one missing.
    """
    targets = [_canonical(path) for path in wanted]
    tables = [{_canonical(folder / path): row for row, path in enumerate(known)} for folder in folders]
    best = max(tables, key=lambda table: sum(target in table for target in targets))
    missing = [path for path, target in zip(wanted, targets, strict=True) if target not in best]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SettingError(
            f"There are no stored features of {missing[0]}{others}. Embed every picture of the table with "
            f"shamisa embed, and name the file from the same folder."
        )
    return np.array([best[target] for target in targets], dtype=np.int64)


def _canonical(path: Path) -> str:
    # Stored paths are valid Unicode: other bytes are written as escapes there, and so they must be here.
    return os.path.realpath(path).encode("utf-8", "backslashreplace").decode()
