"""Options shared by several commands, and the files that PATHS name."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.core.cluster.part_number import PartNumber, require_count, require_only_part
from shamisa_cli.core.errors import InputNotFoundError, SettingError

if TYPE_CHECKING:
    from shamisa_cli.cli.console import Console
    from shamisa_cli.core.scoring.cache import Cache
    from shamisa_cli.core.scoring.scorer import ViewSize

MAX_PIXELS = 300_000_000
"""As in core/images, which is too heavy to import for a line of help."""

FILE_SUFFIXES = frozenset((
    ".parquet", ".npz", ".safetensors", ".json", ".jsonl", ".csv", ".txt", ".text", ".log", ".md", ".xml", ".junit",
    ".github", ".sarif",
))  # fmt: skip
"""Suffixes of files; with --shard, an --output with any other suffix is a folder of parts, such as out.v2."""

STDIN = "-"
NOTHING_NAMED = "No picture was named. Give files, folders or globs, - for a list on stdin, or --files-from."
NATIVE = "native"

PICTURES = "Pictures"
MODEL = "Model"
RUNNING = "Running"
GATE = "Gate"
CACHE = "Cache"

CACHE_MEGABYTES = 1000
"""As in core/scoring/cache."""


class Device(StrEnum):
    """Devices that a model can run on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Runtime(StrEnum):
    """Inference libraries."""

    AUTO = "auto"
    TORCH = "torch"
    ONNX = "onnx"


def bundled_models(incomplete: str) -> list[str]:
    """Shell completion of a model: the bundled models whose names begin with `incomplete`."""
    from shamisa_cli.core.models.resolver import bundled

    return [name for name in bundled() if name.startswith(incomplete)]


PathsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATHS...",
        show_default=False,
        help="Pictures, folders, or quoted globs; - reads a list from stdin, one a line or NUL-separated.",
    ),
]
FilesFrom = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=PICTURES,
        show_default="none",
        help="Read more PATHS from a file, one a line or NUL-separated.",
    ),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive/--no-recursive",
        envvar="SHAMISA_RECURSIVE",
        rich_help_panel=PICTURES,
        help="Whether folders in folders are read too.",
    ),
]
ShardText = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        envvar="SHAMISA_SHARD",
        rich_help_panel=PICTURES,
        show_default="all",
        help="Take the I-th of N parts of the pictures, 1/N to N/N, by their names: one for each of N machines. "
        "--output may then be a folder for the parts.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="auto|local|HOST:PORT",
        rich_help_panel=RUNNING,
        show_default="this process alone",
        help="Share the work out over a Ray cluster: the one this machine is part of, or one of its own. PATHS may "
        "then be addresses such as s3://bucket/photos and tars of pictures; --output is a folder for the parts, or an "
        "address; --jobs counts workers.",
    ),
]
MaxPixels = Annotated[
    int,
    typer.Option(
        min=1, envvar="SHAMISA_MAX_PIXELS", rich_help_panel=PICTURES, help="Refuse pictures with more pixels."
    ),
]
SkipUnreadable = Annotated[
    bool,
    typer.Option(
        "--skip-unreadable",
        envvar="SHAMISA_SKIP_UNREADABLE",
        rich_help_panel=PICTURES,
        show_default="off",
        help="Leave the exit code at 0 when pictures cannot be read; their rows still say why.",
    ),
]
ViewSizeText = Annotated[
    str,
    typer.Option(
        "--view-size",
        metavar="N|native",
        envvar="SHAMISA_VIEW_SIZE",
        rich_help_panel=PICTURES,
        help="Judge pictures as shown with a long side of N pixels, never enlarged; native judges every pixel.",
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|PATH|hf:ORG/NAME[@REV]",
        envvar="SHAMISA_MODEL",
        rich_help_panel=MODEL,
        help="The model: a bundled one, a folder, or one from the Hugging Face Hub.",
        autocompletion=bundled_models,
    ),
]
RelationalName = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|PATH|hf:ORG/NAME[@REV]",
        envvar="SHAMISA_RELATIONAL_MODEL",
        rich_help_panel=MODEL,
        help="The relational model: a bundled one, a folder, or one from the Hugging Face Hub.",
        autocompletion=bundled_models,
    ),
]
Resize = Annotated[
    bool,
    typer.Option(
        "--resize",
        envvar="SHAMISA_RESIZE",
        rich_help_panel=PICTURES,
        show_default="off",
        help="Resample pictures of another size to the size of the first; otherwise they are errors.",
    ),
]
ProbeName = Annotated[
    str | None,
    typer.Option(
        "--probe",
        metavar="PATH|hf:ORG/NAME[@REV]",
        envvar="SHAMISA_PROBE",
        rich_help_panel=MODEL,
        show_default="the model's own",
        help="Another regressor, fitted on this model's features.",
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        envvar="SHAMISA_OFFLINE",
        rich_help_panel=MODEL,
        show_default="off",
        help="Make no network request.",
    ),
]
DeviceName = Annotated[
    Device,
    typer.Option("--device", envvar="SHAMISA_DEVICE", rich_help_panel=RUNNING, help="Where the model computes."),
]
RuntimeName = Annotated[
    Runtime,
    typer.Option(
        "--runtime",
        envvar="SHAMISA_RUNTIME",
        rich_help_panel=RUNNING,
        help="Which library computes; auto takes the fastest there is. Scores agree within a tenth of a point.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        envvar="SHAMISA_JOBS",
        rich_help_panel=RUNNING,
        show_default="one per processor",
        help="Threads that read pictures; scores do not depend on it.",
    ),
]


UseCache = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache",
        envvar="SHAMISA_CACHE",
        rich_help_panel=CACHE,
        help="Take what earlier runs found out about pictures with the same content, and keep it for later ones.",
    ),
]
CacheFolder = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        metavar="DIR",
        envvar="SHAMISA_CACHE_DIR",
        rich_help_panel=CACHE,
        show_default="your cache folder",
        help="Where the cache is.",
    ),
]
CacheSize = Annotated[
    int,
    typer.Option(
        "--cache-size",
        metavar="MB",
        min=1,
        envvar="SHAMISA_CACHE_SIZE",
        rich_help_panel=CACHE,
        help="What it may hold: some .5 kB a scored picture, 135 kB one with its features. "
        "What was not used for longest goes, features first.",
    ),
]


def open_cache(
    use: bool, folder: Path | None, megabytes: int, console: Console
) -> AbstractContextManager[Cache | None]:
    """Context with the open cache; None if it is switched off, or the user has no home folder."""
    from shamisa_cli.core.scoring.cache import MEGABYTE, Cache, default_folder

    folder = folder or default_folder()
    if not use or folder is None:
        return nullcontext()
    return Cache(folder.expanduser(), limit=megabytes * MEGABYTE, warn=console.warn)


def was_typed(context: typer.Context, name: str) -> bool:
    """Whether the option was given on the command line; a setting, in contrast, is ignored where it does not apply."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


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


def output_file(output: Path, shard: PartNumber | None) -> Path:
    """Resolve --output to a file: if it names a folder of parts, this part's file in it.

    Raises:
        SettingError: the folder has a different number of parts, or the file holds images of other parts.
    """
    if shard is None:
        return output
    is_folder = output.is_dir()
    if not is_folder and (output.exists() or output.suffix.lower() in FILE_SUFFIXES):
        require_only_part(output, shard)
        return output
    if is_folder:
        require_count((path.name for path in output.iterdir()), shard.count, output)
    return output / shard.file_name


def named_paths(paths: Sequence[str] | None, files_from: Path | None) -> tuple[list[str], list[str]]:
    """Split what is named into PATHS and the entries of lists (- and --files-from)."""
    from shamisa_cli.core.images.discovery import read_list

    paths = paths or []
    listed = read_list(sys.stdin.buffer) if STDIN in paths else []
    if files_from is not None:
        with files_from.open("rb") as stream:
            listed += read_list(stream)
    return [path for path in paths if path != STDIN], listed


def find_images(
    paths: Sequence[str] | None, files_from: Path | None, recursive: bool, shard: PartNumber | None = None
) -> list[Path]:
    """Find the files of PATHS, then of lists (- and --files-from), each file once; with --shard, one part of them.

    PATHS must exist. A missing file in a list is kept, and its row will hold the error.

    Raises:
        InputNotFoundError: a path matches nothing, or no image was found.
    """
    from shamisa_cli.core.images.discovery import discover

    named, listed = named_paths(paths, files_from)
    found = discover(named, recursive=recursive) if named else []
    for name in listed:
        found += discover([name], recursive=recursive) if Path(name).is_dir() else [Path(name)]
    if not found:
        raise InputNotFoundError(NOTHING_NAMED)
    files = list({os.path.realpath(path): path for path in reversed(found)}.values())[::-1]
    return files if shard is None else [path for path in files if shard.contains(path)]
