"""Pictures as callers of the library give them: names of files, folders and patterns, and pictures in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import InputNotFoundError, SettingError
from shamisa_cli.core.images.discovery import survey
from shamisa_cli.core.images.in_memory import IN_MEMORY, InMemory, PictureInMemory, in_memory

ImageInput = str | Path | InMemory
Paths = str | Path | Iterable[str | Path]
Pictures = ImageInput | Iterable[ImageInput]


def pictures_of(given: Pictures, recursive: bool) -> list[Path | PictureInMemory]:
    """The files that names stand for, and pictures in memory, in the order given.

    Raises:
        InputNotFoundError: nothing is found under any name.
        SettingError: what is given is no picture.
    """
    named = _several(given)
    if isinstance(given, IN_MEMORY) and len(named) == 1 and named[0] is given:
        return [in_memory("picture", given)]
    files = [each for each in named if isinstance(each, str | Path)]
    if len(files) == len(named):
        return list(files_of(files, recursive))
    found: list[Path | PictureInMemory] = []
    for index, each in enumerate(named):
        if isinstance(each, str | Path):
            found += files_of([each], recursive, alone=False)
        else:
            found.append(_in_memory(f"pictures[{index}]", each))
    return found


def sources_of(given: Pictures, what: str) -> Iterator[tuple[str, Path | PictureInMemory | Pixels]]:
    """Yield the name and source of each image, whose pixels stay as they are; a path may stand for several.

    Args:
        given: one picture or several.
        what: the word for them in names, such as "candidates[0]".

    Raises as `pictures_of` does.
    """
    named = _several(given)
    for index, one in enumerate(named):
        name = f"{what}[{index}]"
        if isinstance(one, str | Path):
            yield from ((str(path), path) for path in files_of([one], recursive=True, alone=len(named) == 1))
        else:
            yield name, source_of(name, one)


def source_of(name: str, given: ImageInput) -> Path | PictureInMemory | Pixels:
    """The source that is read: a file, pixels, or another picture in memory."""
    if isinstance(given, np.ndarray):
        return given
    return Path(given) if isinstance(given, str | Path) else _in_memory(name, given)


def files_of(named: Sequence[str | Path], recursive: bool, *, alone: bool = True) -> Sequence[Path]:
    """The files that names stand for; a name of nothing among others is kept, and reading it says what is wrong.

    Args:
        named: files, folders and patterns.
        recursive: whether folders are read with all their folders.
        alone: whether there are no others.

    Raises:
        InputNotFoundError: no name stands for anything, and there are no others.
    """
    try:
        return survey(named, recursive=recursive, keep_missing=True).paths
    except InputNotFoundError:
        if alone:
            raise
        return [Path(each) for each in named]


def _several(given: Pictures) -> list[ImageInput]:
    """Pictures in a list; of an array (N, H, W, 3) each is one."""
    one = isinstance(given, str | Path | bytes | Image.Image) or (isinstance(given, np.ndarray) and given.ndim < 4)
    return [given] if one else [_path_or_picture(each) for each in given]  # type: ignore[arg-type,list-item,union-attr]


def _path_or_picture(given: ImageInput | os.PathLike[str]) -> ImageInput:
    """Paths of other types, such as `os.DirEntry`, as paths; an iterator of them is not converted before."""
    return Path(given) if isinstance(given, os.PathLike) else given


def _in_memory(name: str, given: object) -> PictureInMemory:
    if not isinstance(given, IN_MEMORY):
        raise SettingError(f"{name} is an object of type {type(given).__name__}, and no path or picture in memory.")
    return in_memory(name, given)
