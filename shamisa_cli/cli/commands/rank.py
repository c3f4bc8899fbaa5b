"""`shamisa rank`: order versions of one image from best to worst."""

from __future__ import annotations

import time
from dataclasses import replace
from enum import StrEnum
from math import comb
from pathlib import Path
from typing import Annotated

import typer

from shamisa_cli.cli import inputs, options
from shamisa_cli.cli.commands.compare import check_destinations
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.errors import exit_code, told
from shamisa_cli.cli.reporters.comparison import RANKING_WRITERS
from shamisa_cli.cli.run_tally import closing_line
from shamisa_cli.core.errors import InputNotFoundError
from shamisa_cli.core.models.resolver import DEFAULT_RELATIONAL

RESULTS = "Results"

Format = StrEnum("Format", list(RANKING_WRITERS))  # type: ignore[misc]  # mypy wants a literal; the table is the one list


def rank(
    paths: options.PathsArgument = None,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            rich_help_panel=RESULTS,
            show_default="by the suffix of --output, else text",
            help="text for people; json, with every pair's score; jsonl and csv, one row per picture.",
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
    """Order versions of one picture from best to worst, without an original.

    Every pair is compared, so time grows with the square of the number of pictures. A picture's score is the mean of
    its scores against all others, from -100 to 100. All pictures must show the same scene in the same frame: to order
    unrelated pictures by quality, use shamisa score --sort score.

    Exit codes:
    0  success
    2  error: unknown option, fewer than two pictures, no such model
    3  some pictures could not be ranked (unreadable, or a different size); see --skip-unreadable
    """
    inputs.limit_memory(max_memory)
    started = time.monotonic()
    console = Console(quiet=quiet, discard=quiet and format is None and output is None)
    check_destinations(output)
    write = RANKING_WRITERS[format or inputs.format_of(output, RANKING_WRITERS)]
    found = inputs.survey_inputs(paths, files_from, recursive, console, allow_empty=allow_empty)
    files = found.paths
    if len(files) < 2 and (files or not allow_empty):
        raise InputNotFoundError("Ranking needs at least two pictures.")

    from shamisa_cli.core.machine import keep_freed_memory
    from shamisa_cli.core.models.loading import load_relational_model
    from shamisa_cli.core.relational.ranking import rank_pictures

    keep_freed_memory()
    loaded = load_relational_model(model, offline=offline, device=device)
    with console.progress("Comparing", comb(len(files), 2)) as advance:
        ranking = rank_pictures(
            loaded,
            [(str(path), path) for path in files],
            resize=resize,
            max_pixels=max_pixels,
            advance=advance,
        )
    pictures = tuple(replace(picture, error=told(picture.error)) for picture in ranking.pictures)
    with console.results(output) as stream:
        write(replace(ranking, pictures=pictures), stream)
    console.warn_of_discarded([picture.error.message for picture in pictures if picture.error is not None])
    errors = sum(picture.error is not None for picture in pictures)
    counts = {"not ranked": errors, "left out": sum(found.left_out.values())}
    places = {"results": output}
    console.hint(closing_line("ranked", len(pictures) - errors, len(pictures), counts, since=started, places=places))
    raise typer.Exit(exit_code(failed=0, unreadable=errors, skip_unreadable=skip_unreadable))
