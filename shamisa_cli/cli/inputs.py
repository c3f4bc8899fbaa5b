"""From the options that name inputs to files: PATHS and lists, the file of --shard, --view-size, and the cache."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.cli.console import FILE_SUFFIXES, Console
from shamisa_cli.core.atomic import naming
from shamisa_cli.core.cluster.part_number import PartNumber, require_count
from shamisa_cli.core.errors import InputNotFoundError, SettingError
from shamisa_cli.core.existence import exists, is_dir
from shamisa_cli.core.home import expanded

if TYPE_CHECKING:
    from shamisa_cli.core.cluster.division import SharedJob
    from shamisa_cli.core.images.discovery import Discovery
    from shamisa_cli.core.scoring.cache import Cache
    from shamisa_cli.core.scoring.scorer import ViewSize

FORMATS = {
    ".txt": "text", ".text": "text", ".log": "text", ".md": "text", ".json": "json", ".jsonl": "jsonl", ".csv": "csv",
    ".xml": "junit", ".junit": "junit", ".github": "github", ".sarif": "sarif", ".html": "html", ".svg": "svg",
    ".parquet": "parquet",
}  # fmt: skip
"""Format of a file by its suffix; a command knows some of them."""
PARTS = (".parquet", ".npz", ".safetensors")
"""Suffixes of tables that record which part of a job they hold."""

STDIN = "-"
NOTHING_NAMED = "No picture was named. Give files, folders or globs, - for a list on stdin, or --files-from."
NATIVE = "native"


def open_cache(
    use: bool, folder: Path | None, megabytes: int, console: Console
) -> AbstractContextManager[Cache | None]:
    """Context with the open cache; None if it is switched off, or the user has no home folder."""
    from shamisa_cli.core.scoring.cache import CLEARING, MEGABYTE, Cache, default_folder

    used = folder or default_folder()
    if not use or used is None:
        return nullcontext()
    clearing = CLEARING if folder is None else f"{CLEARING} --cache-dir {shlex.quote(str(folder))}"

    def warn(text: str) -> None:
        console.warn(f"{text.removesuffix('.').replace(CLEARING, clearing)}, --no-cache turns it off.")

    return Cache(expanded(used), limit=megabytes * MEGABYTE, warn=warn)


def cache_hits(cache: Cache | None) -> int:
    """Number of images whose results were in the cache."""
    return 0 if cache is None else cache.hits


def format_of(output: Path | None, known: Collection[str]) -> str:
    """The format that the name of an output file asks for; "text" on stdout, or if it has no suffix.

    Raises:
        SettingError: no format in `known` has this suffix.
    """
    suffix = "" if output is None else output.suffix.lower()
    if suffix == "":
        return "text"
    if FORMATS.get(suffix) in known:
        return FORMATS[suffix]
    choices = ", ".join(each for each, name in FORMATS.items() if name in known)
    raise SettingError(
        f"No format is known by the suffix of {output}. Use one of {choices}, or name one with --format."
    )


def limit_memory(megabytes: int | None) -> None:
    """Let pictures that are being decoded take so many megabytes together; None takes the default."""
    from shamisa_cli.core.images.budget import DECODING

    DECODING.set_limit(bytes_of(megabytes))


def bytes_of(megabytes: int | None) -> int | None:
    """--max-memory in bytes; None where it is not given."""
    from shamisa_cli.core.images.budget import MEGABYTE

    return None if megabytes is None else megabytes * MEGABYTE


def view_size(text: str) -> ViewSize:
    """Read --view-size: "model", "native", or a number of pixels. Raises SettingError on anything else."""
    if text == "model":
        return "model"
    if text == NATIVE:
        return None
    try:
        return int(text)
    except ValueError:
        raise SettingError(f"--view-size is {text!r}; it takes a number of pixels, or native.") from None


def part_number(text: str | None) -> PartNumber | None:
    """Read --shard; None where there is none. Raises SettingError on anything but I/N."""
    try:
        return None if text is None else PartNumber.parse(text)
    except SettingError:
        raise SettingError(f"--shard is {text!r}; it takes I/N with I from 1 to N, such as 1/4.") from None


def output_file(output: Path, shard: PartNumber | None) -> Path:
    """Resolve --output to a file: if it names a folder of parts, this part's file in it.

    Raises:
        SettingError: the folder has a different number of parts, or the file holds, or may hold, images of other parts.
    """
    if shard is None:
        return output
    is_folder = is_dir(output)
    if not is_folder and (exists(output) or output.suffix.lower() in FILE_SUFFIXES):
        from shamisa_cli.core.cluster.division import require_only_part

        if output.suffix.lower() not in PARTS:
            require_no_other_part(output, shard)
        require_only_part(output, shard)
        return output
    if is_folder:
        require_count((path.name for path in output.iterdir()), shard.count, output)
    return output / shard.file_name


def require_no_other_part(output: Path, shard: PartNumber | None) -> None:
    """Raise SettingError if a file that holds one part may hold another."""
    if shard is not None and shard.count > 1 and exists(output) and output.stat().st_size:
        raise SettingError(f"{output} exists, and may hold another part. Remove it, or name another file.")


def named_paths(paths: Sequence[str] | None, files_from: Path | None) -> tuple[list[str], list[str]]:
    """Split what is named into PATHS and the entries of lists (- and --files-from)."""
    from shamisa_cli.core.images.name_lists import read_list

    paths = paths or []
    listed = []
    if STDIN in paths:
        with naming("stdin"):
            listed = read_list(sys.stdin.buffer)
    if str(files_from) == STDIN:
        raise SettingError("--files-from names a file. For a list on standard input, give - in place of the pictures.")
    if files_from is not None:
        with files_from.open("rb") as stream:
            listed += read_list(stream)
    return [path for path in paths if path != STDIN], listed


def find_images(
    paths: Sequence[str] | None,
    files_from: Path | None,
    recursive: bool,
    console: Console,
    *,
    allow_empty: bool = False,
    every_name: bool = False,
) -> list[Path]:
    """The files of `survey_inputs`."""
    found = survey_inputs(paths, files_from, recursive, console, allow_empty=allow_empty, every_name=every_name)
    return list(found.paths)


def survey_inputs(
    paths: Sequence[str] | None,
    files_from: Path | None,
    recursive: bool,
    console: Console,
    *,
    exclude: Sequence[str] | None = None,
    since: str | None = None,
    allow_empty: bool = False,
    every_name: bool = False,
) -> Discovery:
    """Find the files of PATHS, then of lists (- and --files-from), each file once, or each name of one.

    A name that stands for nothing is kept, and its row will hold the error. What folders hold of kinds that cannot be
    read is said on `console`. `exclude`, `since` and `allow_empty` are --exclude, --since and --allow-empty;
    `every_name` is as for `survey`.

    Raises:
        InputNotFoundError: no image was found, or none is left, unless that is allowed.
        SettingError: --exclude or --since cannot be used.
    """
    from shamisa_cli.core.images.discovery import Discovery, begin_walk, each_once, survey
    from shamisa_cli.core.images.filters import FileFilter, read_date
    from shamisa_cli.core.images.kinds import describe_left_out

    conditions = FileFilter(tuple(exclude or ()), None if since is None else read_date(since))
    named, listed = named_paths(paths, files_from)
    searched = every_name or bool(exclude)  # a file is left out by all of its names, or not at all
    find = partial(survey, recursive=recursive, allow_empty=allow_empty, every_name=searched, walk=begin_walk(searched))
    surveys = [_survey_entry(name, find) for name in listed]
    try:
        if named:
            surveys[:0] = [find(named, keep_missing=True)]
    except InputNotFoundError:
        if not listed:
            raise
        surveys[:0] = [Discovery([Path(name) for name in named], {})]
    found = surveys[0].paths if len(surveys) == 1 else [path for each in surveys for path in each.paths]
    if not found and not (allow_empty and (paths or files_from)):
        raise InputNotFoundError(NOTHING_NAMED)
    kept = conditions.select(found)
    for pattern in conditions.idle(found):
        console.hint(f"--exclude {pattern} matches no file; patterns are relative to the current folder.")
    if not kept and not allow_empty:
        raise InputNotFoundError(f"No picture is left: --exclude and --since leave out all {len(found):,} of them.")
    left_out = dict(sum((Counter(each.left_out) for each in surveys if each.left_out), Counter[str]()))
    if left_out:
        console.hint(describe_left_out(left_out))
    is_once = len(surveys) == 1 and (every_name or not exclude)
    files = kept if is_once else each_once(kept, every_name=every_name)
    return Discovery(files, left_out, tuple(folder for each in surveys for folder in each.folders))


def divide(found: Discovery, shard: PartNumber | None, target: Path | None, console: Console) -> SharedJob:
    """The files of --shard's part, and what its table records; all files without --shard.

    Warns if the folder of `target` has a part of other pictures: the two cannot be opened as one.
    """
    from shamisa_cli.core.cluster.division import SharedJob, picture_keys, recorded

    if shard is None:
        return SharedJob(found.paths, None)
    job = SharedJob.of(found.paths, picture_keys(found.paths, found.folders), shard)
    others = sorted(target.parent.glob("part-*-of-*.parquet")) if target is not None else []
    other = next((path for path in others if path != target), None)
    before = None if other is None else recorded(other)
    if before is not None and job.division is not None and not before.same_job(job.division):
        console.warn(
            f"{other} is a part of {before.pictures:,} pictures, and this one of {job.division.pictures:,} that are "
            "not all the same. Parts are opened together once all have been made of the same pictures."
        )
    return job


def _survey_entry(name: str, find: Callable[[list[str]], Discovery]) -> Discovery:
    """The images of an entry of a list; a folder without any is kept as a path too."""
    from shamisa_cli.core.images.discovery import Discovery

    try:
        is_folder = is_dir(name)
        if not is_folder:
            return Discovery([Path(name)], {})
        return find([name])
    except InputNotFoundError:
        return Discovery([Path(name)], {})
