"""Scores, features, comparisons and rankings in one call from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import numpy as np

from shamisa_cli.core.arguments import PositiveInt
from shamisa_cli.core.arrays import Features
from shamisa_cli.core.culling.cull import cull_files
from shamisa_cli.core.culling.decisions import CullRule, Decision
from shamisa_cli.core.culling.groups import GroupSettings, group_records
from shamisa_cli.core.errors import InputNotFoundError
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS, decode
from shamisa_cli.core.images.given import ImageInput, Paths, Pictures, files_of, pictures_of, source_of, sources_of
from shamisa_cli.core.images.in_memory import IN_MEMORY, in_memory
from shamisa_cli.core.machine import available_cpus
from shamisa_cli.core.models.loading import Model, load_model, load_relational_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL, DEFAULT_RELATIONAL
from shamisa_cli.core.relational.comparison import compare_with, read_image
from shamisa_cli.core.relational.judgement import Comparer
from shamisa_cli.core.relational.ranking import rank_pictures
from shamisa_cli.core.relational.ranking_records import Ranking
from shamisa_cli.core.relational.records import Comparison
from shamisa_cli.core.scoring.cache import Cache
from shamisa_cli.core.scoring.gate import Gate, apply_gate
from shamisa_cli.core.scoring.map_split import split_model_score
from shamisa_cli.core.scoring.pipeline import embed_files, feature_cache, file_scorer, score_files
from shamisa_cli.core.scoring.score_columns import ScoreRecords
from shamisa_cli.core.scoring.score_map import ScoreMap
from shamisa_cli.core.scoring.scorer import ViewSize, effective_view_size, require_probe
from shamisa_cli.core.scoring.serving import Answer, read_requests
from shamisa_cli.core.scoring.serving import serve as answer_requests


def score(
    paths: Pictures,
    model: str | Path | Model | None = None,
    *,
    recursive: bool = True,
    jobs: PositiveInt | None = None,
    view_size: ViewSize = "model",
    min_score: float | None = None,
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
    cache: Cache | None = None,
    groups: GroupSettings | None = None,
) -> ScoreRecords:
    """Score pictures: one record each, in the order of `discover`; `to_pandas()` makes a table of them.

    Args:
        paths: one or many files, folders or globs; or pictures in memory, called "picture" or "pictures[0]" in results:
            the bytes of a file, a Pillow image, or sRGB pixels (H, W, 3) uint8.
        model: a loaded model, a name, a folder, or "hf:org/name@revision"; None takes the default one.
        recursive: whether folders are read with all their folders.
        jobs, view_size, max_pixels: see `score_files`.
        min_score: pictures that score less get the status "failed".
        cache: an open `Cache`, for pictures that were scored before; None computes all of them.
        groups: find groups of near-duplicates and burst frames under these conditions; see `group_records`.

    Raises:
        InputNotFoundError: nothing is found under any name.
        ModelError: the model is missing, damaged, or has no probe.
        SettingError: a setting has an invalid value.
    An image that cannot be read raises nothing: its record has the status "error" and the reason.
    """
    files = pictures_of(paths, recursive)
    gate = Gate(min_score=min_score)
    records = score_files(
        _loaded(model), files, jobs=jobs, view_size=view_size, max_pixels=max_pixels, cache=cache,
        sketches=groups is not None,
    )  # fmt: skip
    scored = ScoreRecords(apply_gate(records, gate))
    return scored if groups is None else ScoreRecords(group_records(scored, groups))


def cull(
    paths: Paths,
    model: str | Path | Model | None = None,
    *,
    keep_best: float | None = None,
    below: float | None = None,
    best_of_groups: bool = False,
    groups: GroupSettings | None = None,
    recursive: bool = True,
    cache: Cache | None = None,
) -> list[Decision]:
    """Decide which pictures to keep; nothing on disk is changed.

    `write_sidecars` writes the decisions as ratings; `plan_transfers` and `transfer_files` move or copy pictures.

    Args:
        paths, model, recursive, cache: as for `score`.
        keep_best, below, best_of_groups: see `CullRule`.
        groups: conditions for a group; None: the default ones, if groups are needed.

    Raises:
        InputNotFoundError, ModelError, SettingError: as for `score`.
    """
    rule = CullRule(keep_best, below, best_of_groups)
    files = files_of([paths] if isinstance(paths, str | Path) else list(paths), recursive)
    return cull_files(_loaded(model), files, rule, groups=groups, cache=cache)


def score_map(
    picture: ImageInput, model: str | Path | Model | None = None, *, view_size: ViewSize = "model"
) -> ScoreMap:
    """Split an image's score over its pixels: `ScoreMap.points`, (H, W), sums to the score before it is clipped.

    Args:
        picture: a file, or a picture in memory as for `score`.
        model, view_size: as for `score`.

    Raises:
        ImageError: the picture cannot be read.
        ModelError, SettingError: as for `score`.
    """
    loaded = _loaded(model)
    require_probe(loaded)
    size = effective_view_size(loaded.encoder, view_size)
    if isinstance(picture, IN_MEMORY):
        held = in_memory("picture", picture)
        return split_model_score(loaded, decode(held.name, content=held.content, view_size=size).pixels)
    return split_model_score(loaded, decode(Path(picture), view_size=size).pixels)


def serve(
    requests: BinaryIO,
    write: Callable[[Answer], None],
    model: str | Path | Model | None = None,
    *,
    jobs: PositiveInt | None = None,
    view_size: ViewSize = "model",
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
    cache: Cache | None = None,
) -> None:
    """Answer each request on a stream with a record, in order and as soon as it is ready, to the end of the stream.

    Args:
        requests: lines such as {"path": "a.jpg", "id": 1}.
        write: called with each answer, in another thread, one at a time; a bad request or picture has an error in it.
        model, view_size, max_pixels, cache: as for `score`.
        jobs: pictures that are processed at once; None takes one for each processor.

    Raises:
        ModelError, SettingError: as for `score`.
    """
    scorer = file_scorer(_loaded(model), view_size, max_pixels, cache=cache)
    answer_requests(read_requests(requests), scorer, write, jobs=jobs or available_cpus())


def embed(
    paths: Pictures,
    model: str | Path | Model | None = None,
    *,
    recursive: bool = True,
    jobs: PositiveInt | None = None,
    view_size: ViewSize = "model",
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
    cache: Cache | None = None,
) -> Features:
    """Features (n, D) float32 of n pictures, in the order of `discover`; settings as for `score`.

    Raises:
        ImageError: a picture cannot be read, since a row cannot say so.
        InputNotFoundError, ModelError, SettingError: as for `score`.
    """
    files = pictures_of(paths, recursive)
    loaded = _loaded(model)
    result_cache = feature_cache(cache, loaded, view_size)
    rows = []
    embeddings = embed_files(
        loaded.encoder, files, jobs=jobs, view_size=view_size, max_pixels=max_pixels, result_cache=result_cache
    )
    with closing(embeddings):
        for embedding in embeddings:
            if embedding.features is None:
                assert embedding.error is not None
                raise embedding.error
            rows.append(embedding.features)
    return np.stack(rows)


def compare(
    ref: ImageInput,
    candidates: ImageInput | Iterable[ImageInput],
    model: str | Path | Comparer | None = None,
    *,
    resize: bool = False,
    original: bool = False,
    maps: bool = True,
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
) -> Comparison:
    """Compare an image with versions of it: what changed, where, and which is better; one record each.

    Args:
        ref: a file, or a picture in memory: sRGB pixels (H, W, 3) uint8, a Pillow image, or the bytes of a file.
        candidates: one or many files, folders, globs or pictures in memory.
        model: a loaded model, a name, a folder, or "hf:org/name@revision"; None takes the default one.
        resize: resample candidates of a different size to the reference's; otherwise their record has an error.
        original: `ref` is the original, so in doubt a change is damage; swapping the images does not flip the score.
        maps: whether records have maps of where; without them large images take less time, as in `compare_with`.
        max_pixels: larger files are refused.

    Raises:
        ImageError: the reference cannot be read.
        InputNotFoundError: nothing is found under any name.
        ModelError: the model is missing, damaged, or scores single pictures.
        SettingError: an array has the wrong shape or type.
    A candidate that cannot be read raises nothing: its record has the status "error" and the reason.
    """
    loaded = _comparer(model)
    if not (sources := list(sources_of(candidates, "candidates"))):
        raise InputNotFoundError("No candidate was named to compare with the reference.")
    name = "ref" if isinstance(ref, IN_MEMORY) else str(ref)
    reference = read_image(source_of(name, ref), name, max_pixels=max_pixels)
    records = compare_with(
        loaded, reference, sources, resize=resize, original=original, maps=maps, max_pixels=max_pixels
    )
    return Comparison(reference.name, tuple(records), loaded.identity)


def rank(
    pictures: Iterable[ImageInput] | ImageInput,
    model: str | Path | Comparer | None = None,
    *,
    resize: bool = False,
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
) -> Ranking:
    """Rank versions of one image, the best first, by comparing every pair once.

    Args:
        pictures: files, folders, globs or pictures in memory.
        model, max_pixels: as for `compare`.
        resize: resample images of a different size to the first one's; otherwise they are not ranked.

    Raises:
        InputNotFoundError: nothing is found under any name, or there are not two pictures.
        ModelError, SettingError: as for `compare`.
    """
    loaded = _comparer(model)
    sources = list(sources_of(pictures, "pictures"))
    if len(sources) < 2:
        raise InputNotFoundError("Ranking needs at least two pictures.")
    return rank_pictures(loaded, sources, resize=resize, max_pixels=max_pixels)


def _comparer(model: str | Path | Comparer | None) -> Comparer:
    if model is None or isinstance(model, str | Path):
        return load_relational_model(DEFAULT_RELATIONAL if model is None else str(model))
    return model


def _loaded(model: str | Path | Model | None) -> Model:
    return model if isinstance(model, Model) else load_model(DEFAULT_MODEL if model is None else str(model))
