"""Cache of features and scores by a file's content, for one model and one view size.

Complete records of scores are stored, so that a second run needs neither encoder nor pixels. Features are stored if
they were requested; a new probe can then score from them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.images.decoding import READING
from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring.cache import Cache
from shamisa_cli.core.scoring.provenance import record_digest, versions
from shamisa_cli.core.scoring.scorer import Embedding

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model

_HEAD = struct.Struct("<III")
"""Width and height of the picture, and bytes of the JSON object that follows; then its features."""
AT_FULL_SIZE, LINE_DRAWING = "at_100_percent", "line_drawing"
_KEPT = ("score", "mos", "width", "height")


@dataclass(frozen=True)
class FeatureCache:
    """Cache of features.

    Attributes:
        cache: the store.
        context: hash over everything that features depend on besides the file's content.
    """

    cache: Cache
    context: bytes

    def get(self, content: bytes, path: Path | str) -> Embedding | None:
        """The cached embedding of a file with this content; None if there is none."""
        value = self.cache.get(_key(self.context, content))
        if value is None:
            return None
        width, height, said = _HEAD.unpack_from(value)
        start = _HEAD.size + said
        noted = json.loads(value[_HEAD.size : start])
        features = np.frombuffer(value[start:], "<f4").astype(np.float32)
        return Embedding(path, features, width, height, None, *_seen(noted), noted[LINE_DRAWING])

    def put(self, content: bytes, finding: Embedding) -> Embedding:
        """Store an embedding, and return it."""
        if finding.features is not None:
            look = None if finding.at_full_size is None else finding.at_full_size.to_json()
            seen = {"warnings": finding.warnings, AT_FULL_SIZE: look, "remarks": finding.remarks}
            noted = json.dumps(seen | {LINE_DRAWING: finding.line_drawing}).encode()
            head = _HEAD.pack(finding.width or 0, finding.height or 0, len(noted))
            features = finding.features.astype("<f4").tobytes()
            self.cache.put("features", _key(self.context, content), head + noted + features)
        return finding


@dataclass(frozen=True)
class ScoreCache:
    """Cache of records; a missing record is computed from cached features if there are any.

    Attributes:
        features: cache of features of the same model and view size.
        context: hash over everything that scores depend on besides the file's content.
        make: scores an embedding; its records have sketches.
        sketches: whether records are returned with their sketches. They are stored in any case, so that groups can be
            found among images that were scored without.
    """

    features: FeatureCache
    context: bytes
    make: Callable[[Embedding], ImageRecord]
    sketches: bool = False

    def get(self, content: bytes, path: Path | str) -> ImageRecord | None:
        """The cached record of a file with this content; None if there is none."""
        value = self.features.cache.get(self._key(content, self.sketches))
        if value is not None:
            return _record(value, path)
        embedding = self.features.get(content, path)
        if embedding is None:
            return None
        return self.put(content, self.make(embedding))

    def put(self, content: bytes, finding: ImageRecord) -> ImageRecord:
        """Store a record, if it has a score, without and with its sketch; return it as `get` will."""
        plain = replace(finding, sketch=None)
        if finding.score is not None:
            self.features.cache.put("scores", self._key(content, False), _value(plain))
            self.features.cache.put("groups", self._key(content, True), _value(finding))
        return finding if self.sketches else plain

    def _key(self, content: bytes, sketches: bool) -> bytes:
        return _key((b"with sketches" if sketches else b"scores") + self.context, content)


def feature_cache_for(cache: Cache | None, model: Model, preprocessing: dict[str, Any]) -> FeatureCache | None:
    """The cache of the model's features with this preprocessing; None without a cache.

    Keys include the versions of the libraries that compute features, since other versions may give different
    numbers, and a score must not depend on the state of the cache.
    """
    if cache is None:
        return None
    context = {
        "encoder": model.encoder_digest,
        "preprocessing": preprocessing,
        "runtime": model.encoder.runtime,
        "device": str(model.encoder.device),
        "reading": READING,
        "packages": versions(model.encoder),
    }
    return FeatureCache(cache, _sha256(json.dumps(context, sort_keys=True).encode()))


def score_cache(
    cache: Cache | None,
    model: Model,
    preprocessing: dict[str, Any],
    make: Callable[[Embedding], ImageRecord],
    *,
    sketches: bool = False,
) -> ScoreCache | None:
    """The cache of the model's scores with this preprocessing and its current probe and defect probe.

    `make` and `sketches` are as in `ScoreCache`.
    """
    features = feature_cache_for(cache, model, preprocessing)
    if features is None:
        return None
    return ScoreCache(features, _sha256(features.context + record_digest(model).encode()), make, sketches)


def _record(value: bytes, path: Path | str) -> ImageRecord:
    known = json.loads(value)
    interval = known["interval"]
    warnings, at_full_size, remarks = _seen(known)
    return ImageRecord(
        str(path),
        **{name: known[name] for name in _KEPT},
        interval=None if interval is None else (interval[0], interval[1]),
        defects=known["defects"],
        warnings=warnings,
        familiar=known["familiar"],
        at_full_size=at_full_size,
        remarks=remarks,
        sketch=None if known.get("sketch") is None else base64.b64decode(known["sketch"]),
    )


def _seen(noted: Mapping[str, Any]) -> tuple[tuple[str, ...], AtFullSize | None, tuple[str, ...]]:
    """Warnings, faults at 100 % and remarks."""
    look = None if noted[AT_FULL_SIZE] is None else AtFullSize.from_json(noted[AT_FULL_SIZE])
    return tuple(noted["warnings"]), look, tuple(noted["remarks"])


def _value(record: ImageRecord) -> bytes:
    whole = record.to_json()
    known = {name: whole[name] for name in (*_KEPT, "interval", "defects", "warnings", AT_FULL_SIZE, "remarks")}
    known["familiar"] = record.familiar
    if record.sketch is not None:
        known["sketch"] = base64.b64encode(record.sketch).decode()
    # JSON's numbers are written so that they are read back exactly.
    return json.dumps(known).encode()


def _key(context: bytes, content: bytes) -> bytes:
    return _sha256(context + content)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
