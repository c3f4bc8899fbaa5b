"""Files and folders that are either complete or absent, even if the program is interrupted or the disk is full."""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from shamisa_cli.core.existence import exists, is_dir, is_file, is_link, may
from shamisa_cli.core.places import require_no_stream
from shamisa_cli.core.unfinished import UnfinishedFile, locked

TEMPORARY = ".shamisa-"
"""Beginning of the names of files that are being written; what a killed run left is known by it."""
_LEFT_OVER = re.compile(re.escape(TEMPORARY) + r"[0-9a-f]{12}(\.[^.]*)?")
_LONGEST_SUFFIX = 16
NO_LINKS = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}
"""Errors of file systems on which a file cannot get a second name."""
_FOREIGN_ERROR = re.compile(r"(?:os error |errno )(\d+)")
"""The number in errors of the system that safetensors and Arrow pass on as text."""


@contextmanager
def replacing(target: Path, *, only_new: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target` that takes its name when the block ends without an error.

    The parent folder is created. On an error, or Ctrl-C, the temporary file and new folders are removed and `target`
    is left as it was; what a killed run left in the folder is removed by the next one that writes there. The temporary
    name keeps the suffix of `target`, since libraries choose a format by it.

    Args:
        target: the file.
        only_new: never replace a file, and keep the permissions that the block gives to the temporary one.

    Raises:
        FileExistsError: there is a `target`, which is `only_new`.
        OSError: it cannot be written; `filename` is `target`.
        SettingError: its name is that of a stream or device.
    """
    with _being_written(target) as file:
        yield file.path
        file.complete(keeps_mode=only_new)
        (_take_free_name if only_new else Path.replace)(file.path, target)


@contextmanager
def replacing_together(targets: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield one temporary path per target, as `replacing`; they take their names in order when the block ends.

    All are on the disk before the first takes its name, so that a run is hardly ever killed in between.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(_being_written(target)) for target in reversed(targets)][::-1]
        yield [file.path for file in files]
        for file in files:
            file.complete()
        for file, target in zip(files, targets, strict=True):
            file.path.replace(target)


@contextmanager
def filling(folder: Path, names: Sequence[str]) -> Iterator[list[Path]]:
    """Yield one temporary path per file of `folder`, which take their names when the block ends without an error.

    A folder that is not there yet appears with all of them at once, so that a run that is killed leaves it whole or not
    at all. In one that is there the files are replaced as by `replacing_together`.
    """
    if os.path.lexists(folder):
        with replacing_together([folder / name for name in names]) as files:
            yield files
        return
    with replacing_folder(folder, only_new=True) as new, replacing_together([new / name for name in names]) as files:
        yield files


@contextmanager
def replacing_folder(target: Path, *, only_new: bool = False) -> Iterator[Path]:
    """Yield a new folder beside `target` that takes its name when the block ends without an error.

    What was in a folder of that name is then removed. On an error, or Ctrl-C, the new folder is removed and `target` is
    left as it was; what a killed run left is removed as by `replacing`.

    Args:
        target: the folder.
        only_new: never replace a folder in which something is.

    Raises:
        OSError: it cannot be written, or is there though it is `only_new`; `filename` is `target`.
    """
    with naming(target), _folder_for(target):
        _remove_left_over(target.parent.absolute())
        new, old = (target.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}") for _ in range(2))
        try:
            new.mkdir()
            with locked(new):
                yield new
            if only_new:
                if is_dir(target):
                    target.rmdir()  # an empty one, which Windows does not replace
                new.rename(target)
            else:
                _take_place(new, target, old)
        except OSError as error:
            if str(error.filename).startswith(str(new)):
                error.filename, error.filename2 = str(target), None
            raise
        finally:
            for each in (new, old):
                shutil.rmtree(each, ignore_errors=True)


def _take_place(new: Path, target: Path, old: Path) -> None:
    """Give a folder the name of another one, which gets the name `old`."""
    if not os.path.lexists(target):
        new.rename(target)
        return
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise


@contextmanager
def _folder_for(target: Path) -> Iterator[None]:
    """Make the folder of a file; what is new of it is removed if the block ends with an error and nothing is in it."""
    new = [folder for folder in target.absolute().parents if not exists(folder)]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):
            for folder in new:
                folder.rmdir()
        raise


@contextmanager
def _being_written(target: Path) -> Iterator[UnfinishedFile]:
    require_no_stream(target)
    with naming(target), _folder_for(target):
        _remove_left_over(target.parent.absolute())
        suffix = target.suffix if len(target.suffix) <= _LONGEST_SUFFIX else ""
        file = UnfinishedFile(target.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}{suffix}"))
        try:  # from before the file is there, since Ctrl-C may come at once
            file.create(_replaced(target))
            yield file
        except OSError as error:
            if error.filename == str(file.path):
                error.filename, error.filename2 = str(target), None
            raise
        finally:
            file.close()
            file.path.unlink(missing_ok=True)


def _replaced(target: Path) -> os.stat_result | None:
    """The status of a file that is to be replaced; None without one, or for a link.

    Raises PermissionError where it is marked as read-only, since only its folder could be asked otherwise.
    """
    if is_link(target) or not is_file(target):
        return None
    if not may(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    return target.stat()


def _take_free_name(temporary: Path, target: Path) -> None:
    """Give a file its name, which no other file may have. Raises FileExistsError if one does."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with target.open("xb"):  # an empty file of our own, which may be replaced
            pass
        temporary.replace(target)


@contextmanager
def naming(target: Path | str) -> Iterator[None]:
    """Give an error of the system that names no file, such as a full disk, the name of what was written."""
    try:
        yield
    except Exception as error:
        if getattr(error, "filename", None) is None and (number := _error_number(error)):
            raise OSError(number, os.strerror(number), str(target)) from error
        raise


def _error_number(error: Exception) -> int | None:
    from safetensors import SafetensorError

    if isinstance(error, OSError) and error.errno:
        return error.errno
    said = _FOREIGN_ERROR.search(str(error)) if isinstance(error, OSError | SafetensorError) else None
    return None if said is None else int(said[1])


def complete_files(folder: Path, suffix: str) -> list[Path]:
    """The files of a folder with a suffix, sorted; not those that are being written, or that killed runs left."""
    return [path for path in sorted(folder.glob(f"*{suffix}")) if not path.name.startswith(TEMPORARY)]


def is_free(folder: Path) -> bool:
    """Whether a folder is empty, but for what killed runs left."""
    return all(_LEFT_OVER.fullmatch(path.name) for path in folder.iterdir())


@cache
def _remove_left_over(folder: Path) -> None:
    """Remove temporary files and folders of runs that were killed; once for each folder.

    Those that are being written stay.
    """
    with suppress(OSError):
        for path in [Path(entry) for entry in os.scandir(folder) if _LEFT_OVER.fullmatch(entry.name)]:
            with suppress(OSError), locked(path) as is_free:
                if is_free and is_dir(path):
                    shutil.rmtree(path, ignore_errors=True)
                elif is_free:
                    path.unlink(missing_ok=True)
