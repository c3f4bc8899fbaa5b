"""A defect probe for a model: degrade photographs, learn what was done to them, and measure how well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from shamisa_cli.core.arguments import AtLeast
from shamisa_cli.core.errors import ImageError, SettingError
from shamisa_cli.core.extras import needs_pytorch
from shamisa_cli.core.fitting.progress import Progress, no_progress
from shamisa_cli.core.images.discovery import discover
from shamisa_cli.core.models.card import replace_section
from shamisa_cli.core.models.folder import save_defects
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.probe.card import defects_section
from shamisa_cli.core.probe.defects import FOLDS, DefectAccuracy, DefectProbe
from shamisa_cli.core.sole_writer import writes

VERSIONS = 20
LEAST_AUC, LEAST_SRCC = 0.6, 0.1
"""Below one of them a group is hardly told from chance, 0.5 and 0."""


@dataclass(frozen=True, eq=False)
class FittedDefects:
    """A defect probe and how well it reads photographs it was not fitted on.

    Attributes:
        probe: fitted on all versions of all photographs.
        accuracies: one for each group, from folds of photographs.
        photos, versions: how many of each it learned from.
        errors: why the other photographs were left out.
    """

    probe: DefectProbe
    accuracies: tuple[DefectAccuracy, ...]
    photos: int
    versions: int
    errors: tuple[ImageError, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on groups that the probe does not tell from chance."""
        useless = [each.group for each in self.accuracies if not (each.auc >= LEAST_AUC and each.srcc >= LEAST_SRCC)]
        if not useless:
            return ()
        return (
            f"The probe tells {', '.join(useless)} hardly from chance on photographs it was not fitted on "
            f"({self.photos} photographs). Fit it again to more photographs, or more versions of each.",
        )


@writes("model")
def fit_defects(
    model: str | Path,
    data: Sequence[str | Path],
    *,
    versions: Annotated[int, AtLeast(2)] = VERSIONS,
    seed: int = 0,
    device: str = "auto",
    command: str = "shamisa.fit_defects(…)",
    progress: Progress = no_progress,
) -> FittedDefects:
    """Fit a model's defect probe to what the engine did to photographs, and put it into the model's folder and card.

    Args:
        model: the model's folder.
        data: undistorted photographs: files, folders or globs; at least five.
        versions: of each photograph: one untouched, the others degraded; ≥ 2.
        seed: of the engine and the folds.
        device: where the encoder computes.
        command: what the card says it was made with.
        progress: told of degrading and fitting.

    Raises:
        InputNotFoundError: a path matches nothing.
        ModelError: the folder holds no model, or a damaged one.
        SettingError: fewer than five photographs can be read, or PyTorch is not installed.
    A photograph that cannot be read raises nothing: see `FittedDefects.errors`.
    """
    with needs_pytorch("fitting defects"):
        from shamisa_cli.core.training.probes.defects import fit_defects as fit
        from shamisa_cli.core.training.probes.degraded import degrade_and_embed
    photos = discover(list(data))
    if len(photos) < FOLDS:
        raise SettingError(f"{len(photos)} photographs are named, and defects need at least {FOLDS}; name more.")
    loaded = load_model(str(Path(model).absolute()), device=device)
    errors: list[ImageError] = []
    with progress("Degrading", len(photos)) as advance:
        degraded = degrade_and_embed(
            loaded.encoder, photos, versions=versions, seed=seed, unread=errors.append, advance=advance
        )
    with progress("Fitting", FOLDS + 1) as advance:
        probe, accuracies = fit(degraded, loaded.encoder_fingerprint, seed=seed, advance=advance)
    count = len(set(degraded.photo.tolist()))
    save_defects(Path(model), probe, trained_on=f"{len(degraded)} versions of {count} photographs")
    section = defects_section(accuracies, photos=count, pictures=len(degraded), command=command)
    replace_section(Path(model), "defects", section)
    return FittedDefects(probe, accuracies, count, len(degraded), tuple(errors))
