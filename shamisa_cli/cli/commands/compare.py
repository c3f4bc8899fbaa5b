"""`shamisa compare`: what changed between a picture and versions of it, where, and which is better."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.cli import inputs, options
from shamisa_cli.cli.commands.comparison_run import comparison_line, copies_for, drawing, report_comparisons
from shamisa_cli.cli.commands.ladder import run_ladder
from shamisa_cli.cli.console import Console, check_output, require_folder_name
from shamisa_cli.cli.errors import exit_code, told
from shamisa_cli.cli.output import counted
from shamisa_cli.cli.pair_inputs import find_pairs
from shamisa_cli.cli.reporters.base import ComparisonRun
from shamisa_cli.cli.reporters.comparison import COMPARISON_REPORTERS
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import is_dir
from shamisa_cli.core.models.resolver import DEFAULT_RELATIONAL
from shamisa_cli.core.relational.folder_pairs import describe_ambiguous
from shamisa_cli.core.relational.gate import ComparisonGate
from shamisa_cli.core.relational.records import Candidate

if TYPE_CHECKING:
    from shamisa_cli.core.relational.comparison import Watch
    from shamisa_cli.core.relational.judgement import Comparer

RESULTS = "Results"
LOWEST, HIGHEST = -100, 100
Format = StrEnum("Format", [*COMPARISON_REPORTERS, "svg"])  # type: ignore[misc]  # mypy wants a literal
Pairs = Sequence[tuple[Path, Path]]


def compare(
    reference: Annotated[
        Path,
        typer.Argument(metavar="REF", show_default=False, help="The original: a picture, or a folder of pictures."),
    ],
    candidates: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CANDIDATE...",
            show_default=False,
            help="Versions of it: pictures, folders, or quoted globs; - reads a list from stdin. If REF is a folder, "
            "name folders that hold a picture of the same relative name for each picture in REF (the suffix may differ "
            "where that is unambiguous).",
        ),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            rich_help_panel=RESULTS,
            show_default="by the suffix of --output, else text",
            help="text for people; json; jsonl and csv, one row per candidate, written as soon as it is compared; "
            "junit, github (annotations and a job summary) and sarif for CI; html, one page with a slider over both "
            "pictures and maps of the change.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel=RESULTS,
            show_default="stdout",
            help="Write to a file, which appears when it is complete.",
        ),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(
            "--maps",
            metavar="DIR",
            rich_help_panel=RESULTS,
            show_default="none",
            help="Also write maps of where each candidate changed, one folder per candidate: a PNG for each kind of "
            "distortion that changed, overall.png, and figure.png with both pictures and the strongest changes.",
        ),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            min=LOWEST,
            max=HIGHEST,
            envvar="SHAMISA_MIN_RELATIONAL_SCORE",
            rich_help_panel=options.GATE,
            show_default="none",
            help="Minimum score, from -100 to 100; exit code 1 if a candidate scores lower. 0 is as good as REF.",
        ),
    ] = None,
    max_difference: Annotated[
        float | None,
        typer.Option(
            "--max-difference",
            min=0,
            max=HIGHEST,
            envvar="SHAMISA_MAX_DIFFERENCE",
            rich_help_panel=options.GATE,
            show_default="none",
            help="Largest difference, from 0 to 100; exit code 1 if a candidate differs more, whichever is better. "
            "Below 3 a change is not visible; JPEG at quality 95, 90, 75 and 20 differs by about 5, 10, 20 and 50.",
        ),
    ] = None,
    original: Annotated[
        bool,
        typer.Option(
            "--original",
            help="REF is the original: in doubt, a change counts as damage, and swapping the files does not flip the "
            "score.",
        ),
    ] = False,
    ladder: Annotated[
        str | None,
        typer.Option(
            "--ladder",
            metavar="CODECS",
            rich_help_panel="Ladder",
            show_default="off",
            help="Encode REF at many qualities of each codec (jpeg,webp,avif), without candidates, and find the "
            "lowest quality that scores --target or more. Formats: text, json, csv, and svg (-o curve.svg), a plot.",
        ),
    ] = None,
    target: Annotated[
        float,
        typer.Option(
            "--target",
            min=LOWEST,
            max=0,
            rich_help_panel="Ladder",
            help="Score that a codec's result must reach. -5 is hardly visible, -10 is like JPEG at quality 90.",
        ),
    ] = -10,
    strict_pairs: Annotated[
        bool,
        typer.Option(
            "--strict-pairs",
            rich_help_panel=options.GATE,
            show_default="off",
            help="Exit with 1 if a picture of the folders has no partner; such pictures are always listed.",
        ),
    ] = False,
    resize: options.Resize = False,
    files_from: options.FilesFrom = None,
    recursive: options.Recursive = True,
    allow_empty: options.AllowEmpty = False,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_memory: options.MaxMemory = None,
    skip_unreadable: options.SkipUnreadable = False,
    model: options.RelationalName = DEFAULT_RELATIONAL,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    quiet: options.Quiet = False,
) -> None:
    """Compare versions of a picture with the original: what changed, where, and which is better.

    The difference, from 0 to 100, says how visible the change is; the direction, from -1 to 1, which picture is better
    and how sure that is. The score is their product, from -100 to 100: negative is worse than REF, positive is better.
    Swapping the two files flips its sign. Pictures of different scenes have a difference near 100 and a direction that
    means nothing: to order unrelated pictures by quality, use shamisa score. Each group of distortions, and
    saturation, has a signed intensity.

    Exit codes:
    0  success
    1  a candidate failed the gate: it scores below --min-score, or differs by more than --max-difference; or a picture
       has no partner, with --strict-pairs
    2  error: unknown option, REF cannot be read, no picture with a partner, no such model
    3  some candidates could not be compared (unreadable, or a different size), and none failed (see --skip-unreadable)
    """
    started = time.monotonic()
    inputs.limit_memory(max_memory)
    check_destinations(output, maps)
    console = Console(quiet=quiet, discard=quiet and format is None and output is None)
    if ladder is not None:
        if candidates or is_dir(reference):
            raise SettingError("--ladder takes one picture and no candidates.")
        run_ladder(
            reference, ladder, target, format, output, max_pixels, console,
            name=model, offline=offline, device=device.value,
        )  # fmt: skip
        return
    if strict_pairs and not is_dir(reference):
        raise SettingError("--strict-pairs goes with folders; a picture is compared with every candidate.")
    gate = ComparisonGate(min_score, max_difference, skip_unreadable)
    reporter = COMPARISON_REPORTERS[format or inputs.format_of(output, COMPARISON_REPORTERS)]
    found = find_pairs(reference, candidates, files_from, recursive, console, allow_empty=allow_empty)

    from shamisa_cli.core.machine import keep_freed_memory
    from shamisa_cli.core.models.loading import load_relational_model

    keep_freed_memory()
    loaded = load_relational_model(model, offline=offline, device=device)
    with copies_for(reporter) as images:
        watch = drawing(maps, images, found.pairs)
        compared = _compared(
            loaded, reference, found.pairs, watch, resize=resize, original=original, max_pixels=max_pixels
        )
        run = ComparisonRun(loaded.identity, gate, found.added, found.removed, strict_pairs, images)
        statuses = report_comparisons(compared, run, reporter, output, len(found.pairs), console)
    if found.ambiguous:
        console.hint(describe_ambiguous(found.ambiguous))
    alone = len(found.added) + len(found.removed) if strict_pairs else 0
    if alone:
        console.hint(f"{counted(alone, 'picture')} without a partner: with --strict-pairs, the run fails.")
    console.hint(comparison_line(statuses, found, since=started, places={"results": output, "maps": maps}))
    failed = statuses["failed"] + alone
    raise typer.Exit(exit_code(failed=failed, unreadable=statuses["error"], skip_unreadable=skip_unreadable))


def check_destinations(output: Path | None, maps: Path | None = None) -> None:
    """Raise SettingError if an output cannot be written."""
    if output is not None:
        check_output(output)
    require_folder_name(maps, "--maps")


def _compared(
    loaded: Comparer,
    reference: Path,
    pairs: Pairs,
    watch: Watch | None,
    *,
    resize: bool,
    original: bool,
    max_pixels: int,
) -> Generator[Candidate, None, None]:
    """Yield candidates as they are compared, without maps, which only `watch` gets; reads a single REF at once."""
    from shamisa_cli.core.relational.comparison import compare_pairs, compare_with, read_image

    drawn = watch is not None
    if is_dir(reference):
        records = compare_pairs(
            loaded, pairs, resize=resize, original=original, maps=drawn, max_pixels=max_pixels, watch=watch
        )
    else:
        # Without its only reference the command cannot continue.
        side = read_image(reference, str(reference), max_pixels=max_pixels)
        sources = [(str(path), path) for _, path in pairs]
        records = compare_with(
            loaded, side, sources, resize=resize, original=original, maps=drawn, max_pixels=max_pixels, watch=watch
        )
    return (replace(record, maps=None, error=told(record.error)) for record in records)
