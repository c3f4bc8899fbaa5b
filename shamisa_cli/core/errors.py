"""Errors raised by this library. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


class ShamisaError(Exception):
    """Base class of this library's errors; the text is a sentence for people."""


class SettingError(ShamisaError):
    """A setting has a value that cannot be used, or two settings contradict each other."""


class InputNotFoundError(ShamisaError):
    """A path or pattern named by the user matches nothing, or no input is left."""


ImageErrorKind = Literal["missing", "unreadable", "empty", "not-an-image", "truncated", "too-large", "unsupported"]


class ImageError(ShamisaError):
    """One file could not be turned into pixels.

    Attributes:
        path: the file, or the address of an image in a store.
        kind: kind of the error, one word of a closed list that programs can rely on.
    """

    def __init__(self, path: Path | str, kind: ImageErrorKind, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.kind = kind


class ModelError(ShamisaError):
    """A model or probe folder is missing, damaged, or incompatible with its use."""


class MosTableError(ShamisaError):
    """A table of human scores cannot be read as it stands; the text names file, line and column."""


class CacheError(ShamisaError):
    """The cache of results cannot be read or cleared; scoring continues without it and never raises this."""


class TrainingError(ShamisaError):
    """Training cannot start, continue, or be resumed."""
