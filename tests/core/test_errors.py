"""Errors go where exceptions go: they are copied, stored, and raised again in another process."""

from __future__ import annotations

import copy
import inspect
import pickle
from pathlib import Path

import pytest

from shamisa_cli.core import errors
from shamisa_cli.core.errors import ImageError, ShamisaError

KINDS = [
    kind for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, ShamisaError) and kind is not ImageError
]  # fmt: skip
ERRORS: list[ShamisaError] = [
    *(kind("It is so.", remedy="device", value="cuda") for kind in KINDS),
    ImageError(Path("a.jpg"), "truncated", "a.jpg is damaged."),
    ImageError("http://store/a.jpg", "empty", "It is empty."),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("sent", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_that_is_copied_or_sent_to_another_process_says_the_same(error: ShamisaError, sent) -> None:  # type: ignore[no-untyped-def]
    again = sent(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
