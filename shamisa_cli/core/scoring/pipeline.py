"""Features or scores of files, in order, while threads work ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from shamisa_cli.core.arguments import PositiveInt
from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.errors import SettingError, item_error
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS
from shamisa_cli.core.machine import available_cpus
from shamisa_cli.core.records import ErrorRecord, ImageRecord, ModelIdentity, Run
from shamisa_cli.core.scoring.result_cache import FeatureCache, feature_cache_for, score_cache
from shamisa_cli.core.scoring.scorer import (
    Draws,
    Embedding,
    FileScorer,
    Result,
    Source,
    ViewSize,
    effective_view_size,
    image_record,
    preprocessing_used,
    require_probe,
)

if TYPE_CHECKING:
    from shamisa_cli.core.encoder.embedder import Embedder
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.scoring.cache import Cache


T = TypeVar("T")
Item = TypeVar("Item")
Found = Generator[tuple[T, Pixels | None], None, None]
Watch = Callable[[ImageRecord, Pixels], None]
"""Called with each scored image and its pixels (H, W, 3) at the view size. What it raises is the picture's error."""


def embed_files(
    encoder: Embedder,
    paths: Iterable[Source],
    *,
    jobs: PositiveInt | None = None,
    view_size: ViewSize = "model",
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
    result_cache: FeatureCache | None = None,
) -> Generator[Embedding, None, None]:
    """Embed files in the order given, while threads work on the next ones.

    Memory does not grow with the number of files: at most about 2 × `jobs` decoded images are waiting. An image's
    features never depend on the other images or on `jobs`. Closing the iterator stops the threads.

    Args:
        encoder: if it is `concurrent`, each thread decodes and embeds; otherwise threads decode, and the consumer of
            the iterator embeds.
        paths: files, or pictures in memory; may be infinite; it is read only as far as needed.
        jobs: threads; None takes one per available processor.
        view_size: see `ViewSize`.
        max_pixels: larger images are refused, before they are decoded.
        result_cache: cache of features, which new ones are added to; see `feature_cache`.

    Raises:
        SettingError: at once, when `jobs` or `view_size` is too small. Files never raise: see `Embedding`.
    """
    scorer = FileScorer(
        encoder, effective_view_size(encoder, view_size), max_pixels, make=_itself, result_cache=result_cache
    )
    return _without_pixels(_found(scorer, paths, _thread_count(jobs)))


def score_files(
    model: Model,
    paths: Iterable[Source],
    *,
    jobs: PositiveInt | None = None,
    view_size: ViewSize = "model",
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
    watch: Watch | None = None,
    draws: Draws | None = None,
    cache: Cache | None = None,
    sketches: bool = False,
) -> Generator[ImageRecord, None, None]:
    """Score files in the order given; shared arguments and guarantees are those of `embed_files`.

    Args:
        model: a model with a probe.
        watch: see `Watch`; called in the consumer's thread, before the record is yielded.
        draws: see `Draws`; called in the threads that embed, as `MapWriter` is for maps. What it raises is the
            picture's error.
        cache: cache of scores, which new ones are added to. Images with cached scores are neither decoded nor
            embedded, unless `watch` needs their pixels or `draws` draws them.
        sketches: whether records have a sketch of the features, for `group_records`.

    Raises:
        ModelError: at once, if the model has no probe.
        SettingError: at once, for an invalid setting.
    """
    scorer = file_scorer(model, view_size, max_pixels, cache=cache, keeps_pixels=watch is not None, sketches=sketches)
    scorer = replace(scorer, draws=draws)
    return _watched(_found(scorer, paths, _thread_count(jobs)), watch)


def file_scorer(
    model: Model,
    view_size: ViewSize = "model",
    max_pixels: PositiveInt = DEFAULT_MAX_PIXELS,
    *,
    cache: Cache | None = None,
    keeps_pixels: bool = False,
    sketches: bool = False,
) -> FileScorer[ImageRecord]:
    """The scorer of `score_files`, for callers with one file at a time. Raises as `score_files` does."""
    require_probe(model)
    make = partial(image_record, model, sketches=sketches or cache is not None)
    size = effective_view_size(model.encoder, view_size)
    result_cache = score_cache(cache, model, preprocessing_used(model.encoder, view_size), make, sketches=sketches)
    return FileScorer(model.encoder, size, max_pixels, make=make, result_cache=result_cache, keeps_pixels=keeps_pixels)


def feature_cache(cache: Cache | None, model: Model, view_size: ViewSize = "model") -> FeatureCache | None:
    """The cache of the model's features at a view size, for `embed_files`; None without a cache."""
    return feature_cache_for(cache, model, preprocessing_used(model.encoder, view_size))


def describe_run(
    model: Model,
    view_size: ViewSize,
    *,
    gated: bool = False,
    left_out: Mapping[str, int] | None = None,
    grouped: bool = False,
) -> Run:
    """The properties shared by the records of `score_files` under the same settings; the last three as in `Run`."""
    interval = model.probe.interval if model.probe else None
    level = None if interval is None else interval.level
    identity = ModelIdentity(model.name, model.revision, preprocessing_used(model.encoder, view_size), level)
    return Run(identity, gated, left_out=left_out or {}, grouped=grouped)


def _thread_count(jobs: PositiveInt | None) -> int:
    if jobs is not None and jobs < 1:
        raise SettingError(f"The number of jobs is {jobs}; it must be at least 1.")
    return jobs or available_cpus()


def _found(scorer: FileScorer[Result], paths: Iterable[Source], jobs: int) -> Found[Result]:
    # Whole photographs are large, and the encoder is the bottleneck: hold few of them.
    window = jobs + 1 if scorer.view_size is None else 2 * jobs + 2
    with closing(map_in_order(scorer.read, paths, jobs, window)) as outcomes:
        for path, outcome in outcomes:
            yield scorer.complete(path, outcome)


def map_in_order(
    read: Callable[[Item], T], items: Iterable[Item], threads: int, window: int
) -> Generator[tuple[Item, Future[T]], None, None]:
    """Apply `read` to each item in several threads, at most `window` items ahead of the consumer; keeps the order."""
    waiting: deque[tuple[Item, Future[T]]] = deque()
    readers = ThreadPoolExecutor(threads, thread_name_prefix="read")
    try:
        for item in items:
            waiting.append((item, readers.submit(read, item)))
            if len(waiting) >= window:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        readers.shutdown(wait=False, cancel_futures=True)


def _without_pixels(found: Found[Embedding]) -> Generator[Embedding, None, None]:
    with closing(found):
        for embedding, _ in found:
            yield embedding


def _watched(found: Found[ImageRecord], watch: Watch | None) -> Generator[ImageRecord, None, None]:
    with closing(found):
        for record, pixels in found:
            if watch is not None and pixels is not None and record.score is not None:
                try:
                    watch(record, pixels)
                except Exception as error:
                    reason = ErrorRecord.of(item_error(record.path, error))
                    record = ImageRecord(record.path, status="error", error=reason)
            yield record


def _itself(embedding: Embedding) -> Embedding:
    return embedding
