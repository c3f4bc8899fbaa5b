"""The errors this library raises on purpose. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


class ShamisaError(Exception):
    """Base of every error that is raised on purpose; its text is a sentence meant for a person."""


class SettingError(ShamisaError):
    """A setting has a value that cannot be used, or two settings contradict each other."""


class InputNotFoundError(ShamisaError):
    """A path or pattern named by the user matches nothing, or no input is left."""


ImageErrorKind = Literal["missing", "unreadable", "empty", "not-an-image", "truncated", "too-large", "unsupported"]


class ImageError(ShamisaError):
    """One file could not be turned into pixels.

    Attributes:
        path: the file.
        kind: what is wrong, one word of a closed list, stable for machines to read.
    """

    def __init__(self, path: Path, kind: ImageErrorKind, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.kind = kind


class ModelError(ShamisaError):
    """A model or probe folder is missing, damaged, or does not go with what it is used with."""


class MosTableError(ShamisaError):
    """A table of human scores cannot be read as it stands; the text names file, line and column."""


class CacheError(ShamisaError):
    """The cache of results cannot be read or emptied; scoring goes on without it and never raises this."""


class TrainingError(ShamisaError):
    """Training cannot start, go on, or be resumed."""
