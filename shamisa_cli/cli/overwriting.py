"""No command writes over what it reads: checked for all commands, from the values of their options."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from shamisa_cli.core.configuration import OWN_FILE, PYPROJECT
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import exists, is_dir, is_file

OUTPUTS = {
    "output": "--output",
    "html": "--html",
    "plot": "--plot",
    "gmad_figure": "--gmad-figure",
    "preview": "--preview",
}
"""Parameter of a command that names a file to write → its option. `--baseline` is read, and written on request."""
WRITTEN = {**OUTPUTS, "baseline": "--baseline"}
MODELS = ("model", "probe", "gmad", "init")
"""Parameters that may name a folder whose files are all read."""


def without_overwriting(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap `command` so that it refuses to write over a file that another of its options names."""

    @functools.wraps(command)
    def run(*args: Any, **values: Any) -> None:
        require_apart(values)
        command(*args, **values)

    return run


def require_apart(values: Mapping[str, Any]) -> None:
    """Raise SettingError if an output is one of the inputs, another output, or a file of a model that is read.

    Args:
        values: parameter of a command → its value.
    """
    for name, option in WRITTEN.items():
        output = values.get(name)
        if isinstance(output, str | Path) and _is_read_unnamed(Path(output)):
            raise SettingError(f"{option} names {output}, which this program reads. Name another file.")
    for name, option in OUTPUTS.items():
        output = values.get(name)
        for other, its_option in WRITTEN.items():
            if name != other and _alike(output, values.get(other)):
                raise SettingError(f"{option} and {its_option} name the same file, {output}. Give each its own.")
        if not isinstance(output, str | Path) or not is_file(output):
            continue
        if any(_inside(each, output) for each in _bundled()):
            raise SettingError(f"{option} names {output}, which this program reads. Name another file.")
        others = {key: value for key, value in values.items() if key != name}
        for key, named in _named(others):
            if _same(named, output) or (key in MODELS and _inside(named, output)):
                raise SettingError(f"{option} would replace {output}, which the command reads. Name another file.")


def _is_read_unnamed(path: Path) -> bool:
    """Whether a file is settings, a journal or a sidecar, which this program reads where they lie."""
    from shamisa_cli.core.culling.journal import JOURNAL
    from shamisa_cli.core.culling.sidecar_names import SUFFIX

    return path.name in (OWN_FILE, PYPROJECT, JOURNAL) or path.suffix.lower() == SUFFIX


def _bundled() -> Iterable[Path]:
    """Folders of the models that are read where no option names one."""
    from shamisa_cli.core.models.resolver import bundled_folders

    return bundled_folders().values()


def _named(values: Mapping[str, Any]) -> Iterator[tuple[str, str | Path]]:
    for key, value in values.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, str | Path):
                yield key, each


def _alike(first: object, second: object) -> bool:
    """Whether two names are of the same file to come; of one that exists, `_same` can tell."""
    if not isinstance(first, str | Path) or not isinstance(second, str | Path):
        return False
    return not exists(first) and os.path.realpath(first) == os.path.realpath(second)


def _same(first: str | Path, second: str | Path) -> bool:
    try:
        return os.path.samefile(first, second)  # noqa: PTH121
    except (OSError, ValueError):  # one is no file's name
        return False


def _inside(folder: str | Path, file: str | Path) -> bool:
    return is_dir(folder) and Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))
