"""Scores and features in one call from Python: `shamisa_cli.score` and `shamisa_cli.embed`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS, decode
from shamisa_cli.core.images.discovery import discover
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.networks.score_maps import split_score
from shamisa_cli.core.scoring.cache import Cache
from shamisa_cli.core.scoring.feature_formats import Features
from shamisa_cli.core.scoring.gate import Gate, apply_gate
from shamisa_cli.core.scoring.pipeline import embed_files, feature_cache, score_files
from shamisa_cli.core.scoring.score_columns import Records
from shamisa_cli.core.scoring.score_map import ScoreMap
from shamisa_cli.core.scoring.scorer import ViewSize, effective_view_size, require_probe

Paths = str | Path | Iterable[str | Path]


def score(
    paths: Paths,
    model: str | Model | None = None,
    *,
    recursive: bool = True,
    jobs: int | None = None,
    view_size: ViewSize = "model",
    min_score: float | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    cache: Cache | None = None,
) -> Records:
    """Score pictures: one record each, in the order of `discover`; `to_pandas()` makes a table of them.

    Args:
        paths: one or many files, folders or globs.
        model: a loaded model, a name, a folder, or "hf:org/name@revision"; None takes the default one.
        recursive: whether folders are read with all their folders.
        jobs, view_size, max_pixels: see `score_files`.
        min_score: pictures that score less get the status "failed".
        cache: an open `Cache`, for pictures that were scored before; None computes all of them.

    Raises:
        InputNotFoundError: a path matches nothing.
        ModelError: the model is missing, damaged, or has no regressor.
        SettingError: an impossible setting.
    A picture that cannot be read raises nothing: its record has the status "error" and says why.
    """
    files = discover(_many(paths), recursive=recursive)
    gate = Gate(min_score=min_score)
    records = score_files(_loaded(model), files, jobs=jobs, view_size=view_size, max_pixels=max_pixels, cache=cache)
    return Records(apply_gate(records, gate))


def score_map(picture: str | Path, model: str | Model | None = None, *, view_size: ViewSize = "model") -> ScoreMap:
    """Where in a picture its score comes from: `ScoreMap.points`, (H, W), sums to the score before it is clipped.

    Args:
        picture: a file.
        model, view_size: as for `score`.

    Raises:
        ImageError: the picture cannot be read.
        ModelError, SettingError: as for `score`.
    """
    loaded = _loaded(model)
    probe = require_probe(loaded)
    size = effective_view_size(loaded.encoder, view_size)
    return split_score(loaded.network, probe, decode(Path(picture), view_size=size).pixels)


def embed(
    paths: Paths,
    model: str | Model | None = None,
    *,
    recursive: bool = True,
    jobs: int | None = None,
    view_size: ViewSize = "model",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    cache: Cache | None = None,
) -> Features:
    """Features (n, D) float32 of n pictures, in the order of `discover`; settings as for `score`.

    Raises:
        ImageError: a picture cannot be read, since a row cannot say so.
        InputNotFoundError, ModelError, SettingError: as for `score`.
    """
    files = discover(_many(paths), recursive=recursive)
    loaded = _loaded(model)
    result_cache = feature_cache(cache, loaded, view_size)
    rows = []
    for embedding in embed_files(
        loaded.encoder, files, jobs=jobs, view_size=view_size, max_pixels=max_pixels, result_cache=result_cache
    ):
        if embedding.features is None:
            assert embedding.error is not None
            raise embedding.error
        rows.append(embedding.features)
    return np.stack(rows)


def _many(paths: Paths) -> list[str | Path]:
    return [paths] if isinstance(paths, str | Path) else list(paths)


def _loaded(model: str | Model | None) -> Model:
    return model if isinstance(model, Model) else load_model(model or DEFAULT_MODEL)
