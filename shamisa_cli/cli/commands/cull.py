"""`shamisa cull`: decide what to keep of a shoot, and act on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.cli import cull_actions, inputs, options, selection_options
from shamisa_cli.cli.console import Console, check_output, require_folder_name
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.cli.reporters.culling import WRITERS
from shamisa_cli.cli.run_tally import closing_line
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.models.resolver import DEFAULT_MODEL

if TYPE_CHECKING:
    from shamisa_cli.core.culling.decisions import CullRule, Decision

RULES = "What to keep"
ACTIONS = "What to do"
RESULTS = "Results"

Format = StrEnum("Format", list(WRITERS))  # type: ignore[misc]  # mypy wants a literal; the table is the one list


class Listed(StrEnum):
    """Pictures that --list prints."""

    KEPT = "kept"
    REJECTED = "rejected"


def cull(
    paths: options.PathsArgument = None,
    keep_best: Annotated[
        str | None,
        typer.Option(
            "--keep-best",
            metavar="N%",
            rich_help_panel=RULES,
            show_default="all",
            help="Keep the best N per cent of the pictures that the other conditions leave.",
        ),
    ] = None,
    below: Annotated[
        float | None,
        typer.Option("--below", metavar="X", rich_help_panel=RULES, show_default="none", help="Reject scores below X."),
    ] = None,
    best_of_groups: Annotated[
        bool,
        typer.Option(
            "--best-of-groups",
            rich_help_panel=RULES,
            show_default="off",
            help="Keep only the best picture of each group of near-duplicates or burst frames.",
        ),
    ] = False,
    similarity: selection_options.Similarity = selection_options.SIMILARITY,
    burst_gap: selection_options.BurstGap = selection_options.BURST_GAP,
    stars: Annotated[
        bool,
        typer.Option(
            "--stars",
            rich_help_panel=ACTIONS,
            show_default="off",
            help="Give kept pictures 1 to 5 stars: one for scores below 20, five from 80.",
        ),
    ] = False,
    move_to: Annotated[
        Path | None,
        typer.Option(
            "--move-to",
            metavar="DIR",
            rich_help_panel=ACTIONS,
            show_default="off",
            help="Move rejected pictures and their sidecars to a folder, instead of writing sidecars.",
        ),
    ] = None,
    copy_to: Annotated[
        Path | None,
        typer.Option(
            "--copy-to",
            metavar="DIR",
            rich_help_panel=ACTIONS,
            show_default="off",
            help="Copy kept pictures and their sidecars to a folder, instead of writing sidecars.",
        ),
    ] = None,
    list_: Annotated[
        Listed | None,
        typer.Option(
            "--list",
            rich_help_panel=ACTIONS,
            show_default="off",
            help="Print the paths of kept or rejected pictures, for other programs, and do nothing else.",
        ),
    ] = None,
    print0: Annotated[
        bool,
        typer.Option(
            "--print0", "-0", rich_help_panel=ACTIONS, show_default="off", help="End each path of --list with a NUL."
        ),
    ] = False,
    undo: Annotated[
        Path | None,
        typer.Option(
            "--undo",
            metavar="DIR",
            rich_help_panel=ACTIONS,
            show_default="off",
            help="Undo --move-to or --copy-to DIR: move pictures back, or remove the copies. Takes no PATHS.",
        ),
    ] = None,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply",
            rich_help_panel=ACTIONS,
            show_default="off",
            help="Make the changes. Without it, nothing is written: the command shows the changes it would make.",
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            rich_help_panel=ACTIONS,
            show_default="off",
            help="Replace ratings and labels that a person gave.",
        ),
    ] = False,
    adobe_names: Annotated[
        bool,
        typer.Option(
            "--adobe-names",
            rich_help_panel=ACTIONS,
            show_default="off",
            help="Name sidecars photo.xmp, as Adobe's programs do, instead of photo.jpg.xmp (darktable, digiKam).",
        ),
    ] = False,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            rich_help_panel=RESULTS,
            show_default="by the suffix of --output, else text",
            help="text for people; json; csv, one row per picture.",
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
            help="Write the decisions to a file, which appears when it is complete.",
        ),
    ] = None,
    files_from: options.FilesFrom = None,
    recursive: options.Recursive = True,
    exclude: options.Exclude = None,
    since: options.Since = None,
    allow_empty: options.AllowEmpty = False,
    view_size: options.ViewSizeText = "model",
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_memory: options.MaxMemory = None,
    skip_unreadable: options.SkipUnreadable = False,
    model: options.ModelName = DEFAULT_MODEL,
    probe: options.ProbeName = None,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    runtime: options.RuntimeName = options.Runtime.AUTO,
    jobs: options.Jobs = None,
    quiet: options.Quiet = False,
    cache: options.UseCache = True,
    cache_dir: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_MEGABYTES,
) -> None:
    """Decide which pictures to keep, and rate, move, copy or list them.

    Nothing is changed without --apply. By default the decisions are written as ratings and labels into XMP sidecar
    files, which darktable, digiKam and other programs read: rejected pictures get the rating -1 and a red label, kept
    ones a green label, and their stars with --stars. Ratings and labels that a person gave are left alone.

    Exit codes:
    0  success
    2  error: unknown option, no input found, no such model
    3  some pictures could not be read, rated, moved or copied (see --skip-unreadable)
    """
    inputs.limit_memory(max_memory)
    started = time.monotonic()
    console = Console(quiet=quiet, discard=quiet and format is None and output is None)
    if undo is not None:
        _require_alone(undo, paths, files_from)
        raise typer.Exit(cull_actions.undo_transfers(undo, apply, console))
    from shamisa_cli.core.culling.decisions import CullRule

    rule = CullRule(_per_cent(keep_best), below, best_of_groups)
    _check(rule, stars, [move_to, copy_to, list_])
    require_folder_name(move_to, "--move-to")
    require_folder_name(copy_to, "--copy-to")
    if output is not None:
        check_output(output)
    chosen = "text" if list_ is not None else format or inputs.format_of(output, WRITERS)
    found = inputs.survey_inputs(
        paths, files_from, recursive, console, exclude=exclude, since=since, allow_empty=allow_empty
    )
    found = cull_actions.without_earlier(found, move_to or copy_to, console)

    from shamisa_cli.core.culling.cull import cull_files
    from shamisa_cli.core.culling.groups import GroupSettings
    from shamisa_cli.core.models.loading import load_model

    groups = GroupSettings(duplicate=similarity, gap=burst_gap) if best_of_groups else None
    loaded = load_model(model, probe=probe, offline=offline, device=device, runtime=runtime.value, on_demand=cache)
    with (
        inputs.open_cache(cache, cache_dir, cache_size, console) as known,
        console.progress("Scoring", len(found.paths)) as advance,
    ):
        decisions = cull_files(
            loaded, found.paths, rule, groups=groups, jobs=jobs, view_size=inputs.view_size(view_size),
            max_pixels=max_pixels, cache=known, advance=advance,
        )  # fmt: skip
    unreadable = [decision for decision in decisions if decision.verdict == "unreadable"]
    if list_ is not None:
        verdict = "keep" if list_ is Listed.KEPT else "reject"
        cull_actions.print_paths([each for each in decisions if each.verdict == verdict], print0, output, console)
        _warn_of_files(decisions, console, listed=True, in_table=False)
        problems = 0
    else:
        with console.results(output) as stream:
            WRITERS[chosen](decisions, rule, stream)
        _warn_of_files(decisions, console, listed=False, in_table=chosen == "text" and output is None)
        if move_to is not None or copy_to is not None:
            problems = cull_actions.transfer(decisions, move_to, copy_to, apply, console)
        else:
            problems = cull_actions.rate(decisions, stars, rule != CullRule(), adobe_names, overwrite, apply, console)
    counts = {
        "unreadable": len(unreadable),
        "from the cache": inputs.cache_hits(known),
        "left out": sum(found.left_out.values()),
    }
    places = {"decisions" if list_ is None else "paths": output}
    scored = len(decisions) - len(unreadable)
    console.hint(closing_line("scored", scored, len(decisions), counts, since=started, places=places))
    raise typer.Exit(
        exit_code(failed=0, unreadable=len(unreadable), skip_unreadable=skip_unreadable)
        or exit_code(failed=0, unreadable=problems, skip_unreadable=False)
    )


def _warn_of_files(decisions: Sequence[Decision], console: Console, *, listed: bool, in_table: bool) -> None:
    """Name unreadable and odd files, where no table on stdout does so; `listed`: only paths are printed."""
    unreadable = [decision.reason for decision in decisions if decision.verdict == "unreadable"]
    (console.warn_of_unreadable if listed else console.warn_of_discarded)(unreadable)
    if not in_table:
        console.warn_of_odd(decision.record.described_warnings for decision in decisions)


def _check(rule: CullRule, stars: bool, actions: Sequence[object | None]) -> None:
    from shamisa_cli.core.culling.decisions import CullRule

    if rule == CullRule() and not stars:
        raise SettingError(
            "Name what to keep: --keep-best, --below or --best-of-groups; or rate pictures with --stars."
        )
    if sum(action is not None for action in actions) > 1:
        raise SettingError("--move-to, --copy-to and --list cannot be combined; use one of them.")


def _require_alone(undo: Path, paths: Sequence[str] | None, files_from: Path | None) -> None:
    if paths or files_from is not None:
        raise SettingError(f"--undo takes no PATHS: it reads which files to restore from the journal in {undo}.")


def _per_cent(text: str | None) -> float | None:
    """Read --keep-best, such as 30% or 30. Raises SettingError on anything else."""
    if text is None:
        return None
    try:
        return float(text.strip().removesuffix("%"))
    except ValueError:
        raise SettingError(f"--keep-best is {text!r}; it takes a percentage, such as 30%.") from None
