"""Options shared by several commands, each written once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

MAX_PIXELS = 300_000_000
"""As in core/images, which is too heavy to import for a line of help."""

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
        help="Pictures, folders, or quoted globs; - reads a list from stdin, one path per line or NUL-separated.",
    ),
]
FilesFrom = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=PICTURES,
        show_default="none",
        help="Read more PATHS from a file, one path per line or NUL-separated.",
    ),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive/--no-recursive",
        envvar="SHAMISA_RECURSIVE",
        rich_help_panel=PICTURES,
        help="Search folders recursively.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="GLOB",
        rich_help_panel=PICTURES,
        show_default="none",
        help="Leave out files that match a pattern, as in a .gitignore file of the current folder; may be given "
        "several times.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="DATE",
        rich_help_panel=PICTURES,
        show_default="any",
        help="Leave out files last changed before a date, such as 2026-05-01 or 2026-05-01T18:30.",
    ),
]
AllowEmpty = Annotated[
    bool,
    typer.Option(
        "--allow-empty",
        rich_help_panel=PICTURES,
        show_default="off",
        help="Succeed where there is nothing to do, as in CI when no picture changed: a list or folder is empty, no "
        "picture has a partner, or --exclude and --since leave none.",
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
        help="Process only part I of N, 1/N to N/N: one part for each of N machines. Pictures are divided by their "
        "names. --output may then be a folder for the parts.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="auto|local|HOST:PORT",
        rich_help_panel=RUNNING,
        show_default="off",
        help="Distribute the work on a Ray cluster: auto (this machine's), local (a new one) or HOST:PORT. PATHS may "
        "then be addresses such as s3://bucket/photos, and tar files of pictures; --output is a folder for the parts, "
        "or an address; --jobs limits the number of workers.",
    ),
]
MaxPixels = Annotated[
    int,
    typer.Option(
        min=1, envvar="SHAMISA_MAX_PIXELS", rich_help_panel=PICTURES, help="Refuse pictures with more pixels."
    ),
]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        min=1,
        metavar="MB",
        envvar="SHAMISA_MAX_MEMORY",
        rich_help_panel=PICTURES,
        show_default="a quarter of what is free",
        help="Memory for pictures that are decoded at the same time, in megabytes; a picture that needs more is "
        "refused.",
    ),
]
SkipUnreadable = Annotated[
    bool,
    typer.Option(
        "--skip-unreadable",
        envvar="SHAMISA_SKIP_UNREADABLE",
        rich_help_panel=PICTURES,
        show_default="off",
        help="Do not exit with 3 when pictures cannot be read; their rows still give the reason.",
    ),
]
ViewSizeText = Annotated[
    str,
    typer.Option(
        "--view-size",
        metavar="N|native",
        envvar="SHAMISA_VIEW_SIZE",
        rich_help_panel=PICTURES,
        help="Scale pictures down to a long side of N pixels before scoring, never up; native keeps every pixel.",
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|PATH|hf:ORG/NAME[@REV]",
        envvar="SHAMISA_MODEL",
        rich_help_panel=MODEL,
        help="The model: a bundled one, a folder, or one on the Hugging Face Hub.",
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
        help="The relational model: a bundled one, a folder, or one on the Hugging Face Hub.",
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
        help="Resample pictures of a different size to the size of the first; otherwise they are errors.",
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
        help="Another probe, fitted on this model's features.",
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        envvar="SHAMISA_OFFLINE",
        rich_help_panel=MODEL,
        show_default="off",
        help="Make no network requests.",
    ),
]
DeviceName = Annotated[
    Device,
    typer.Option("--device", envvar="SHAMISA_DEVICE", rich_help_panel=RUNNING, help="Device that the model runs on."),
]
RuntimeName = Annotated[
    Runtime,
    typer.Option(
        "--runtime",
        envvar="SHAMISA_RUNTIME",
        rich_help_panel=RUNNING,
        help="Inference library; auto picks the fastest available. Scores agree within a tenth of a point.",
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
        help="Number of threads that read pictures; it does not change scores.",
    ),
]


UseCache = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache",
        envvar="SHAMISA_CACHE",
        rich_help_panel=CACHE,
        help="Reuse cached results for identical files, and store new ones.",
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
        help="Folder of the cache.",
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
        help="Largest size of the cache: a scored picture takes about 0.5 kB, one with its features 100 kB. "
        "The least recently used entries are removed first, features before scores.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        rich_help_panel=RUNNING,
        show_default="off",
        help="Print no table for people, progress, hints or warnings: only errors, which pictures could not be read, "
        "and results that --format or --output ask for. Exit codes are the same.",
    ),
]
