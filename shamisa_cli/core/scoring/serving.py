"""Scores on request, one image at a time: JSON lines in, and JSON lines out in the same order."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Queue
from typing import Any, BinaryIO, NoReturn

from shamisa_cli.core.atomic import naming
from shamisa_cli.core.errors import PARSE_ERRORS
from shamisa_cli.core.images.discovery import NO_ADDRESS, is_address
from shamisa_cli.core.records import BAD_REQUEST, ErrorRecord, ImageRecord
from shamisa_cli.core.scoring.scorer import FileScorer, ReadFile

LONGEST_LINE = 1_000_000
"""Longest line in bytes, ten times the longest path of any system."""


@dataclass(frozen=True)
class Request:
    """One line of input.

    Attributes:
        id: any JSON value, which the answer repeats.
        path: the image; None if the line is invalid.
        name: the path as it was asked for, which the answer repeats.
        error: why the line is invalid; None otherwise.
    """

    id: Any = None
    path: Path | None = None
    error: str | None = None
    name: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    Attributes:
        id: the request's.
        record: the picture's, under the path that was asked for; without a path where none was asked for.
    """

    id: Any
    record: ImageRecord

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {**self.record.to_json(), "path": self.record.path or None, "id": self.id}


Write = Callable[[Answer], None]
_Looking = Future[ReadFile[ImageRecord]]


def read_requests(stream: BinaryIO) -> Iterator[Request]:
    """Yield the requests on a stream, to its end; a line that is too long is skipped and never held in memory."""
    while line := _line(stream, LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = _line(stream, LONGEST_LINE)
            yield Request(error=f"The request is longer than {LONGEST_LINE:,} bytes.")
        elif line.strip():
            yield parse_request(line)


def _line(stream: BinaryIO, most: int) -> bytes:
    with naming("the stream of requests"):
        return stream.readline(most)


def parse_request(line: bytes) -> Request:
    """Parse one line of input. Never raises for a bad line: the request holds the error."""
    try:
        asked = json.loads(line, parse_constant=_no_json, parse_float=_finite)
    except PARSE_ERRORS as error:
        return Request(error=f"The request is not valid JSON ({str(error) or 'too deeply nested'}).")
    if not isinstance(asked, dict):
        return Request(error='The request is not a JSON object; it must be like {"path": "a.jpg", "id": 1}.')
    name = asked.get("path")
    if not isinstance(name, str) or not name:
        return Request(asked.get("id"), error="'path' is missing, or is not text; it must name a picture.")
    if is_address(name):
        return Request(asked.get("id"), error=NO_ADDRESS.format(name), name=name)
    return Request(asked.get("id"), Path(name), name=name)


def serve(requests: Iterable[Request], scorer: FileScorer[ImageRecord], write: Write, *, jobs: int) -> None:
    """Answer each request with a record and the request's id, in the order of the requests, as soon as possible.

    Args:
        requests: may be infinite. If iterating over it raises, the server ends once earlier requests are answered.
        scorer: scores the images; see `file_scorer`.
        write: called in another thread, one answer at a time; what it raises ends the server, and is raised here.
        jobs: images that are processed at once; a few more wait.
    """
    waiting: Queue[tuple[Request, _Looking | None] | None] = Queue(2 * jobs + 2)
    failures: list[BaseException] = []
    writer = threading.Thread(target=_answer_all, args=(waiting, scorer, write, failures), name="answer")
    with ThreadPoolExecutor(jobs, thread_name_prefix="read") as threads:
        writer.start()
        try:
            for request in requests:
                looking = None if request.path is None else threads.submit(scorer.read, request.path)
                waiting.put((request, looking))
                if failures:
                    break
        finally:
            waiting.put(None)
            writer.join()
    if failures:
        raise failures[0]


def _answer_all(
    waiting: Queue[tuple[Request, _Looking | None] | None],
    scorer: FileScorer[ImageRecord],
    write: Write,
    failures: list[BaseException],
) -> None:
    while (next_one := waiting.get()) is not None:
        if failures:
            continue  # a client must not wait for space in the queue
        try:
            _write_one(_answer(*next_one, scorer), write)
        except BaseException as error:
            failures.append(error)


def _write_one(answer: Answer, write: Write) -> None:
    """Write an answer, or that it cannot be written; raises what `write` raises where that cannot be written either."""
    try:
        write(answer)
    except ValueError as error:  # before a byte of the answer was written
        record = ImageRecord("", status="error", error=ErrorRecord(BAD_REQUEST, f"It cannot be answered: {error}."))
        write(Answer(None, record))


def _answer(request: Request, looking: _Looking | None, scorer: FileScorer[ImageRecord]) -> Answer:
    if request.path is None or looking is None:
        record = ImageRecord(request.name, status="error", error=ErrorRecord(BAD_REQUEST, request.error or ""))
        return Answer(request.id, record)
    record, _ = scorer.complete(request.path, looking)
    return Answer(request.id, replace(record, path=request.name))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is larger than any number of 64 bits")
    return number


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")
