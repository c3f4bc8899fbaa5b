"""Projection of features to a plane, where images with similar features are near each other."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Features
from shamisa_cli.core.errors import SettingError

Places = NDArray[np.float64]
Projection = Literal["tsne", "umap"]
PROJECTIONS: tuple[Projection, ...] = get_args(Projection)

COMPONENTS = 50
"""Principal components to which features are reduced first (van der Maaten and Hinton 2008, section 4.2: 30)."""
PERPLEXITY = 30.0
"""Perplexity of t-SNE: about the number of neighbours that matter."""
NEIGHBOURS = 15
"""Number of neighbours of UMAP, its default."""


def require_projection(projection: str) -> None:
    """Raise SettingError, before any work, if the projection is unknown or not installed."""
    if projection not in PROJECTIONS:
        raise SettingError(f"The projection is {projection!r}; it can be {', '.join(PROJECTIONS)}.")
    if projection == "umap" and find_spec("umap") is None:
        raise SettingError("UMAP is not installed. Install it with: pip install 'shamisa[umap]', or use t-SNE.")


def project(features: Features, projection: Projection = "tsne", *, seed: int = 0) -> Places:
    """Project features (n, D) to positions (n, 2), centred and scaled so that the largest distance from 0 is 1.

    The same features and the same seed give the same positions on one machine: t-SNE computes in one thread, since
    with several the order of its sums, and so the map, would depend on timing.

    Raises SettingError as `require_projection` does.
    """
    require_projection(projection)
    if len(features) < 4:
        places = _principal(features, 2, seed)
    elif projection == "umap":
        places = _umap(_principal(features, COMPONENTS, seed), seed)
    else:
        places = _tsne(_principal(features, COMPONENTS, seed), seed)
    centred: Places = places - places.mean(axis=0)
    farthest = float(np.linalg.norm(centred, axis=1).max())
    return centred / farthest if farthest > 0 else centred


def centred_within(features: Features, names: Sequence[str | None]) -> Features:
    """Features (n, D), each less the mean of those with the same name; those without a name form one group.

    With the names of the original photographs, the differences between their versions remain.
    """
    centred = features.copy()
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    labels = np.array([numbers[name] for name in names])
    for number in numbers.values():
        rows = labels == number
        centred[rows] -= features[rows].mean(axis=0, dtype=np.float64).astype(np.float32)
    return centred


def _principal(features: Features, count: int, seed: int) -> Places:
    from sklearn.decomposition import PCA

    count = min(count, *features.shape)
    spread = float(np.ptp(features, axis=0).max()) if len(features) else 0.0
    if len(features) < 2 or spread == 0:
        return np.zeros((len(features), max(2, count)))
    places = PCA(count, svd_solver="randomized", random_state=seed).fit_transform(features.astype(np.float64))
    return np.pad(places, ((0, 0), (0, max(0, 2 - count))))


def _tsne(places: Places, seed: int) -> Places:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if not places.any():
        return places[:, :2]
    perplexity = min(PERPLEXITY, (len(places) - 1) / 3)
    with threadpool_limits(1):
        found = TSNE(2, init="pca", perplexity=perplexity, random_state=seed, n_jobs=1).fit_transform(places)
    return np.asarray(found, dtype=np.float64)


def _umap(places: Places, seed: int) -> Places:
    from umap import UMAP

    # With a seed umap-learn computes in one thread too.
    found = UMAP(n_neighbors=min(NEIGHBOURS, len(places) - 1), random_state=seed, n_jobs=1).fit_transform(places)
    return np.asarray(found, dtype=np.float64)
