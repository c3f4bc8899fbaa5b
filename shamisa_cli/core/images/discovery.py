"""Discovery of image files from files, folders and patterns."""

# Path's own tests for files and folders raise where a folder may be listed but not entered; os.path's never do.
# ruff: noqa: PTH110, PTH112

from __future__ import annotations

import codecs
import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from shamisa_cli.core.errors import InputNotFoundError
from shamisa_cli.core.images.formats import is_picture
from shamisa_cli.core.images.kinds import count_suffixes, describe_left_out, is_left_out, readable_suffixes

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HEAD_BYTES = 256
SYSTEM_FOLDERS = frozenset((
    "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found",
    "__macosx", "found.000", "thumbnails.lrdata", "previews.lrdata",
))  # fmt: skip
"""Folders, in lower case, that drives and systems fill with thumbnails and deleted files; read only where named."""
_SMALLEST_PICTURE = 64
"""Bytes; a shorter list that begins as a picture does names a file that is called so."""


@dataclass(frozen=True)
class Discovery:
    """Images that were found, and what folders hold besides that could not be read.

    Attributes:
        paths: the files, as `discover` orders them.
        left_out: suffix → number of files in folders of a kind that this installation cannot read.
        folders: path → the folder that was named and holds it; absent for files that were named themselves.
    """

    paths: list[Path]
    left_out: dict[str, int]
    folders: dict[Path, Path] = field(default_factory=dict)


def discover(inputs: Sequence[str | Path], *, recursive: bool = True) -> list[Path]:
    """Find the files that are named, in the order they were named, each real file once.

    - A file is kept whatever its suffix; decoding it will report any error.
    - A folder stands for its files with a suffix of `readable_suffixes`, and with `recursive` those of its
      subfolders after them, in natural order ("img2" before "img10"). Hidden files and folders (names
      that start with a dot) are left out, and so are `SYSTEM_FOLDERS`. Links to folders are followed,
      each real folder once, so loops end. A folder that may not be listed is kept as a path itself, and so is a link
      that leads nowhere and has such a suffix or none; decoding will report the error.
    - A pattern (`*`, `?`, `[…]`, and `**` for any depth) stands for its matches, as in a shell. A file or
      folder whose name is the pattern itself takes precedence.

    Raises:
        InputNotFoundError: something named does not exist, a pattern matches nothing, a folder or the
            folders a pattern matches hold no picture, or nothing was named at all.
    """
    return survey(inputs, recursive=recursive).paths


def survey(inputs: Sequence[str | Path], *, recursive: bool = True, keep_missing: bool = False) -> Discovery:
    """Find files as `discover` does, and count what folders hold of kinds that this installation cannot read.

    Args:
        inputs: files, folders and patterns.
        recursive: whether folders are read with all their folders.
        keep_missing: keep a name that stands for nothing among names that do as a path, which decoding will report.

    Raises:
        InputNotFoundError: as for `discover`; with `keep_missing`, only if no name stands for anything.
    """
    search = _Search(recursive)
    found: dict[str, Path] = {}
    folders: dict[Path, Path] = {}
    problems: list[InputNotFoundError] = []
    for named in [os.fspath(each) for each in inputs]:
        try:
            paths = search.named(named)
        except InputNotFoundError as error:
            problems.append(error)
            if not keep_missing:
                raise
            paths = [Path(named)]
        for path in paths:
            found.setdefault(search.real_path(path), path)
        if os.path.isdir(named):
            folders = dict.fromkeys(paths, Path(named)) | folders
    if len(problems) == len(inputs):
        raise (
            problems[0]
            if problems
            else InputNotFoundError("No input was named; give at least one picture, folder or pattern.")
        )
    return Discovery(list(found.values()), count_suffixes(list(search.left_out.values())), folders)


def read_list(stream: BinaryIO) -> list[str]:
    """Read the names in a list: NUL separated if it contains a NUL, else one per line.

    Empty entries are left out; bytes that are not text in the file system's encoding are kept the way
    `os.fsdecode` does, so that every file name can be listed. UTF-16 with a byte order mark is decoded.

    Raises:
        InputNotFoundError: the list is a picture, or in an encoding that would be taken for other names.
    """
    data = stream.read()
    if len(data) >= _SMALLEST_PICTURE and is_picture(data[:_HEAD_BYTES]):
        raise InputNotFoundError(
            "A list of names was expected, and this is a picture itself. Save it in a file and name that."
        )
    if data.startswith(_UTF16_MARKS):
        return _utf16_names(data)
    data = data.removeprefix(codecs.BOM_UTF8)
    if _looks_like_utf16(data):
        raise InputNotFoundError("The list of names seems to be UTF-16 without a byte order mark. Save it as UTF-8.")
    names = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(name) for name in names if name]


def _utf16_names(data: bytes) -> list[str]:
    try:
        return [name for name in data.decode("utf-16").splitlines() if name]
    except UnicodeDecodeError:
        raise InputNotFoundError(
            "The list of names begins as UTF-16 and does not go on as such. Save it as UTF-8."
        ) from None


def _looks_like_utf16(data: bytes) -> bool:
    """Whether NULs divide lines nearly everywhere into single bytes, as they do in Western text in UTF-16."""
    pieces = [len(piece) for piece in data.split(b"\0") if piece]
    return b"\n" in data and len(pieces) > 8 and sum(length <= 2 for length in pieces) > 0.9 * len(pieces)


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sorting key under which runs of digits compare as numbers, and letters without regard to case."""
    pieces = re.split(r"(\d+)", name.casefold())
    return [int(piece) if position % 2 else piece for position, piece in enumerate(pieces)], name


@dataclass(frozen=True)
class _Search:
    """A search of folders and patterns.

    Attributes:
        recursive: whether folders are read with all their folders.
        left_out: real path → suffix of each file that was left out.
        real_folders: folder → its real path.
    """

    recursive: bool
    left_out: dict[str, str] = field(default_factory=dict)
    real_folders: dict[Path, str] = field(default_factory=dict)

    def real_path(self, path: Path) -> str:
        """The real path of a file; that of its folder is found out once."""
        if os.path.islink(path):  # noqa: PTH114
            return os.path.realpath(path)
        folder = path.parent
        if folder not in self.real_folders:
            self.real_folders[folder] = os.path.realpath(folder)
        return os.path.join(self.real_folders[folder], path.name)  # noqa: PTH118

    def named(self, name: str) -> list[Path]:
        """Files that a name stands for. Raises InputNotFoundError if there is none."""
        if os.path.isdir(name):
            paths = list(self._pictures_in(Path(name)))
            nothing = (
                f"No picture was found in the folder {name}: it has none"
                f"{'' if self.recursive else ' itself (its subfolders were left out)'}, or may not be listed."
            )
        elif os.path.exists(name):
            return [Path(name)]
        elif _is_address(name):
            paths = []
            nothing = f"{name} is an address on the web, which is not read. Download the picture, and name its file."
        elif _is_pattern(name):
            paths = [path for match in _matches(Path(name)) for path in self._expanded(match)]
            nothing = f"The pattern {name} matches no file, and no folder with a picture in it."
        else:
            paths = []
            nothing = f"{name!r} does not exist, or may not be reached. Check the spelling and the folder."
        if not paths:
            left_out = describe_left_out(count_suffixes(list(self.left_out.values())))
            raise InputNotFoundError(f"{nothing} L{left_out[1:]}." if left_out else nothing)
        return paths

    def _expanded(self, match: Path) -> list[Path]:
        if os.path.isdir(match):
            return list(self._pictures_in(match))
        return [match]

    def _pictures_in(self, folder: Path) -> Iterator[Path]:
        readable = readable_suffixes()
        for place in _folders(folder) if self.recursive else [folder]:
            try:
                names = _visible_names(place, _may_be_file)
            except OSError:
                yield place
                continue
            for name in names:
                suffix = os.path.splitext(name)[1]  # noqa: PTH122
                if suffix.lower() in readable or (not suffix and not os.path.exists(place / name)):
                    yield place / name
                elif is_left_out(suffix):
                    self.left_out.setdefault(self.real_path(place / name), suffix)


def _folders(root: Path) -> Iterator[Path]:
    """The folder and all below it, each real folder once, parents first."""
    visited: set[str] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in visited:
            continue
        visited.add(real)
        yield folder
        with suppress(OSError):  # whoever looks for files in it meets the same error
            waiting.extend(folder / name for name in reversed(_visible_names(folder, _is_folder)))


def _visible_names(folder: Path, wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
    """Names of entries of a folder, in natural order. Raises OSError if it may not be listed."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".") and wanted(entry)]
    return sorted(names, key=natural_key)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder of the user's."""
    try:
        return entry.is_dir() and entry.name.lower() not in SYSTEM_FOLDERS
    except OSError:
        return False


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or it cannot be told, as of a link that leads nowhere or where one may not look."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        return True


def _matches(pattern: Path) -> Iterator[Path]:
    """Paths that match a pattern. The standard library's `**` follows loops of links; `_folders` does not."""
    start = Path(pattern.anchor)
    return _matches_below(start, pattern.parts[1 if pattern.anchor else 0 :])


def _matches_below(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    first, rest = parts[0], parts[1:]
    if first == "**":
        for place in _folders(folder):
            yield from _matches_below(place, rest or ("*",))
    elif os.path.exists(folder / first):
        yield from _matches_below(folder / first, rest)
    elif _is_pattern(first):
        try:
            candidates = sorted(os.listdir(folder), key=natural_key)  # noqa: PTH208
        except OSError:
            yield folder
            return
        for name in candidates:
            hidden = (name.startswith(".") and not first.startswith(".")) or name.lower() in SYSTEM_FOLDERS
            if not hidden and fnmatch.fnmatch(name, first) and (not rest or os.path.isdir(folder / name)):
                yield from _matches_below(folder / name, rest)


def _is_address(name: str) -> bool:
    return name.lower().startswith(("http://", "https://", "ftp://"))


def _is_pattern(name: str) -> bool:
    return any(character in name for character in "*?[")
