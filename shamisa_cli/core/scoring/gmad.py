"""gMAD competition of two models on scored images: the pairs of `core.probe.gmad` with their records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shamisa_cli.core.probe.gmad import LEVELS, Contestant, GmadPair, gmad_pairs, places
from shamisa_cli.core.records import ImageRecord, ModelIdentity
from shamisa_cli.core.scoring.pipeline import describe_run
from shamisa_cli.core.scoring.scorer import require_probe

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model

CONTESTANTS: tuple[Contestant, Contestant] = ("a", "b")
LEVEL_NAMES = {1: ("all",), 2: ("low", "high"), 3: ("low", "middle", "high")}


@dataclass(frozen=True)
class GmadPicture:
    """One picture of a pair.

    Attributes:
        path: as the user named it.
        scores: 0…100 by each model.
        places: normalised ranks 0…1 by each model among all images, 1 the best.
        mos: the human score, if there is one.
    """

    path: str
    scores: dict[Contestant, float]
    places: dict[Contestant, float]
    mos: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {"path": self.path, "scores": self.scores, "places": self.places, "mos": self.mos}


@dataclass(frozen=True)
class GmadDuel:
    """A pair and its images: `better` is the one that the attacker prefers."""

    pair: GmadPair
    level: str
    better: GmadPicture
    worse: GmadPicture

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            "level": self.level,
            "defender": self.pair.defender,
            "attacker": self.pair.attacker,
            "gap": self.pair.gap,
            "better": self.better.to_json(),
            "worse": self.worse.to_json(),
        }


@dataclass(frozen=True)
class Gmad:
    """Result of a gMAD competition of two models on the same images.

    Attributes:
        models: a and b.
        count: number of images that both scored.
        duels: pairs with a as the defender, from the highest level down, then with b.
    """

    models: tuple[ModelIdentity, ModelIdentity]
    count: int
    duels: tuple[GmadDuel, ...]

    def name(self, contestant: Contestant) -> str:
        """The model's name, with its letter if both have the same name."""
        a, b = (model.name for model in self.models)
        name = a if contestant == "a" else b
        return f"{name} ({contestant})" if a == b else name

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            "models": dict(zip(CONTESTANTS, (model.to_json() for model in self.models), strict=True)),
            "count": self.count,
            "pairs": [duel.to_json() for duel in self.duels],
        }


def gmad(
    models: tuple[Model, Model],
    records: tuple[Sequence[ImageRecord], Sequence[ImageRecord]],
    mos: Sequence[float] | None = None,
    *,
    levels: int = LEVELS,
) -> Gmad:
    """Find the pairs on which two models disagree most; see `core.probe.gmad`.

    Args:
        models: a and b, each with a probe.
        records: of the same n images in the same order, by each model; an image that one of them could not score
            is left out.
        mos: (n,) human scores, which are reported with the pairs but do not affect them.
        levels: number of levels of quality.

    Raises:
        ModelError: a model has no probe.
        SettingError: there are too few images for this number of levels.
    """
    both = [row for row, pair in enumerate(zip(*records, strict=True)) if all(each.mos is not None for each in pair)]
    quality = [_quality(model, [kept[row] for row in both]) for model, kept in zip(models, records, strict=True)]
    pairs = gmad_pairs(*quality, levels=levels)
    order = [places(values) for values in quality]

    def picture(number: int) -> GmadPicture:
        seen = [kept[both[number]] for kept in records]
        return GmadPicture(
            seen[0].path,
            {name: record.score or 0.0 for name, record in zip(CONTESTANTS, seen, strict=True)},
            {name: float(each[number]) for name, each in zip(CONTESTANTS, order, strict=True)},
            None if mos is None else float(mos[both[number]]),
        )

    return Gmad(
        (describe_run(models[0], "model").model, describe_run(models[1], "model").model),
        len(both),
        tuple(
            GmadDuel(pair, level_name(pair.level, levels), picture(pair.better), picture(pair.worse)) for pair in pairs
        ),
    )


def level_name(level: int, levels: int) -> str:
    """Name of a level of quality: low, middle and high if there are three."""
    return LEVEL_NAMES[levels][level] if levels in LEVEL_NAMES else f"{level + 1} of {levels}"


def _quality(model: Model, records: Sequence[ImageRecord]) -> np.ndarray:
    """Predictions (n,), higher better; not clipped like scores, so that they distinguish the best images too."""
    values = np.array([record.mos for record in records], dtype=np.float64)
    return -values if require_probe(model).scale.lower_is_better else values
