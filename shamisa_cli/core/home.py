"""Home folders in names that begin with a tilde, and users without one, as in containers."""

from __future__ import annotations

from pathlib import Path

from shamisa_cli.core.errors import SettingError


def is_homeless(error: BaseException) -> bool:
    """Whether an error of Python's says that this user has no home folder."""
    return isinstance(error, RuntimeError) and "home directory" in str(error)


def expanded(path: str | Path) -> Path:
    """The path with `~` or `~user` at its beginning replaced by that home folder.

    Raises:
        SettingError: there is no such user, or no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise SettingError(f"{path} begins with a home folder that is not known. Write the whole path.") from None
