"""A probe of one's own: from a table of human scores to a linear regressor in a folder, with its card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.core.arguments import PositiveInt
from shamisa_cli.core.arrays import AnyFeatures
from shamisa_cli.core.atomic import is_free
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ImageError, ModelError, SettingError
from shamisa_cli.core.existence import exists, is_dir
from shamisa_cli.core.extras import missing_figure
from shamisa_cli.core.fitting.doubts import doubts, runs_against
from shamisa_cli.core.fitting.greys import grey_features, grey_unknown
from shamisa_cli.core.fitting.limits import interval_unknown, with_limits
from shamisa_cli.core.fitting.progress import Progress, no_progress
from shamisa_cli.core.fitting.protocols import require_reading
from shamisa_cli.core.fitting.recipe import ProbeSettings, probe_recipe, require_different
from shamisa_cli.core.fitting.stored import stored_features
from shamisa_cli.core.models.card import Metric, replace_section, write_metadata
from shamisa_cli.core.models.folder import ModelFolder, save_probe
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.models.manifest import MODEL_MANIFEST, PROBE_MANIFEST
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.places import require_place
from shamisa_cli.core.probe.card import SCATTER_NAME, CardDetails, probe_card, save_scatter
from shamisa_cli.core.probe.cross_dataset import SPACING, usual_logistic
from shamisa_cli.core.probe.intervals import Coverage, measure_coverage
from shamisa_cli.core.probe.mos_table import MosTable, read_mos_table
from shamisa_cli.core.probe.paper_protocol import fit_crops, run_paper_protocol
from shamisa_cli.core.probe.protocol import (
    FIGURES,
    ProtocolResult,
    fit_final,
    random_splits,
    run_protocol,
)
from shamisa_cli.core.probe.recipe import Recipe
from shamisa_cli.core.probe.ridge import Probe, Ridge
from shamisa_cli.core.probe.same_pictures import join_groups, same_pictures
from shamisa_cli.core.probe.scale import ROUNDING, MosScale, mos_scale
from shamisa_cli.core.scoring.cache import Cache
from shamisa_cli.core.scoring.table_features import pictures_read, read_table
from shamisa_cli.core.sole_writer import writes

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """A probe and how well it predicts.

    Attributes:
        probe: fitted on the whole table.
        model: whose features it reads.
        table: the rows whose images could be read.
        result: agreement on held-out images, split by split.
        coverage: how many held-out scores the interval holds; None where it cannot be measured.
        logistic: PLCC and RMSE were taken after a logistic mapping.
        errors: why the other images, and photographs to degrade, could not be read.
        warnings: sentences on results that say little, and on what could not be written beside the probe.
        reversed: the model's own scores fall as the ratings rise: perhaps lower ratings are better, and nobody said so.
    """

    probe: Probe
    model: Model
    table: MosTable
    result: ProtocolResult
    coverage: Coverage | None
    logistic: bool
    errors: tuple[ImageError, ...] = ()
    warnings: tuple[str, ...] = ()
    reversed: bool = False


@writes("output")
def fit_probe(
    mos: str | Path | MosTable,
    output: str | Path | None = None,
    model: str | Model | None = None,
    settings: ProbeSettings | None = None,
    *,
    features: str | Path | None = None,
    ordinal: Sequence[Path] = (),
    pseudo: Sequence[Path] = (),
    jobs: PositiveInt | None = None,
    cache: Cache | None = None,
    command: str = "shamisa.fit_probe(…)",
    progress: Progress = no_progress,
) -> FittedProbe:
    """Fit a linear regressor from a model's features to human scores, and measure how well it predicts.

    Args:
        mos: a CSV file of human scores with the columns `image` and `mos`, or a table from `read_mos_table`.
        output: the probe's folder: new, empty, that of a probe or of the model itself; None writes nothing.
        model: a loaded model, a name, a folder, or "hf:org/name@revision"; None takes the default one.
        settings: see `ProbeSettings`; None takes its defaults.
        features: a file of features from `shamisa embed`, where images that are there must be those that were embedded;
            None embeds the images.
        ordinal: pristine photographs; the regressor also learns that degraded versions of them look worse.
        pseudo: pristine photographs; the regressor also learns how much worse full-reference measures find degraded
            and compressed versions of them.
        jobs, cache: threads that decode, and an open `Cache` of features.
        command: what the card says the probe was made with.
        progress: told of embedding, degrading and fitting.

    Raises:
        MosTableError: the table cannot be read.
        InputNotFoundError: too few images can be read.
        ModelError: the model is missing or damaged, or features were made by another one.
        SettingError: settings contradict each other, there are too few images for a split, the folder holds other
            things, or `ordinal` or `pseudo` is given and PyTorch is not installed.
    An image that cannot be read raises nothing: see `FittedProbe.errors`.
    """
    chosen = settings or ProbeSettings()
    folder = None if output is None else Path(output)
    if folder is not None:
        require_probe_folder(folder)
    table = mos if isinstance(mos, MosTable) else read_mos_table(Path(mos))
    _require_consistent(chosen, table, stored=features is not None, ordinal=bool(ordinal), pseudo=bool(pseudo))
    require_different(ordinal)
    # Whatever can be found wrong is found before the images are embedded, which may take hours.
    scale_of = _scale_of(chosen, table)
    logistic = usual_logistic(chosen.protocol, table.groups) if chosen.logistic is None else chosen.logistic
    random_splits(len(table), splits=chosen.splits, groups=table.groups)
    loaded = model if isinstance(model, Model) else load_model(model or DEFAULT_MODEL)
    if folder is not None:
        _require_own_model(folder, loaded)
    paper = require_reading(loaded, chosen.protocol)

    errors: tuple[ImageError, ...] = ()
    about_pictures: tuple[str, ...] = ()
    if features is None:
        with progress("Embedding", pictures_read(table)) as advance:
            read = read_table(loaded, table, crops=paper, jobs=jobs, cache=cache, advance=advance)
        table, rows, errors, about_pictures = read.table, read.rows, read.errors, read.warnings
    else:
        stored = stored_features(loaded, table, Path(features))
        rows, about_pictures = stored.rows[:, None], stored.warnings
    grey = None if paper else grey_features(loaded.encoder, table, rows[:, 0], seed=chosen.seed, progress=progress)
    unread: list[ImageError] = []
    pictures = same_pictures(rows)
    together = join_groups(pictures, table.groups)
    recipe = probe_recipe(loaded, table.sessions, chosen, ordinal, pseudo, progress, unread.append)
    with progress("Fitting", chosen.splits) as advance:
        result, ridge, scale = _fit(rows, table, chosen, scale_of, logistic, recipe, advance)
        positions = scale.position(table.mos)
        probe = Probe.from_ridge(ridge, scale=scale, encoder_fingerprint=loaded.encoder_fingerprint)
        probe = with_limits(probe, rows, pictures, together, positions, result, recipe.sessions, chosen, grey)
    coverage = None
    if probe.interval is not None:
        held_out = [split.held_out for split in result.splits]
        coverage = measure_coverage(
            held_out, positions, groups=together, sessions=recipe.sessions, level=chosen.interval, seed=chosen.seed
        )
    name = table.name
    warnings = about_pictures + doubts(result, positions, table.paths, pictures, table.groups, table.subsets)
    warnings += grey_unknown(probe) + interval_unknown(probe, chosen.interval, grouped=table.groups is not None)
    if folder is not None:
        details = CardDetails(
            data_name=name,
            count=len(table),
            model_name=loaded.name,
            command=command,
            logistic=logistic,
            grouped=table.groups is not None,
            recipe=recipe,
            coverage=coverage,
            crops=loaded.encoder.config.features.crops if paper else None,
            figure=missing_figure("the scatter plot") is None,
        )
        warnings += _write(folder, probe, result, table, details)
    against = runs_against(loaded, rows, positions)
    return FittedProbe(probe, loaded, table, result, coverage, logistic, (*errors, *unread), warnings, against)


def require_probe_folder(folder: Path) -> None:
    """Refuse what a probe cannot be written into. Raises SettingError."""
    require_place(folder)
    if exists(folder) and not is_dir(folder):
        raise SettingError(f"{folder} is a file; a probe takes the name of a folder.")
    known = any(exists(folder / name) for name in (MODEL_MANIFEST, PROBE_MANIFEST))
    if is_dir(folder) and not known and not is_free(folder):
        raise SettingError(f"The folder {folder} holds other things than a probe. Name a new one.")


def _require_own_model(folder: Path, model: Model) -> None:
    """Refuse the folder of another model. Raises SettingError, and ModelError if it is damaged."""
    if not exists(folder / MODEL_MANIFEST):
        return
    other = ModelFolder.open(folder, EncoderConfig)
    if other.fingerprint != model.encoder_fingerprint:
        raise SettingError(
            f"{folder} is the folder of another model, {other.name}: a probe for {model.name} would be meaningless "
            "there. Name a new folder."
        )


def _require_consistent(settings: ProbeSettings, table: MosTable, *, stored: bool, ordinal: bool, pseudo: bool) -> None:
    """Raise SettingError where choices contradict each other."""
    sessions = table.sessions is not None
    if settings.protocol == "paper" and (stored or ordinal or pseudo or sessions or settings.spacing == "even"):
        raise SettingError(
            "Stored features, degraded photographs, sessions and even spacing are not part of the paper's protocol."
        )
    if ordinal and (pseudo or sessions):
        raise SettingError("Degraded pairs are not fitted together with pseudo-labels or sessions; leave one out.")


def _scale_of(settings: ProbeSettings, table: MosTable) -> Callable[..., MosScale]:
    low, high = settings.mos_range or (float(table.mos.min()), float(table.mos.max()))
    slack = ROUNDING * max(abs(low), abs(high))
    if outside := int(((table.mos < low - slack) | (table.mos > high + slack)).sum()):
        raise SettingError(
            f"{outside} of the {len(table.mos)} ratings are not from {low:g} to {high:g}, the range that was named. "
            "Name the ends of the scale on which they were given."
        )
    worst, best = (high, low) if settings.lower_is_better else (low, high)
    return partial(mos_scale, settings.spacing or SPACING[settings.protocol], worst=worst, best=best)


def _fit(
    rows: AnyFeatures,
    table: MosTable,
    settings: ProbeSettings,
    scale_of: Callable[..., MosScale],
    logistic: bool,
    recipe: Recipe,
    advance: Callable[[int], None],
) -> tuple[ProtocolResult, Ridge, MosScale]:
    """The protocol's result, and the regressor of the whole table with its scale."""
    scale = scale_of(table.mos)
    positions = scale.position(table.mos)
    protocol = partial(
        run_paper_protocol if settings.protocol == "paper" else run_protocol,
        scale_of=scale_of,
        groups=table.groups,
        subsets=table.subsets,
        splits=settings.splits,
        seed=settings.seed,
        logistic=logistic,
        advance=advance,
    )
    if settings.protocol == "paper":
        result = protocol(rows, table.mos)
        return result, fit_crops(rows, positions, result.splits[0].alpha), scale
    result = protocol(rows[:, 0], table.mos, recipe=recipe)
    return result, fit_final(rows[:, 0], positions, result, recipe), scale


def _write(
    folder: Path, probe: Probe, result: ProtocolResult, table: MosTable, details: CardDetails
) -> tuple[str, ...]:
    """Scatter plot, probe, card and its metadata; what of the last could not be written."""
    trained_on = f"{len(table)} pictures of {details.data_name}"
    if exists(folder / MODEL_MANIFEST):
        # The README.md there is the model's card, of which the probe's is a section.
        save_probe(folder, probe, trained_on=trained_on)
        replace_section(folder, "probe", probe_card(result, probe, details, level=2))
    else:
        save_probe(folder, probe, trained_on=trained_on, card=probe_card(result, probe, details))
    # After the probe: a run that is killed between them leaves a folder that is known to be a probe's.
    not_drawn = missing_figure("the scatter plot")
    if not_drawn is None:
        save_scatter(folder / SCATTER_NAME, result, table.mos, data_name=details.data_name)
    else:
        (folder / SCATTER_NAME).unlink(missing_ok=True)
    medians = {name.upper(): result.spread(name).median for name in FIGURES}
    metrics = [
        Metric(name, round(value, 4), details.data_name) for name, value in medians.items() if math.isfinite(value)
    ]
    try:
        write_metadata(folder, metrics)
    except ModelError as error:
        return tuple(filter(None, (not_drawn, str(error))))
    return () if not_drawn is None else (not_drawn,)
