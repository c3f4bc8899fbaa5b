"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_hub import LoopbackHub, serving

os.environ["SHAMISA_CACHE"] = "0"
"""No test finds, or leaves, anything in the cache of whoever runs it; those of the cache have one of their own."""

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def example_photos() -> Path:
    """The folder of example photographs that comes with the project."""
    return REPOSITORY / "examples" / "photos"


@pytest.fixture(scope="session")
def development_data() -> Path:
    """Data sets that lie beside a developer's checkout; a newcomer has none, and the test is skipped."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the development data is not beside this checkout")
    return folder


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    """An empty Hub that listens on loopback while the module's tests run."""
    with serving() as state:
        yield state
