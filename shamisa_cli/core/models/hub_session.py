"""Bounds on requests of the Hub's client, for the calls of this library alone.

The client has one session for the whole process, and other threads ask the Hub for their own things meanwhile.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shamisa_cli.core.models.hub_answers import Answers
from shamisa_cli.core.process_state import WarningsHere, WhileInside

PATIENCE_VARIABLE = "HF_HUB_DOWNLOAD_TIMEOUT"
"""The client's environment variable for its time limits, in seconds; it takes precedence over ours."""

_PHASES = ("connect", "read", "write", "pool")
_LOGGER = "huggingface_hub"


class Call:
    """One download or upload.

    Args:
        seconds: the longest that a request may wait for a response.

    Attributes:
        answers: those of the Hub so far, held against their bounds.
    """

    def __init__(self, seconds: float) -> None:
        from huggingface_hub import constants

        self._seconds = constants.HF_HUB_DOWNLOAD_TIMEOUT if os.environ.get(PATIENCE_VARIABLE) else seconds
        self.answers = Answers()

    def shorten(self, request: Any) -> None:
        """Bound the time of a request.

        The client sends some without a time limit, and repeats others with a limit of a minute, so a server that
        accepts connections but never answers would block it for many minutes or forever.
        """
        given = request.extensions.get("timeout", {})
        most = self._seconds
        limits = {phase: most if given.get(phase) is None else min(most, given[phase]) for phase in _PHASES}
        request.extensions["timeout"] = limits

    def bars(self) -> type[Any]:
        """The class of the client's bars, drawn on a terminal alone, by which its workers join the call.

        The pools that the client makes begin each thread with the `set_lock` of this class.
        """
        from huggingface_hub.utils.tqdm import tqdm

        class Bars(tqdm):
            def __init__(bar, *args: Any, **settings: Any) -> None:  # noqa: N805
                super().__init__(*args, **{**settings, "disable": settings.get("disable") or None})  # type: ignore[no-untyped-call]

            @classmethod
            def set_lock(cls, lock: Any) -> None:
                _thread.call = self
                super().set_lock(lock)

        return Bars


_thread = threading.local()


def _current() -> Call | None:
    """The call that this thread works for."""
    return getattr(_thread, "call", None)


@contextmanager
def bounded(seconds: float) -> Iterator[Call]:
    """Context in which this thread's requests are bounded in time, and their answers in length and number.

    Raises ModelError about the first answer that is not. The client says nothing itself meanwhile: of failures that it
    repeats, and of a disk too small for a claim.
    """
    call = Call(seconds)
    before = _current()
    _thread.call = call
    try:
        with _client, _warnings:
            yield call
    finally:
        _thread.call = before


def _begin(request: Any) -> None:
    if call := _current():
        call.shorten(request)


def _check(response: Any) -> None:
    if call := _current():
        call.answers.check(response)


_HOOKS = {"request": _begin, "response": _check}


class _OffHere:
    """The value of the client's switch HF_HUB_DISABLE_XET: set for calls of this library, as it was for others.

    Downloads from the Xet store go past the session, and so past all bounds.
    """

    def __init__(self, otherwise: bool) -> None:
        self.otherwise = otherwise

    def __bool__(self) -> bool:
        return self.otherwise or _current() is not None


def _is_told(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or _current() is None


class _Client(WhileInside):
    """The client with hooks in its session."""

    def __init__(self) -> None:
        super().__init__()
        self._sessions: list[Any] = []

    def put(self) -> None:
        from huggingface_hub import constants, get_session

        session = get_session()  # the client makes a new one where a connection failed
        if not any(session is each for each in self._sessions):
            self._sessions.append(session)
            hooks = session.event_hooks
            session.event_hooks = {**hooks, **{at: [*hooks.get(at, []), hook] for at, hook in _HOOKS.items()}}
        if not isinstance(constants.HF_HUB_DISABLE_XET, _OffHere):
            constants.HF_HUB_DISABLE_XET = _OffHere(bool(constants.HF_HUB_DISABLE_XET))  # type: ignore[assignment]
        for handler in logging.getLogger(_LOGGER).handlers:
            handler.addFilter(_is_told)

    def take_back(self) -> None:
        from huggingface_hub import constants

        while self._sessions:
            session = self._sessions.pop()
            hooks = session.event_hooks
            session.event_hooks = {at: [each for each in hooks[at] if each is not _HOOKS.get(at)] for at in hooks}
        if isinstance(constants.HF_HUB_DISABLE_XET, _OffHere):
            constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET.otherwise
        for handler in logging.getLogger(_LOGGER).handlers:
            handler.removeFilter(_is_told)


_client = _Client()
_warnings = WarningsHere("ignore", Warning, r"huggingface_hub(\..*)?", lambda: _current() is not None)
