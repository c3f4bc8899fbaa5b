"""A direction for a model: degrade and repair photographs, and learn which of two versions is the better one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shamisa_cli.core.errors import ImageError, SettingError
from shamisa_cli.core.existence import exists, is_dir
from shamisa_cli.core.extras import needs_pytorch
from shamisa_cli.core.fitting.progress import Progress, no_progress
from shamisa_cli.core.images.discovery import discover
from shamisa_cli.core.models.direction_files import write_direction
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.places import require_place
from shamisa_cli.core.sole_writer import writes


@dataclass(frozen=True, eq=False)
class FittedDirection:
    """How well a direction orders pairs of photographs that it saw neither in the fit nor in the calibration.

    Attributes:
        photos, pairs: how many there were, all together.
        calibration_photos: by which the chances are calibrated.
        held_photos, held_pairs: photographs for this report, and their pairs.
        right: share of their pairs in the right order.
        sure: share of their pairs with |p| above one half.
        sure_right: share of those in the right order.
        errors: why the other photographs were left out.
        warnings: on measurements that could not be kept in the store.
    """

    photos: int
    pairs: int
    calibration_photos: int
    held_photos: int
    held_pairs: int
    right: float
    sure: float
    sure_right: float
    errors: tuple[ImageError, ...] = ()
    warnings: tuple[str, ...] = ()


@writes("model")
def fit_direction(
    model: str | Path,
    data: Sequence[str | Path],
    *,
    seed: int = 0,
    store: str | Path | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> FittedDirection:
    """Fit which of two images is better, on a model's encoder, and put it into the model's folder.

    Args:
        model: the model's folder.
        data: good photographs: files, folders or globs; at least five, better hundreds.
        seed: of the versions, and of the network's first weights.
        store: folder that keeps what was measured of each photograph, for an interrupted or a later fit with the same
            encoder, device, and versions of shamisa and of the packages that decode and compute.
        device: where the encoder computes.
        progress: told of degrading and fitting.

    Raises:
        InputNotFoundError: a path matches nothing.
        ModelError: the folder holds no model, or a damaged one.
        SettingError: fewer than five photographs can be read, PyTorch is not installed, or `store` may not be
            written.
    A photograph that cannot be read raises nothing: see `FittedDirection.errors`.
    """
    with needs_pytorch("fitting a direction"):
        from shamisa_cli.core.training.direction.fit import EPOCHS, FEWEST, MEMBERS
        from shamisa_cli.core.training.direction.fit import fit_direction as fit
        from shamisa_cli.core.training.direction.material import make_pairs, origin_of
    photos = discover(list(data))
    if len(photos) < FEWEST:
        raise SettingError(f"{len(photos)} photographs are named, and a direction needs at least {FEWEST}; name more.")
    if store is not None:
        require_place(Path(store))
        if exists(store) and not is_dir(store):
            raise SettingError(f"{store} is a file; a store takes the name of a folder.")
    loaded = load_model(str(Path(model).absolute()), device=device)
    errors: list[ImageError] = []
    warnings: list[str] = []
    with progress("Degrading", len(photos)) as advance:
        pairs = make_pairs(
            loaded.encoder,
            origin_of(loaded),
            photos,
            seed=seed,
            store=None if store is None else Path(store),
            unread=errors.append,
            warn=warnings.append,
            advance=advance,
        )
    score = None if loaded.probe is None else loaded.probe.weights / loaded.probe.feature_scale
    with progress("Fitting", EPOCHS * MEMBERS) as advance:
        found = fit(pairs, loaded.encoder_fingerprint, score, seed=seed, advance=advance)
    count = len(np.unique(pairs.photo))
    write_direction(Path(model), found.head, trained_on=f"{len(pairs)} pairs of versions of {count} photographs")
    right, sure, held = pairs.better * found.chances > 0, np.abs(found.chances) > 1 / 2, found.reported
    return FittedDirection(
        count,
        len(pairs),
        len(np.unique(pairs.photo[found.calibrated])),
        len(np.unique(pairs.photo[held])),
        int(held.sum()),
        float(right[held].mean()),
        float(sure[held].mean()),
        float(right[held & sure].mean()) if (held & sure).any() else float("nan"),
        tuple(errors),
        tuple(warnings),
    )
