"""Errors raised by this library. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from shamisa_cli.core.steering import escaped

Remedy = Literal[
    "derive-for-paper",
    "folder-of-parts",
    "go-on-after-loss",
    "go-online",
    "make-parts",
    "name-a-probe",
    "name-devices",
    "new-baseline",
    "not-private",
    "resize",
    "rewrite-baseline",
    "score-with-torch",
    "score-with-torch-and-report",
    "take-torch",
    "take-torch-on",
]
"""Names of remedies that are options of the command line; it alone knows their sentences (cli/errors.py)."""


LESS_MEMORY = "Reduce it, or compute less at once (fewer jobs or a smaller view size, where these can be set)."
"""What helps where one picture takes too much memory: in its message, so that no row and no warning lacks it."""

PARSE_ERRORS = (ValueError, RecursionError, OverflowError)
"""Errors of the parsers of JSON and TOML, and of numbers: invalid, nested too deeply, or too large for a float."""


class ShamisaError(Exception):
    """Base class of this library's errors; the text is a sentence for people, in which nothing steers a terminal.

    Attributes:
        remedy: name of what a user of the command line can do about it, if that takes an option; None for most
            errors, whose text says what to do.
        about: values that the remedy's sentence mentions, such as the name of a device.
    """

    def __init__(self, message: str, *, remedy: Remedy | None = None, **about: str) -> None:
        super().__init__(escaped(message, keep="\n"))
        self.remedy = remedy
        self.about = about

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies, and errors that come from other processes, are made without `__init__`, whatever it takes."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class SettingError(ShamisaError):
    """A setting has a value that cannot be used, or two settings contradict each other."""


class InputNotFoundError(ShamisaError):
    """A path or pattern named by the user matches nothing, or no input is left."""


ImageErrorKind = Literal[
    "missing", "unreadable", "empty", "not-an-image", "truncated", "too-large", "unsupported", "internal"
]


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


Unread = Callable[[ImageError], None]
"""Told of each picture that is left out, and why."""


class ModelError(ShamisaError):
    """A model or probe folder is missing, damaged, or incompatible with its use."""


class ModelWarning(UserWarning):
    """A model is another than may be expected: the Hub cannot be reached, and its branch is taken as it was last seen.

    It is given by Python's `warnings`, which can make it an error: `warnings.simplefilter("error", ModelWarning)`.
    """


class GraphError(ModelError):
    """A model's graph fails on one picture, which is then that picture's error."""


class MosTableError(ShamisaError):
    """A table of human scores cannot be read as it stands; the text names file, line and column."""


class CacheError(ShamisaError):
    """The cache of results cannot be read or cleared; scoring continues without it and never raises this."""


class TrainingError(ShamisaError):
    """Training cannot start, continue, or be resumed."""


_LONGEST_REASON = 200
_ABOUT_THE_RUN = "_shamisa_about_the_run"


def reason_of(error: Exception) -> str:
    """The first sentence that a library says of a failure, on one line, or the error's type if it says nothing.

    Some go on with advice to whoever builds them, and LibRaw's errors are bytes.
    """
    text = error.args[0] if error.args and isinstance(error.args[0], bytes) else str(error)
    said = " ".join((text.decode(errors="replace") if isinstance(text, bytes) else text).split())
    sentence = said.partition(". ")[0].rstrip(".")[:_LONGEST_REASON]
    return sentence or type(error).__name__


def about_the_run(error: Exception) -> Exception:
    """The same error, marked as no picture's, whichever is read when it is raised: one of a caller's function."""
    setattr(error, _ABOUT_THE_RUN, True)
    return error


def item_error(path: Path | str, error: Exception) -> ImageError:
    """The error of one picture, whatever went wrong with it, so that no picture ends a run.

    Raises:
        ShamisaError: `error` itself, if it is about the whole run, such as a damaged model.
        Exception: `error` itself, if it is marked so; see `about_the_run`.
    """
    if isinstance(error, ImageError):
        return error
    if isinstance(error, GraphError):
        return ImageError(path, "internal", f"{path} could not be computed. {error}")
    if isinstance(error, ShamisaError) or getattr(error, _ABOUT_THE_RUN, False):
        raise error
    if isinstance(error, MemoryError):
        return ImageError(path, "too-large", f"{path}: there is not enough memory for it. {LESS_MEMORY}")
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if isinstance(error.filename, str) else ""
        return ImageError(path, "internal", f"{path} could not be completed: {error.strerror}{where}.")
    reason = f"{type(error).__name__}: {error}".strip(": ").splitlines()[0]
    return ImageError(path, "internal", f"{path} could not be completed ({reason}). This is a bug in shamisa.")
