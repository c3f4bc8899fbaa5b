"""Tables that would unpack to far more than they take on the disk, which are not read: features hardly compress."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MOST_TIMES, ROOM = 20, 100_000_000
"""Unpacked, a table may have so many times its bytes, and so many bytes."""


def require_room_for_npz(path: Path) -> None:
    """Raise ValueError if the arrays of an npz file would take too much."""
    with zipfile.ZipFile(path) as archive:
        _require_room(path.stat().st_size, sum(member.file_size for member in archive.infolist()))


def require_room_for_parquet(source: Path | pa.BufferReader) -> None:
    """Raise ValueError if the columns of a Parquet file, or of its bytes, would take too much."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(source)
    size = source.stat().st_size if isinstance(source, Path) else source.size()
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    # By their metadata, columns of one repeated value have hardly any bytes.
    _require_room(size, sum(max(4 * column.num_values, column.total_uncompressed_size) for column in columns))


def _require_room(size: int, unpacked: int) -> None:
    if unpacked > MOST_TIMES * size + ROOM:
        raise ValueError(f"it unpacks to {unpacked / 1_000_000:,.0f} MB")
