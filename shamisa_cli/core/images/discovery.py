"""Discovery of image files from files, folders and patterns."""

# Path's own tests for files and folders raise where a folder may be listed but not entered; os.path's never do.
# ruff: noqa: PTH110, PTH112

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from shamisa_cli.core.errors import InputNotFoundError
from shamisa_cli.core.images.globs import is_pattern, matches
from shamisa_cli.core.images.kinds import (
    DRAWN_SUFFIXES,
    count_suffixes,
    describe_left_out,
    is_left_out,
    is_other_kind,
    readable_suffixes,
)
from shamisa_cli.core.images.listing import Walk, naturally_sorted, suffix_of
from shamisa_cli.core.images.path_list import PathList
from shamisa_cli.core.images.real_paths import RealPaths, ownness

P = TypeVar("P", str, Path)
Located = tuple[str, str]
"""A file's real path, without links, and its path as it was named or found."""


DRAWN = "{} drawn by shamisa"
"""What figures, thumbnails and maps whose names do not end in two suffixes are counted as, with their suffix."""
MOST_NAMES = 16
"""Times that a folder is read at which several links lead, where each name counts; by its own name first."""
NO_ADDRESS = "{} is an address on the web, which is not read. Download the picture, and name its file."


@dataclass(frozen=True)
class Discovery:
    """Images that were found, and what folders hold besides that could not be read.

    Attributes:
        paths: the files, as `discover` orders them.
        left_out: suffix → number of files in folders of a kind that this installation cannot read.
        folders: the folders that were named, in that order.
    """

    paths: Sequence[Path]
    left_out: dict[str, int]
    folders: tuple[Path, ...] = ()


def discover(inputs: Sequence[str | Path], *, recursive: bool = True) -> list[Path]:
    """Find the files that are named, in the order they were named, each real file once: by its own name before links.

    - A file is kept whatever its suffix; decoding it will report any error.
    - A folder stands for its files with a suffix of `readable_suffixes`, and with `recursive` those of its
      subfolders after them, in natural order ("img2" before "img10"). Maps, figures and thumbnails of reports
      that this program drew are left out, and counted. Hidden files and folders (names
      that start with a dot) are left out, and so are `SYSTEM_FOLDERS`. Links to folders are followed,
      each real folder once, so loops end. A folder that may not be listed is kept as a path itself, and so is a link
      that leads nowhere, unless its suffix is that of another kind of file; decoding will report the error.
    - A pattern (`*`, `?`, `[…]`, and `**` for any depth) stands for its matches, as in a shell. A file or
      folder whose name is the pattern itself takes precedence.

    Raises:
        InputNotFoundError: something named does not exist, a pattern matches nothing, a folder or the
            folders a pattern matches hold no picture, or nothing was named at all.
    """
    return list(survey(inputs, recursive=recursive).paths)


def survey(
    inputs: Sequence[str | Path],
    *,
    recursive: bool = True,
    keep_missing: bool = False,
    allow_empty: bool = False,
    every_name: bool = False,
    walk: Walk | None = None,
) -> Discovery:
    """Find files as `discover` does, and count what folders hold of kinds that this installation cannot read.

    Args:
        inputs: files, folders and patterns.
        recursive: whether folders are read with all their folders.
        keep_missing: keep a name that stands for nothing among names that do as a path, which decoding will report.
        allow_empty: let a folder without any picture, also of kinds that are left out, stand for none.
        every_name: keep each name of a file rather than each file once, as names of links count where folders are
            compared or rules go by names; each real folder at most `MOST_NAMES` times.
        walk: shared by several calls, so that links among their folders do not multiply; None begins one.

    Raises:
        InputNotFoundError: as for `discover`; with `keep_missing`, only if no name stands for anything.
    """
    search = _Search(recursive, allow_empty, walk or begin_walk(every_name))
    found: dict[str, str] = {}
    problems: list[InputNotFoundError] = []
    names = [os.fspath(each) for each in inputs]
    for named in names:
        try:
            files = search.named(named)
        except InputNotFoundError as error:
            problems.append(error)
            if not keep_missing:
                raise
            files = [search.located(Path(named))]
        for real, path in files:
            _keep(found, _whole_name(path) if every_name else real, path)
    if len(problems) == len(inputs):
        raise (
            problems[0]
            if problems
            else InputNotFoundError("No input was named; give at least one picture, folder or pattern.")
        )
    folders = tuple(Path(named) for named in names if os.path.isdir(named))
    return Discovery(PathList(list(found.values())), count_suffixes(list(search.left_out.values())), folders)


def begin_walk(every_name: bool) -> Walk:
    """A walk for `survey`, whose `every_name` is given."""
    return Walk(MOST_NAMES if every_name else 1)


def each_once(paths: Sequence[Path], *, every_name: bool = False) -> list[Path]:
    """The files in the order given, each real file once, as `discover` keeps it; or each name once, as `survey`."""
    real_paths, found = RealPaths(), dict[str, Path]()
    for path in paths:
        _keep(found, _whole_name(str(path)) if every_name else real_paths.of(path), path)
    return list(found.values())


def _keep(found: dict[str, P], key: str, path: P) -> None:
    """Keep the first path with a key, or one that is a file's own: decisions are written beside the file."""
    if key in found and ownness(path, key) > ownness(found[key], key):
        del found[key]
    found.setdefault(key, path)


def _whole_name(path: str) -> str:
    """The name of a file from the root, links kept: the same however it is spelled, but where ".." leads elsewhere."""
    whole = os.path.abspath(path)  # noqa: PTH100
    return whole if ".." not in path or os.path.realpath(whole) == os.path.realpath(path) else path


def wrong_with_folder(folder: Path) -> str:
    """Sentence on a folder that was read as a picture: that it holds none, or that a picture was expected."""
    try:
        discover([folder])
    except InputNotFoundError as error:
        return str(error)
    return f"{folder} is a folder, where a picture was expected."


@dataclass(frozen=True)
class _Search:
    """A search of folders and patterns.

    Attributes:
        recursive: whether folders are read with all their folders.
        allow_empty: whether a folder may hold nothing.
        walk: through all folders that are named, so that links among them do not multiply.
        left_out: real path → suffix of each file that was left out.
        real_paths: of what is found.
    """

    recursive: bool
    allow_empty: bool = False
    walk: Walk = field(default_factory=Walk)
    left_out: dict[str, str] = field(default_factory=dict)
    real_paths: RealPaths = field(default_factory=RealPaths)

    def located(self, path: Path) -> Located:
        """A file with its real path."""
        return self.real_paths.of(path), str(path)

    def named(self, name: str) -> list[Located]:
        """Files that a name stands for. Raises InputNotFoundError if there is none."""
        passed_over = self.walk.passed_over
        if os.path.isdir(name):
            counted = len(self.left_out)
            files = list(self._pictures_in(Path(name)))
            if not files and self.allow_empty and len(self.left_out) == counted:
                return []
            nothing = (
                f"No picture was found in the folder {name}: it has none"
                f"{'' if self.recursive else ' itself (its subfolders were left out)'}, or may not be listed."
            )
        elif os.path.exists(name):
            return [self.located(Path(name))]
        elif is_address(name):
            files = []
            nothing = NO_ADDRESS.format(name)
        elif is_pattern(name):
            files = list(self._matched(Path(name)))
            nothing = f"The pattern {name} matches no file, and no folder with a picture in it."
        else:
            files = []
            nothing = f"{name!r} does not exist, or may not be reached. Check the spelling and the folder."
        if not files and self.walk.passed_over == passed_over:
            left_out = describe_left_out(count_suffixes(list(self.left_out.values())))
            raise InputNotFoundError(f"{nothing} L{left_out[1:]}." if left_out else nothing)
        return files

    def _matched(self, pattern: Path) -> Iterator[Located]:
        """Files that match a pattern, and those of folders that do, but for folders below one that was read."""
        read: set[Path] = set()
        for match in matches(pattern, visits=self.walk.visits):
            if not os.path.isdir(match):
                yield self.located(match)
            elif not (self.recursive and _was_read(match, read)):
                read.add(match)
                yield from self._pictures_in(match)

    def _pictures_in(self, folder: Path) -> Iterator[Located]:
        """Files of a folder, with few calls of the system for each: a folder may hold 100,000."""
        for place, real, entries in self.walk.below(folder, deep=self.recursive):
            if entries is None:
                yield self.located(place)
                continue
            before = "" if place == Path() else os.path.join(place, "")  # noqa: PTH118
            real_before = os.path.join(real, "")  # noqa: PTH118
            drawn = set(filter(_is_drawn, entries))
            for entry in naturally_sorted(entry for entry in entries if entry not in drawn and _is_picture(entry)):
                yield _real_path(entry, real_before), before + entry.name
            for entry in naturally_sorted(entry for entry in entries if entry in drawn or _is_counted(entry)):
                self.left_out.setdefault(_real_path(entry, real_before), _counted_as(entry.name))


def _was_read(folder: Path, read: Collection[Path]) -> bool:
    """Whether a folder is one of those that were read, or below one; hidden folders are not read with the one above."""
    for place in (folder, *folder.parents):
        if place in read:
            return True
        if place.name.startswith("."):
            return False
    return False


def _real_path(entry: os.DirEntry[str], real_before: str) -> str:
    """The path of an entry without links; `real_before` is that of its folder, with a separator."""
    return os.path.realpath(entry.path) if entry.is_symlink() else real_before + entry.name


def _is_picture(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file that is read, by its suffix; or a link that leads nowhere and may be of anything."""
    suffix = suffix_of(entry.name)
    if suffix.lower() in readable_suffixes():
        return _may_be_file(entry)
    return _leads_nowhere(entry) and not is_other_kind(suffix)


def _is_counted(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file of a kind that cannot be read."""
    return is_left_out(suffix_of(entry.name)) and _may_be_file(entry)


def _counted_as(name: str) -> str:
    """The suffix that a file is counted by: its last; of a map both, such as ".jpg.png"; what other drawings are."""
    suffix = suffix_of(name)
    both = suffix_of(name.removesuffix(suffix)) + suffix
    return suffix if is_left_out(suffix) else DRAWN.format(suffix.lower()) if both == suffix else both


def _is_drawn(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a map, figure or thumbnail that this program drew: a PNG or WebP that is signed."""
    if suffix_of(entry.name).lower() not in DRAWN_SUFFIXES:
        return False
    from shamisa_cli.core.images.drawings import is_drawing

    try:
        return is_drawing(Path(entry.path))
    except OSError:
        return False


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or it cannot be told, as of a link that leads nowhere or where one may not look."""
    try:
        return entry.is_file() or _leads_nowhere(entry)
    except OSError:
        return True


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)


def is_address(name: str) -> bool:
    """Whether a name is an address on the web."""
    return name.lower().startswith(("http://", "https://", "ftp://"))
