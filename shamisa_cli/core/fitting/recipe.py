"""How a probe is fitted and judged, and what it is fitted to beside human scores."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from shamisa_cli.core.arguments import AtLeast, PositiveInt, check_fields
from shamisa_cli.core.errors import SettingError, Unread
from shamisa_cli.core.extras import needs_pytorch
from shamisa_cli.core.fitting.progress import Progress
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.probe.cross_dataset import ProtocolName
from shamisa_cli.core.probe.mos_table import LARGEST_SCORE, LEAST_SPREAD, are_ends
from shamisa_cli.core.probe.ordinal import TOO_FEW_PHOTOS, OrdinalPairs, OrdinalSettings
from shamisa_cli.core.probe.protocol import SPLITS
from shamisa_cli.core.probe.pseudo import PseudoLabels, PseudoSettings, Weight
from shamisa_cli.core.probe.recipe import Recipe
from shamisa_cli.core.probe.scale import Spacing
from shamisa_cli.core.probe.sessions import SessionSettings

LEVEL = 0.9
"""The share of human scores that an interval should hold."""

Level = Annotated[float, AtLeast(0.01, most=0.999)]
"""A share for which there are intervals: every one holds more than none, and none all."""


@dataclass(frozen=True)
class ProbeSettings:
    """How a probe is fitted and judged.

    Attributes:
        protocol: "default", or "paper" with a row of its own for each of five crops.
        splits, seed: random 70/10/20 splits, and what they are drawn from.
        logistic: PLCC and RMSE after a four-parameter logistic; None: see `usual_logistic`.
        lower_is_better: the human scores count impairment (DMOS).
        mos_range: the ends of the human scale, rising, which become 0 and 100; None takes the table's.
        spacing: "even" places scores by rank, "linear" in proportion; None is the protocol's own.
        interval: the share of human scores, 0.01…0.999, that the interval around a score should hold.
        ordinal_weight: what pairs of degraded photographs weigh together, relative to the human scores; ≥ 0.
        session: how scores of several sessions are fitted, where the table names them.
        pseudo: how versions of pristine photographs are fitted, where there are any.

    Raises SettingError if no human scale has these ends, or a number is out of its range.
    """

    protocol: ProtocolName = "default"
    splits: PositiveInt = SPLITS
    seed: int = 0
    logistic: bool | None = None
    lower_is_better: bool = False
    mos_range: tuple[float, float] | None = None
    spacing: Spacing | None = None
    interval: Level = LEVEL
    ordinal_weight: Weight = 1.0
    session: SessionSettings = field(default_factory=SessionSettings)
    pseudo: PseudoSettings = field(default_factory=PseudoSettings)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.mos_range is not None and not are_ends(*self.mos_range):
            raise SettingError(
                f"mos_range is {self.mos_range}; it takes two rising numbers, neither beyond {LARGEST_SCORE:g} and "
                f"{LEAST_SPREAD:g} apart at least, such as (1, 5)."
            )


def probe_recipe(
    model: Model,
    sessions: Sequence[str] | None,
    settings: ProbeSettings,
    ordinal: Sequence[Path],
    pseudo: Sequence[Path],
    progress: Progress,
    unread: Unread,
) -> Recipe:
    """Degrade and embed photographs, and put together what is fitted beside the scores.

    Args:
        model: whose encoder reads the photographs.
        sessions: (n,) names of the table's rating sessions, or None.
        settings: of each part.
        ordinal, pseudo: pristine photographs for degraded pairs, and for pseudo-labels; not both.
        progress: told of degrading.
        unread: told of the photographs that are left out.

    Raises:
        SettingError: no photograph can be read, only copies of one for degraded pairs, or PyTorch is not installed.
    """
    return Recipe(
        sessions=sessions,
        session=settings.session,
        pseudo=_pseudo_labels(model, pseudo, settings, progress, unread),
        pairs=_ordinal_pairs(model, ordinal, settings.seed, progress, unread),
        ordinal=OrdinalSettings(settings.ordinal_weight),
    )


def require_different(photos: Sequence[Path]) -> None:
    """Refuse one photograph alone for degraded pairs, and copies of one file. Raises SettingError."""
    if photos and all(_copies(photos[0], other) for other in photos[1:]):
        raise SettingError(TOO_FEW_PHOTOS)


def _copies(one: Path, other: Path) -> bool:
    """Whether two files have the same content; False where one cannot be read."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _ordinal_pairs(
    model: Model, photos: Sequence[Path], seed: int, progress: Progress, unread: Unread
) -> OrdinalPairs | None:
    """Pairs of degraded versions; None where there are no photographs."""
    if not photos:
        return None
    with needs_pytorch("degrading photographs"):
        from shamisa_cli.core.training.probes.degraded import degraded_pairs
    with progress("Degrading", len(photos)) as advance:
        return degraded_pairs(model.encoder, list(photos), seed=seed, unread=unread, advance=advance)


def _pseudo_labels(
    model: Model, photos: Sequence[Path], settings: ProbeSettings, progress: Progress, unread: Unread
) -> PseudoLabels | None:
    """Versions and how far full-reference measures place them below their originals; None without photographs."""
    if not photos:
        return None
    with needs_pytorch("degrading photographs"):
        from shamisa_cli.core.training.probes.pseudo_labels import pseudo_labels
    with progress("Degrading", min(len(photos), settings.pseudo.photos)) as advance:
        return pseudo_labels(
            model.encoder, list(photos), settings.pseudo, seed=settings.seed, unread=unread, advance=advance
        )
