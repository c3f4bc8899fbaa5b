"""The reference of the Python API is that which its docstrings would make today."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import shamisa_cli

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "api" / "make.py"

pytestmark = pytest.mark.slow  # reads every public name, PyTorch's included


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """The script that writes the page; it comes with a checkout and not with the package."""
    if not SCRIPT.is_file():
        pytest.skip("the documentation is not beside these tests")
    spec = importlib.util.spec_from_file_location("make_api_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(make: ModuleType) -> None:
    assert SCRIPT.with_name("README.md").read_text(encoding="utf-8") == make.page(), "run: python docs/api/make.py"


def test_every_public_name_has_an_entry_with_a_text(make: ModuleType) -> None:
    entries = dict(part.split("`\n", 1) for part in make.page().split("\n### `")[1:])
    assert set(entries) == set(shamisa_cli.__all__) - {"__version__"}
    for name, entry in entries.items():
        said = entry.partition("```\n\n")[2] or entry
        assert len(said.split()) >= 3, name
