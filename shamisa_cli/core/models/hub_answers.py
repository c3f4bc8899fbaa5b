"""Bounds on what a Hub may answer: a mirror named by HF_ENDPOINT decides neither where files go nor how much is read.

The client puts a commit and the hash of a file, as it was answered them, into paths of its cache.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shamisa_cli.core.errors import PARSE_ERRORS, ModelError

MOST_BYTES = 10_000_000
"""Of an answer about a repository; that about a model takes some kilobytes."""
MOST_COMPRESSED_BYTES = 200_000
"""Likewise for a compressed answer, which grows a thousand times at most."""
MOST_SECONDS = 60
"""For an answer about a repository, however steadily it comes."""
MOST_FILE_BYTES = 4_000_000_000

_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=:-]{0,199}", re.ASCII)
_PLACE_HEADERS = ("X-Repo-Commit", "X-Linked-ETag", "ETag")
_PLACE_KEYS = ("sha", "oid", "sha256")


@contextmanager
def bounded_answers() -> Iterator[None]:
    """Context in which the client's answers are bounded. Raises ModelError about the first one that is not."""
    from huggingface_hub import get_session

    session = get_session()
    before = session.event_hooks
    session.event_hooks = {**before, "response": [*before.get("response", []), _check]}
    try:
        yield
    finally:
        session.event_hooks = before


def _check(response: Any) -> None:
    """Bound an answer that begins, and refuse names in it that are no single name in a folder."""
    if response.request.method == "HEAD":
        for header in _PLACE_HEADERS:
            _require_place(response, response.headers.get(header, "").removeprefix("W/").strip('"'))
        return
    if not response.request.url.path.startswith("/api/"):
        _bound(response, MOST_FILE_BYTES, seconds=None)
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


def _bound(response: Any, most_bytes: int, seconds: float | None) -> None:
    """Let a body that is too long, or takes too long, raise ModelError while it is read."""
    stream, host, begin = response.stream, response.request.url.host, time.monotonic()
    transport: Any = sys.modules[type(response).__module__.partition(".")[0]]  # httpx, or its successor

    class Bounded(transport.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            length = 0
            for piece in stream:
                length += len(piece)
                if length > most_bytes or (seconds is not None and time.monotonic() - begin > seconds):
                    raise ModelError(
                        f"{host} gives an answer that is too long or too slow for a model. Check HF_ENDPOINT."
                    )
                yield piece

        def close(self) -> None:
            stream.close()

    response.stream = Bounded()
