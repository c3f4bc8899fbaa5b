"""Files that were hashed once, and are later read only where their content is still the same."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shamisa_cli.core.errors import ModelError, reason_of

Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, and the times of the last change of content and of any change."""


@dataclass(frozen=True)
class KnownFile:
    """A file of a model as it was when it was hashed, wherever the program works by then.

    Attributes:
        path: absolute.
        sha256: of its content, in hex.
        stamp: as long as the file has it, its content is not hashed again.
    """

    path: Path
    sha256: str
    stamp: Stamp

    @classmethod
    def of(cls, path: Path) -> KnownFile:
        """Hash a file piece by piece. Raises OSError if it cannot be read."""
        with path.open("rb") as stream:
            stamp = _stamp(stream)
            return cls(path.absolute(), hashlib.file_digest(stream, "sha256").hexdigest(), stamp)

    def read_bytes(self) -> bytes:
        """The content that was hashed.

        Raises:
            ModelError: the file is gone, or holds something else by now.
        """
        try:
            with self.path.open("rb") as stream:
                untouched = _stamp(stream) == self.stamp
                content = stream.read()
        except OSError as error:
            raise ModelError(
                f"{self.path} was there when the model was loaded, and cannot be read any more ({reason_of(error)}). "
                "Put the folder back, or load the model again."
            ) from error
        if not untouched and hashlib.sha256(content).hexdigest() != self.sha256:
            raise ModelError(
                f"{self.path} was replaced since the model was loaded, so the scores would be those of two models. "
                "Load the model again."
            )
        return content


def _stamp(stream: BinaryIO) -> Stamp:
    status = os.fstat(stream.fileno())
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
