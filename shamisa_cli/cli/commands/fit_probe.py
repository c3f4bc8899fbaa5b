"""`shamisa fit-probe`: fit a probe to a table of human scores."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.cli import mos_options, options
from shamisa_cli.cli.command_text import command_text
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.errors import exit_code
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models.manifest import MODEL_MANIFEST, PROBE_MANIFEST
from shamisa_cli.core.models.resolver import DEFAULT_MODEL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shamisa_cli.core.errors import ImageError
    from shamisa_cli.core.models.card import Metric
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.probe.card import CardDetails
    from shamisa_cli.core.probe.intervals import Coverage
    from shamisa_cli.core.probe.mos_table import MosTable
    from shamisa_cli.core.probe.ordinal import OrdinalPairs
    from shamisa_cli.core.probe.protocol import ProtocolResult
    from shamisa_cli.core.scoring.cache import Cache

    Features = NDArray[np.float32]


class Spacing(StrEnum):
    """Mapping of human scores to the scale of 0…100."""

    EVEN = "even"
    LINEAR = "linear"


PROTOCOL = mos_options.PROTOCOL
ORDINAL = "Ordinal facts"


def fit_probe(
    context: typer.Context,
    mos: mos_options.MosFile,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="The probe's folder: new, empty, or that of a probe."),
    ],
    image_column: mos_options.ImageColumn = "image",
    mos_column: mos_options.MosColumn = "mos",
    group_column: mos_options.GroupColumn = None,
    subset_column: mos_options.SubsetColumn = None,
    lower_is_better: mos_options.LowerIsBetter = False,
    mos_range: Annotated[
        str | None,
        typer.Option(
            metavar="LO,HI",
            rich_help_panel=mos_options.HUMAN_SCORES,
            show_default="the lowest and highest in the file",
            help="The ends of the human scale, which become 0 and 100.",
        ),
    ] = None,
    spacing: Annotated[
        Spacing | None,
        typer.Option(
            rich_help_panel=mos_options.HUMAN_SCORES,
            show_default="even; linear in the paper's protocol",
            help="even: scores go by rank, so that crowded ratings are told apart; linear: in proportion to ratings.",
        ),
    ] = None,
    protocol: Annotated[
        mos_options.Protocol,
        typer.Option(
            rich_help_panel=PROTOCOL,
            help="paper: each of five crops is a row to fit, not standardised, and a picture's prediction is the mean "
            "of its crops'; takes a model from models derive --protocol paper.",
        ),
    ] = mos_options.Protocol.DEFAULT,
    splits: mos_options.Splits = 10,
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=PROTOCOL, help="Seed of the splits.")] = 0,
    logistic: Annotated[
        bool | None,
        typer.Option(
            "--logistic/--no-logistic",
            rich_help_panel=PROTOCOL,
            show_default="no-logistic; in the paper's protocol logistic where groups are named",
            help="PLCC and RMSE after a 4-parameter logistic, as is usual for synthetic sets.",
        ),
    ] = None,
    ordinal: Annotated[
        list[Path] | None,
        typer.Option(
            "--ordinal",
            metavar="DIR",
            rich_help_panel=ORDINAL,
            show_default="none",
            help="Pristine photographs: the regressor also learns that degraded versions of them look worse. "
            "May be given several times.",
        ),
    ] = None,
    ordinal_weight: Annotated[
        float,
        typer.Option(
            min=0,
            rich_help_panel=ORDINAL,
            help="How many times as much these facts weigh together as the human scores do.",
        ),
    ] = 1.0,
    interval: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.999,
            rich_help_panel=PROTOCOL,
            help="The share of human scores that the interval around a score should hold.",
        ),
    ] = 0.9,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=options.PICTURES,
            show_default="read the pictures",
            help="Features of the pictures, from shamisa embed.",
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
    """Fit a linear regressor from a model's features to human scores, and report how well it predicts.

    The table shows medians over random splits, on pictures not fitted on.
    Use the result with score --probe FOLDER.

    Exit codes: 0 fine; 2 nothing could be done; 3 some pictures could not be read.
    """
    console = Console()
    _check_folder(output)

    from shamisa_cli.core.models.card import replace_section, write_metadata
    from shamisa_cli.core.models.folder import save_probe
    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.probe.card import SCATTER_NAME, CardDetails, probe_card, save_scatter
    from shamisa_cli.core.probe.cross_dataset import SPACING, usual_logistic
    from shamisa_cli.core.probe.intervals import calibrate, measure_coverage
    from shamisa_cli.core.probe.mos_table import read_mos_table
    from shamisa_cli.core.probe.ordinal import OrdinalSettings
    from shamisa_cli.core.probe.paper_protocol import fit_crops, require_paper_reading, run_paper_protocol
    from shamisa_cli.core.probe.protocol import fit_final, random_splits, run_protocol
    from shamisa_cli.core.probe.ridge import Probe
    from shamisa_cli.core.probe.scale import mos_scale

    paper = protocol is mos_options.Protocol.PAPER
    if paper:
        _refuse({"--features": features, "--ordinal": ordinal, "--spacing even": spacing is Spacing.EVEN})
    table = read_mos_table(
        mos,
        image_column=image_column,
        mos_column=mos_column,
        group_column=group_column,
        subset_column=subset_column,
    )
    # All checks run before the images are embedded, which may take hours.
    low, high = (float(table.mos.min()), float(table.mos.max())) if mos_range is None else _range(mos_range)
    worst, best = (high, low) if lower_is_better else (low, high)
    scale_of = partial(mos_scale, spacing.value if spacing else SPACING[protocol.value], worst=worst, best=best)
    logistic = usual_logistic(protocol.value, table.groups) if logistic is None else logistic
    random_splits(len(table), splits=splits, groups=table.groups)
    photos = _ordinal_photos(ordinal)
    weights = OrdinalSettings(ordinal_weight)
    loaded = load_model(model, offline=offline, device=device)
    if paper:
        require_paper_reading(loaded.encoder.config, model)

    if features is None:
        with options.open_cache(cache, cache_dir, cache_size, console) as known:
            table, rows, errors = _embedded(loaded, table, paper, jobs, known, console)
    else:
        rows, errors = _stored(loaded, table, features, mos.parent)[:, None], []
    ordinal_pairs = _observed(loaded, photos, seed, console)
    with console.progress("Fitting", splits) as advance:
        settings = {
            "scale_of": scale_of,
            "groups": table.groups,
            "subsets": table.subsets,
            "splits": splits,
            "seed": seed,
            "logistic": logistic,
            "advance": advance,
        }
        scale = scale_of(table.mos)
        positions = scale.position(table.mos)
        if paper:
            result = run_paper_protocol(rows, table.mos, **settings)
            ridge = fit_crops(rows, positions, result.splits[0].alpha)
        else:
            result = run_protocol(rows[:, 0], table.mos, **settings, pairs=ordinal_pairs, ordinal=weights)
            ridge = fit_final(rows[:, 0], positions, result, ordinal_pairs, weights)
        probe = Probe.from_ridge(
            ridge,
            scale=scale,
            encoder_fingerprint=loaded.encoder_fingerprint,
            interval=calibrate(*result.held_out_pairs(positions), interval),
        )
    coverage = measure_coverage(
        [(split.rows, split.position) for split in result.splits],
        positions,
        groups=table.groups,
        level=interval,
        seed=seed,
    )
    details = CardDetails(
        data_name=mos.name,
        count=len(table),
        model_name=loaded.name,
        command=command_text(context, "fit-probe"),
        logistic=logistic,
        grouped=table.groups is not None,
        ordinal_photos=len(photos),
        ordinal_weight=ordinal_weight,
        coverage=coverage,
        crops=loaded.encoder.config.features.crops if paper else None,
    )
    save_scatter(output / SCATTER_NAME, result, table.mos, data_name=mos.name)
    trained_on = f"{len(table)} pictures of {mos.name}"
    if (output / MODEL_MANIFEST).exists():
        # The README.md there is the model's card, of which the probe's is a section.
        save_probe(output, probe, trained_on=trained_on)
        replace_section(output, "probe", probe_card(result, probe, details, level=2))
    else:
        save_probe(output, probe, trained_on=trained_on, card=probe_card(result, probe, details))
    try:
        write_metadata(output, _figures(result, details))
    except ModelError as error:
        console.warn(str(error))

    with console.results(None) as stream:
        note = mos_options.protocol_note(result, protocol, logistic=logistic, grouped=table.groups is not None)
        mos_options.write_figures(stream, mos_options.protocol_rows(result, table), note + _measured(result, coverage))
    with_model = "" if model == DEFAULT_MODEL else f"--model {shlex.quote(model)} "
    command = f"shamisa score {with_model}--probe {shlex.quote(str(output))}"
    console.hint(f"The probe is in {output}. Use it with: {command}")
    raise typer.Exit(exit_code(failed=0, unreadable=len(errors), skip_unreadable=skip_unreadable))


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder} is a file; --output takes the name of a folder.")
    known = any((folder / name).exists() for name in (MODEL_MANIFEST, PROBE_MANIFEST))
    if folder.is_dir() and not known and any(folder.iterdir()):
        raise SettingError(f"The folder {folder} holds other things than a probe. Name a new one with --output.")


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in text.split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise SettingError(f"--mos-range is {text!r}; it takes two rising numbers, such as 1,5.")
    return low, high


def _refuse(given: Mapping[str, object]) -> None:
    """Raise SettingError for the first of these options, by name, that was given beside the paper's protocol."""
    for option, value in given.items():
        if value:
            raise SettingError(f"{option} is not part of the paper's protocol. Leave it out, or leave out --protocol.")


def _embedded(
    model: Model, table: MosTable, crops: bool, jobs: int | None, cache: Cache | None, console: Console
) -> tuple[MosTable, Features, Sequence[ImageError]]:
    """The rows whose images could be read, their features (n, R, D), and the errors of the others."""
    from shamisa_cli.core.scoring.table_features import read_table

    with console.progress("Embedding", len(table)) as advance:
        read = read_table(model, table, crops=crops, jobs=jobs, cache=cache, advance=advance)
    mos_options.warn_of_unreadable(console, [(str(error.path), str(error)) for error in read.errors])
    return read.table, read.rows, read.errors


def _ordinal_photos(inputs: list[Path] | None) -> list[Path]:
    from shamisa_cli.core.images.discovery import discover

    return discover(inputs) if inputs else []


def _observed(model: Model, photos: list[Path], seed: int, console: Console) -> OrdinalPairs | None:
    """Ordinal pairs from the photographs; None without photographs."""
    from shamisa_cli.core.training.probes.degraded import degraded_pairs

    if not photos:
        return None
    with console.progress("Degrading", len(photos)) as advance:
        return degraded_pairs(model.encoder, photos, seed=seed, advance=advance)


def _stored(model: Model, table: MosTable, file: Path, folder: Path) -> Features:
    """The stored features (n, D) of the table's images."""
    from shamisa_cli.core.probe.mos_table import match_rows
    from shamisa_cli.core.scoring.feature_table import load_features
    from shamisa_cli.core.scoring.resumable import feature_source

    stored = load_features(file)
    if not stored.origin.matches(feature_source(model)):
        raise ModelError(
            f"The features in {file} were made by {stored.origin.model} "
            f"({stored.encoder_fingerprint[:12]}), or at another view size, and not as {model.name} "
            f"({model.encoder_fingerprint[:12]}) reads pictures. Make them again with: shamisa embed."
        )
    return stored.features[match_rows(table.paths, stored.paths, (Path(), folder))]


def _figures(result: ProtocolResult, details: CardDetails) -> list[Metric]:
    """The medians as metrics for a card's metadata."""
    from shamisa_cli.core.models.card import Metric
    from shamisa_cli.core.probe.protocol import FIGURES

    medians = {name.upper(): result.spread(name).median for name in FIGURES}
    return [Metric(name, round(value, 4), details.data_name) for name, value in medians.items() if math.isfinite(value)]


def _measured(result: ProtocolResult, coverage: Coverage | None) -> str:
    ordering = (
        "" if math.isnan(result.pairs_in_order) else f"; {result.pairs_in_order:.1%} of unseen degraded pairs in order"
    )
    held = f"; interval holds {coverage.share:.1%} of held-out scores" if coverage else ""
    return ordering + held
