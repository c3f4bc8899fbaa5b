"""Record of the photographs of a run, by which a run that goes on knows whether they are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shamisa_cli.core.existence import is_file

FingerprintKind = Literal["names", "contents"]
PIECE = 65_536
"""Bytes that are read at each of three places of a photograph."""
READERS = 8
"""Files read at once, since most of the time is spent waiting for a disk or a network."""


@dataclass(frozen=True)
class PhotoRecord:
    """Record of the photographs of a run.

    Attributes:
        pristine_inputs, real_inputs: inputs named by the user, as absolute paths.
        pristine_count, real_count: number of photographs found there.
        fingerprint: SHA-256 over the photographs in order; equal batches need the same photographs.
        fingerprint_of: "contents", or "names" (and sizes alone) in records of early versions; see `photo_record`.
    """

    pristine_inputs: tuple[str, ...]
    real_inputs: tuple[str, ...]
    pristine_count: int
    real_count: int
    fingerprint: str
    fingerprint_of: FingerprintKind = "names"


def photo_record(
    pristine_inputs: Sequence[Path],
    pristine: Sequence[Path],
    real_inputs: Sequence[Path],
    real: Sequence[Path],
    fingerprint_of: FingerprintKind = "contents",
) -> PhotoRecord:
    """Build the record from the named inputs and the photographs found there.

    The fingerprint of contents covers the name, the size, and 64 KiB at the beginning, middle and end of each file.
    Names and sizes alone miss a photograph that was replaced by another one of the same size, as uncompressed files
    always are; and to read every file as a whole would take as long as a pass over the photographs. A change that lies
    between the three places of a large file and keeps its size remains unseen.
    """
    with ThreadPoolExecutor(READERS) as pool:
        describe = _named if fingerprint_of == "names" else _described
        listing = [list(pool.map(describe, paths)) for paths in (pristine, real)]
    return PhotoRecord(
        tuple(str(path.absolute()) for path in pristine_inputs),
        tuple(str(path.absolute()) for path in real_inputs),
        len(pristine),
        len(real),
        hashlib.sha256(json.dumps(listing).encode()).hexdigest(),
        fingerprint_of,
    )


def _named(path: Path) -> tuple[str, int | None]:
    """Name and size; None in place of it for what cannot be reached, such as a link that leads nowhere."""
    try:
        return path.name, path.stat().st_size
    except OSError:
        return path.name, None


def _described(path: Path) -> tuple[Any, ...]:
    """Name, size, and hash of three pieces; None in place of it for what cannot be read, and is left out of batches."""
    name, size = _named(path)
    if size is None or not is_file(path):  # a pipe would wait for a writer
        return name, size, None
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            for start in (0, max(0, size - PIECE) // 2, max(0, size - PIECE)):
                stream.seek(start)
                digest.update(stream.read(PIECE))
    except OSError:
        return name, size, None
    return name, size, digest.hexdigest()
