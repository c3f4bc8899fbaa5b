"""Bounds on what a Hub may answer: a mirror named by HF_ENDPOINT decides neither where files go nor how much is read.

The client puts a commit and the hash of a file, as it was answered them, into paths of its cache.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shamisa_cli.core.errors import PARSE_ERRORS, ModelError
from shamisa_cli.core.models.manifest import MAX_MANIFEST_BYTES, MAX_WEIGHTS_BYTES

MOST_BYTES = 10_000_000
"""Of an answer about a repository; that about a model takes some kilobytes."""
MOST_COMPRESSED_BYTES = 200_000
"""Likewise for a compressed answer, which grows a thousand times at most."""
MOST_SECONDS = 60
"""For an answer about a repository, however steadily it comes."""
MOST_ANSWERS = 100
"""About a repository: a listing comes in pages."""
MOST_FAILURES = 3
"""Answers that the Hub is out of order or busy, after which no more is asked; the client itself waits half a minute."""

_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=:-]{0,199}", re.ASCII)
_PLACE_HEADERS = ("X-Repo-Commit", "X-Linked-ETag", "ETag")
_PLACE_KEYS = ("sha", "oid", "sha256")
_WAIT_HEADERS = ("Retry-After", "RateLimit")
"""How long a client should wait, which may be said to be a year; without them it waits some seconds."""
_REFUSED, _OUT_OF_ORDER, _BUSY = 400, 500, 429
_ABOUT_REPOSITORIES = "/api/"
_WEIGHTS = (".safetensors", ".onnx")


@dataclass
class Answers:
    """The answers of a Hub to one call.

    Attributes:
        reached: whether one of them was no failure.
        status: of the last one; None: there was none.
    """

    reached: bool = False
    status: int | None = None
    _count: int = 0
    _failures: int = 0
    _limits: dict[str, int] = field(default_factory=dict)
    """Bytes of the file at an address that an earlier answer gave."""

    def check(self, response: Any) -> None:
        """Bound an answer that begins. Raises ModelError if it is not about a model."""
        self.status = response.status_code
        self.reached |= response.status_code < _REFUSED
        self._stop_when_enough(response)
        _check(response, self._limit_of_file(response))

    def _stop_when_enough(self, response: Any) -> None:
        """Raise where the Hub failed too often (the client's error), or answers without an end (ModelError)."""
        from huggingface_hub import utils

        for header in _WAIT_HEADERS:
            response.headers.pop(header, None)
        self._failures += response.status_code == _BUSY or response.status_code >= _OUT_OF_ORDER
        if self._failures >= MOST_FAILURES:
            utils.hf_raise_for_status(response)  # type: ignore[attr-defined]
        self._count += response.request.url.path.startswith(_ABOUT_REPOSITORIES)
        if self._count > MOST_ANSWERS:
            raise _too_long(response)

    def _limit_of_file(self, response: Any) -> int:
        """Bytes of the file asked for, by its name; where it lies elsewhere, by the name it was asked for first."""
        url = response.request.url
        by_name = MAX_WEIGHTS_BYTES if url.path.endswith(_WEIGHTS) else MAX_MANIFEST_BYTES
        most = self._limits.get(_address(url), by_name)
        if location := response.headers.get("Location"):
            elsewhere = _address(url.join(location))
            self._limits[elsewhere] = min(most, self._limits.get(elsewhere, most))
        return most


def _check(response: Any, most: int) -> None:
    """Bound an answer that begins, and refuse names in it that are no single name in a folder."""
    path = response.request.url.path
    if response.request.method == "HEAD":
        for header in _PLACE_HEADERS:
            _require_place(response, response.headers.get(header, "").removeprefix("W/").strip('"'))
        return
    if not path.startswith(_ABOUT_REPOSITORIES):
        _bound(response, most, MOST_SECONDS if most == MAX_MANIFEST_BYTES else None)
        return
    compressed = response.headers.get("Content-Encoding", "identity") != "identity"
    _bound(response, MOST_COMPRESSED_BYTES if compressed else MOST_BYTES, MOST_SECONDS)
    response.read()
    try:
        document = json.loads(response.content)
    except PARSE_ERRORS:
        return  # the client says what is wrong
    for place in _places(document):
        _require_place(response, place)


def _address(url: Any) -> str:
    return str(url).partition("#")[0]


def _require_place(response: Any, place: str) -> None:
    if place and _PLACE.fullmatch(place) is None:
        raise ModelError(
            f"{response.request.url.host} answered with {place[:60]!r} in place of a hash, which could lead out of the "
            "cache, so nothing was downloaded. Check HF_ENDPOINT."
        )


def _places(document: Any) -> Iterator[str]:
    """All texts in a JSON document that the client takes for a hash."""
    open_parts = [document]
    while open_parts:
        part = open_parts.pop()
        if isinstance(part, dict):
            yield from (value for key, value in part.items() if key in _PLACE_KEYS and isinstance(value, str))
        if isinstance(part, dict | list):
            open_parts += part.values() if isinstance(part, dict) else part


def _too_long(response: Any) -> ModelError:
    host = response.request.url.host
    return ModelError(f"{host} gives an answer that is too long or too slow for a model. Check HF_ENDPOINT.")


def _bound(response: Any, most_bytes: int, seconds: float | None) -> None:
    """Let a body that is too long, or takes too long, raise ModelError while it is read."""
    stream, begin = response.stream, time.monotonic()
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > most_bytes:
        raise _too_long(response)
    transport: Any = sys.modules[type(response).__module__.partition(".")[0]]  # httpx, or its successor

    class Bounded(transport.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            length = 0
            for piece in stream:
                length += len(piece)
                if length > most_bytes or (seconds is not None and time.monotonic() - begin > seconds):
                    raise _too_long(response)
                yield piece

        def close(self) -> None:
            stream.close()

    response.stream = Bounded()
