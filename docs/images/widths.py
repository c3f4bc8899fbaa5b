"""Captures what commands print on terminals of 120, 80, 60 and 40 columns as widths-120.svg … widths-40.svg.

    python docs/images/widths.py

The human scores of `evaluate` are invented; its cells are as wide as those of real ones.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from make import HERE, REPOSITORY, terminal_picture

WIDTHS = (120, 80, 60, 40)
FIXED_LENGTH = re.compile(r' textLength="[^"]*"(?=[^>]*>[^<]*mos\.csv)')
"""The length of a text that was replaced by a shorter one."""
CAT, NOISY_CAT, DARK = (f"examples/photos/{name}.jpg" for name in ("cat", "cat_white-noise", "temple_darken"))


def commands(table: Path) -> tuple[str, ...]:
    """The commands to capture."""
    return (
        f"score {CAT} {NOISY_CAT} {DARK}",
        f"cull {CAT} {NOISY_CAT} {DARK} --keep-best 50% --stars",
        f"compare {CAT} {NOISY_CAT} --max-difference 20",
        f"rank {CAT} {NOISY_CAT}",
        "models list",
        f"evaluate --mos {table}",
    )


def write_table(file: Path) -> None:
    """Invented human scores of the example photographs."""
    photos = sorted((REPOSITORY / "examples" / "photos").glob("*.jpg"))
    rows = [f"{path},{number * 7 % len(photos)}" for number, path in enumerate(photos)]
    file.write_text("\n".join(["image,mos", *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "mos.csv"
        write_table(table)
        for columns in WIDTHS:
            picture = terminal_picture(*commands(table), columns=columns).replace(str(table), "mos.csv")
            (HERE / f"widths-{columns}.svg").write_text(FIXED_LENGTH.sub("", picture), encoding="utf-8")
