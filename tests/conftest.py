"""What every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

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
