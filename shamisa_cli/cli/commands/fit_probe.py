"""`shamisa fit-probe`: fit a probe to a table of human scores."""

from __future__ import annotations

import math
import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.cli import inputs, mos_options, options
from shamisa_cli.cli.command_text import command_text
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.models.resolver import DEFAULT_MODEL

if TYPE_CHECKING:
    from shamisa_cli.core.fitting.probe import FittedProbe
    from shamisa_cli.core.probe.intervals import Coverage
    from shamisa_cli.core.probe.protocol import ProtocolResult


class Spacing(StrEnum):
    """Mapping of human scores to the scale of 0…100."""

    EVEN = "even"
    LINEAR = "linear"


PROTOCOL = mos_options.PROTOCOL
ORDINAL = "Degraded pairs"
PSEUDO = "Pseudo-labels"


def fit_probe(
    context: typer.Context,
    mos: mos_options.MosFile,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Folder of the probe: new, empty, or one that holds a probe."
        ),
    ],
    image_column: mos_options.ImageColumn = "image",
    mos_column: mos_options.MosColumn = "mos",
    group_column: mos_options.GroupColumn = None,
    subset_column: mos_options.SubsetColumn = None,
    session_column: mos_options.SessionColumn = None,
    session_share: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            rich_help_panel=mos_options.HUMAN_SCORES,
            help="How much of a picture's likely session counts in its score: 1 predicts best inside the sessions of "
            "the table, less predicts other pictures better.",
        ),
    ] = 0.85,
    lower_is_better: mos_options.LowerIsBetter = False,
    mos_range: Annotated[
        str | None,
        typer.Option(
            metavar="LO,HI",
            rich_help_panel=mos_options.HUMAN_SCORES,
            show_default="the lowest and highest in the file",
            help="Ends of the human scale, which become 0 and 100.",
        ),
    ] = None,
    spacing: Annotated[
        Spacing | None,
        typer.Option(
            rich_help_panel=mos_options.HUMAN_SCORES,
            show_default="even; linear in the paper's protocol",
            help="even: scores follow ranks, which separates crowded ratings; linear: in proportion to ratings.",
        ),
    ] = None,
    protocol: Annotated[
        mos_options.ProtocolName,
        typer.Option(
            rich_help_panel=PROTOCOL,
            help="paper: fit five crops of each picture, one row per crop, not standardised; a picture's prediction is "
            "the mean over its crops. Needs a model from models derive --protocol paper.",
        ),
    ] = mos_options.ProtocolName.DEFAULT,
    splits: mos_options.Splits = 10,
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=PROTOCOL, help="Random seed of the splits.")] = 0,
    logistic: Annotated[
        bool | None,
        typer.Option(
            "--logistic/--no-logistic",
            rich_help_panel=PROTOCOL,
            show_default="no-logistic; logistic with --protocol paper and --group-column",
            help="PLCC and RMSE after a 4-parameter logistic mapping, as is usual for synthetic data sets.",
        ),
    ] = None,
    ordinal: Annotated[
        list[Path] | None,
        typer.Option(
            "--ordinal",
            metavar="DIR",
            rich_help_panel=ORDINAL,
            show_default="none",
            help="Pristine photographs: the probe also learns that degraded versions of them look worse. "
            "May be given several times.",
        ),
    ] = None,
    ordinal_weight: Annotated[
        float,
        typer.Option(
            min=0,
            max=1_000_000,
            rich_help_panel=ORDINAL,
            help="Weight of the degraded pairs relative to the human scores.",
        ),
    ] = 1.0,
    pseudo: Annotated[
        list[Path] | None,
        typer.Option(
            "--pseudo",
            metavar="DIR",
            rich_help_panel=PSEUDO,
            show_default="none",
            help="Pristine photographs: the probe also learns how much worse full-reference measures find degraded, "
            "compressed and smaller versions of them. May be given several times.",
        ),
    ] = None,
    pseudo_photos: Annotated[
        int, typer.Option(min=1, rich_help_panel=PSEUDO, help="Photographs to read, drawn at random, at most.")
    ] = 320,
    pseudo_weight: Annotated[
        float,
        typer.Option(
            min=0.001, max=1_000_000, rich_help_panel=PSEUDO, help="Weight of each version relative to a human score."
        ),
    ] = 0.1,
    pseudo_drop: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            rich_help_panel=PSEUDO,
            help="By how much the worst version belongs below its original, as a share of the scale.",
        ),
    ] = 0.4,
    interval: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.999,
            rich_help_panel=PROTOCOL,
            help="Share of human scores that the intervals around scores should contain.",
        ),
    ] = 0.9,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=options.PICTURES,
            show_default="read the pictures",
            help="Stored features of the pictures, from shamisa embed. The pictures need not be there; those that are "
            "must have the size in bytes that they had then.",
        ),
    ] = None,
    skip_unreadable: options.SkipUnreadable = False,
    model: options.ModelName = DEFAULT_MODEL,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    jobs: options.Jobs = None,
    cache: options.UseCache = True,
    cache_dir: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_MEGABYTES,
) -> None:
    """Fit a probe, a linear map from a model's features to human scores, and report how well it predicts.

    The table shows medians over random splits, on held-out pictures.
    Use the probe with score --probe FOLDER.

    Exit codes: 0 success; 2 error; 3 some pictures could not be read.
    """
    console = Console()

    from shamisa_cli.core.fitting.probe import fit_probe as fit
    from shamisa_cli.core.fitting.probe import require_probe_folder
    from shamisa_cli.core.fitting.recipe import ProbeSettings
    from shamisa_cli.core.images.discovery import discover
    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.probe.mos_table import read_mos_table
    from shamisa_cli.core.probe.pseudo import PseudoSettings
    from shamisa_cli.core.probe.sessions import SessionSettings

    settings = ProbeSettings(
        protocol=protocol.value,
        splits=splits,
        seed=seed,
        logistic=logistic,
        lower_is_better=lower_is_better,
        mos_range=None if mos_range is None else _range(mos_range),
        spacing=None if spacing is None else spacing.value,
        interval=interval,
        ordinal_weight=ordinal_weight,
        session=SessionSettings(share=session_share),
        pseudo=PseudoSettings(pseudo_photos, pseudo_weight, pseudo_drop),
    )
    require_probe_folder(output)
    table = read_mos_table(
        mos,
        image_column=image_column,
        mos_column=mos_column,
        group_column=group_column,
        subset_column=subset_column,
        session_column=session_column,
    )
    loaded = load_model(model, offline=offline, device=device)
    with inputs.open_cache(cache and features is None, cache_dir, cache_size, console) as known:
        fitted = fit(
            table,
            output,
            loaded,
            settings,
            features=features,
            ordinal=discover(ordinal) if ordinal else (),
            pseudo=discover(pseudo) if pseudo else (),
            jobs=jobs,
            cache=known,
            command=command_text(context, "fit-probe"),
            progress=console.progress,
        )
    _report(console, fitted, protocol)
    console.hint(f"The probe is in {output}. Use it with: {_use(model, output)}")
    raise typer.Exit(exit_code(failed=0, unreadable=len(fitted.errors), skip_unreadable=skip_unreadable))


def _use(model: str, probe: Path) -> str:
    """The command that scores with the probe."""
    with_model = "" if model == DEFAULT_MODEL else f"--model {shlex.quote(model)} "
    return f"shamisa score {with_model}--probe {shlex.quote(str(probe))}"


def _report(console: Console, fitted: FittedProbe, protocol: mos_options.ProtocolName) -> None:
    """Print how well the probe predicts, and what to mind."""
    mos_options.warn_of_unreadable(console, [(str(error.path), str(error)) for error in fitted.errors])
    mos_options.warn_of_doubts(console, fitted.warnings, reversed=fitted.reversed)
    grouped = fitted.table.groups is not None
    note = mos_options.protocol_note(fitted.result, protocol, logistic=fitted.logistic, grouped=grouped)
    with console.results(None) as stream:
        rows = mos_options.protocol_rows(fitted.result, fitted.table)
        mos_options.write_figures(stream, rows, note + _measured(fitted.result, fitted.coverage))


def _range(text: str) -> tuple[float, float]:
    from shamisa_cli.core.probe.mos_table import LARGEST_SCORE, LEAST_SPREAD, are_ends

    try:
        low, high = (float(end) for end in text.split(","))
    except ValueError:
        low = high = math.nan
    if not are_ends(low, high):
        raise SettingError(
            f"--mos-range is {text!r}; it takes two increasing numbers, such as 1,5, neither beyond {LARGEST_SCORE:g} "
            f"and {LEAST_SPREAD:g} apart at least."
        )
    return low, high


def _measured(result: ProtocolResult, coverage: Coverage | None) -> str:
    ordering = (
        "" if math.isnan(result.pairs_in_order) else f"; {result.pairs_in_order:.1%} of unseen degraded pairs in order"
    )
    held = f"; intervals contain {coverage.share:.1%} of held-out scores" if coverage else ""
    return ordering + held
