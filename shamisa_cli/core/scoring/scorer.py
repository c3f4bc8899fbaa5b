"""From a file to its score or features: from the cache, or else decoded and embedded."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.arrays import Features, Pixels
from shamisa_cli.core.encoder.embedder import embedded
from shamisa_cli.core.encoder.spec import SMALLEST_VIEW
from shamisa_cli.core.errors import ImageError, ModelError, SettingError, item_error
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.images.decoding import DecodedImage, decode, read_file
from shamisa_cli.core.images.in_memory import PictureInMemory
from shamisa_cli.core.records import NOT_A_NUMBER, ErrorRecord, ImageRecord
from shamisa_cli.core.reliability import UNRELIABLE_STRETCH
from shamisa_cli.core.scoring.sketches import sketch

if TYPE_CHECKING:
    from shamisa_cli.core.encoder.embedder import Embedder
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.probe.defects import DefectProbe
    from shamisa_cli.core.probe.ridge import Probe


MAX_CACHED_FILE_BYTES = 100_000_000
"""Bytes; larger files are not cached, since a file is read into memory as a whole to look it up."""

DEFECT_DECIMALS = 3

Source = Path | PictureInMemory
"""What is scored: a file, or a picture in memory."""

ViewSize = int | Literal["model"] | None
"""Long side in pixels to which larger images are reduced; "model": the model's own; None: every pixel."""


@dataclass(frozen=True)
class Embedding:
    """Features of one file, or the error that prevented them.

    Attributes:
        path: the file, or the address of an image in a store.
        features: (D,) float32; None if the file could not be read.
        width, height: size of the upright original in pixels; None if the file could not be read.
        error: why the file could not be read; None otherwise.
        warnings, at_full_size, remarks: see `ImageRecord`.
        line_drawing: whether it is thin lines on a ground of one lightness, which no model knows.
    """

    path: Path | str
    features: Features | None = None
    width: int | None = None
    height: int | None = None
    error: ImageError | None = None
    warnings: tuple[str, ...] = ()
    at_full_size: AtFullSize | None = None
    remarks: tuple[str, ...] = ()
    line_drawing: bool = False


Result = TypeVar("Result", Embedding, ImageRecord)


def name_of(source: Source) -> Path | str:
    """The file, or the name of a picture in memory, as in results."""
    return source.name if isinstance(source, PictureInMemory) else source


class ResultCache(Protocol[Result]):
    """Cache of results by the SHA-256 of a file's content. Safe for use by several threads."""

    def get(self, content: bytes, path: Path | str) -> Result | None:
        """Cached result of a file with this content, recorded under `path`; None if there is none."""

    def put(self, content: bytes, finding: Result) -> Result:
        """Store a result, and return it as `get` will; errors are not stored."""


Draws = Callable[[Path | str, Pixels], Features]
"""Given a file and its pixels (H, W, 3) at the view size, gives its features and draws it; in several threads at once
if the encoder is `concurrent`."""


@dataclass(frozen=True)
class ReadFile(Generic[Result]):
    """A file as `FileScorer.read` leaves it to `FileScorer.complete`.

    Attributes:
        content: SHA-256 of the file's bytes; None without a cache, or if the file is too large for it.
        known: the cached result; None if there is none.
        picture: the decoded image; None where its pixels are not needed.
        features: (D,) float32; None where they are not needed, or the encoder is not `concurrent`.
    """

    content: bytes | None = None
    known: Result | None = None
    picture: DecodedImage | None = None
    features: Features | None = None


@dataclass(frozen=True)
class FileScorer(Generic[Result]):
    """Turns files into results: `read` runs in several threads, `complete` in one.

    Attributes:
        encoder: embeds in `read` if it is `concurrent`, otherwise in `complete`.
        view_size: long side in pixels to which images are reduced; None keeps every pixel.
        max_pixels: larger images are refused, even if their result is cached.
        make: turns an embedding, or its error, into a result.
        result_cache: cache of earlier results, which new ones are added to; None without a cache.
        keeps_pixels: whether `complete` returns pixels of images with a cached result too.
        draws: embeds each picture, with a cached result too, and draws it; None: nothing is drawn.
    """

    encoder: Embedder
    view_size: int | None
    max_pixels: int
    make: Callable[[Embedding], Result]
    result_cache: ResultCache[Result] | None = None
    keeps_pixels: bool = False
    draws: Draws | None = None

    def read(self, source: Source) -> ReadFile[Result]:
        """Read, decode and embed one picture unless its result is cached. Raises ImageError if it cannot be read."""
        # The bytes that are hashed are those that are decoded, even if someone is writing to the file.
        path = name_of(source)
        data = source.content if isinstance(source, PictureInMemory) else None
        if data is None and self.result_cache is not None:
            data = read_file(Path(path), MAX_CACHED_FILE_BYTES)
        content = None if data is None or self.result_cache is None else hashlib.sha256(data).digest()
        known = self._known(content, path)
        if known is not None and not self.keeps_pixels and self.draws is None:
            return ReadFile(content, known)
        picture = decode(path, content=data, view_size=self.view_size, max_pixels=self.max_pixels, look=True)
        wanted = (known is None or self.draws is not None) and self.encoder.concurrent
        return ReadFile(content, known, picture, self._features(path, picture.pixels) if wanted else None)

    def complete(self, source: Source, looking: Future[ReadFile[Result]]) -> tuple[Result, Pixels | None]:
        """Return the result of a picture that was read, and its pixels (H, W, 3) at the view size if they were decoded.

        Whatever goes wrong with one picture becomes its result; see `item_error`.
        """
        path = name_of(source)
        try:
            sight = looking.result()
            pixels = None if sight.picture is None else sight.picture.pixels
            features = sight.features
            if features is None and pixels is not None and (sight.known is None or self.draws is not None):
                features = self._features(path, pixels)
            if sight.known is not None:
                # With its pixels, which are not cached.
                look = None if sight.picture is None else sight.picture.at_full_size
                return replace(sight.known, at_full_size=look or sight.known.at_full_size), pixels
            assert sight.picture is not None
            assert features is not None
            finding = self.make(embedding_of(path, features, sight.picture))
        except Exception as error:
            return self.make(Embedding(path, error=item_error(path, error))), None
        if self.result_cache is not None and sight.content is not None:
            finding = self.result_cache.put(sight.content, finding)
        return finding, pixels

    def _features(self, path: Path | str, pixels: Pixels) -> Features:
        draws = self.draws
        return embedded(self.encoder, path, pixels, None if draws is None else partial(draws, path))

    def _known(self, content: bytes | None, path: Path | str) -> Result | None:
        known = None if self.result_cache is None or content is None else self.result_cache.get(content, path)
        if known is None or (known.width or 0) * (known.height or 0) > self.max_pixels:
            return None
        return known


def embedding_of(path: Path | str, features: Features, picture: DecodedImage) -> Embedding:
    """The embedding of a picture: its features (D,), and what was seen when it was decoded."""
    seen = (picture.warnings, picture.at_full_size, picture.remarks, picture.line_drawing)
    return Embedding(path, features, picture.width, picture.height, None, *seen)


def effective_view_size(encoder: Embedder, view_size: ViewSize) -> int | None:
    """Resolve "model" to the view size the encoder was made with. Raises SettingError below 32 pixels."""
    if view_size == "model":
        return encoder.config.preprocessing.view_size
    if view_size is not None and view_size < SMALLEST_VIEW:
        raise SettingError(f"The view size is {view_size} pixels; it must be at least {SMALLEST_VIEW}.")
    return view_size


def require_probe(model: Model) -> Probe:
    """The model's probe. Raises ModelError if it has none."""
    if model.probe is None:
        raise ModelError(f"The model {model.name} has no probe, so it cannot score.", remedy="name-a-probe")
    return model.probe


def preprocessing_used(encoder: Embedder, view_size: ViewSize) -> dict[str, Any]:
    """JSON values of the preprocessing, with the effective view size."""
    return asdict(encoder.config.preprocessing) | {"view_size": effective_view_size(encoder, view_size)}


def image_record(model: Model, embedding: Embedding, *, sketches: bool = False) -> ImageRecord:
    """Score an embedded image, or record why it could not be embedded. Raises ModelError if the model has no probe.

    With `sketches`, the record has a sketch of the features.
    """
    path = str(embedding.path)
    if embedding.features is None:
        assert embedding.error is not None
        return ImageRecord(path, status="error", error=ErrorRecord.of(embedding.error))
    record = ImageRecord(path, width=embedding.width, height=embedding.height, warnings=embedding.warnings)
    probe = require_probe(model)
    position = probe.predict(embedding.features[None, :])
    if not math.isfinite(position[0]):
        error = ErrorRecord(
            NOT_A_NUMBER, f"{path}: the model's result is not a finite number; the model's files may be damaged."
        )
        return replace(record, status="error", error=error)
    record = replace(record, familiar=probe.knows(embedding.features) and not embedding.line_drawing)
    stretch = UNRELIABLE_STRETCH if record.reliability == "low" else 1.0
    return replace(
        record,
        score=float(probe.score(position)[0]),
        mos=float(probe.scale.mos(np.clip(position, 0, 1))[0]),
        interval=probe.score_interval(float(position[0]), embedding.features, stretch),
        defects=_defects(model.defects, embedding.features),
        at_full_size=embedding.at_full_size,
        remarks=embedding.remarks,
        sketch=sketch(embedding.features, probe) if sketches else None,
    )


def _defects(probe: DefectProbe | None, features: npt.NDArray[np.float32]) -> dict[str, float] | None:
    if probe is None:
        return None
    return dict(zip(GROUPS, probe.severities(features[None, :])[0].round(DEFECT_DECIMALS).tolist(), strict=True))
