"""`shamisa doctor`."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest
from helpers.program import Program

from shamisa_cli.core import installation
from shamisa_cli.core.images import kinds


def test_it_names_versions_extras_runtimes_and_formats(shamisa: Program) -> None:
    done = shamisa("doctor", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["packages"]["numpy"] == version("numpy")
    assert found["extras"]["parquet"]
    assert set(found["runtimes"]) == {"onnx", "torch"}
    assert {".jpg", ".png", ".webp"} <= set(found["formats"])
    assert not set(found["formats"]) & set(found["missing_formats"])


def test_people_read_the_same(shamisa: Program) -> None:
    done = shamisa("doctor")
    assert done.returncode == 0
    assert version("onnxruntime") in done.stdout
    assert ".jpg" in done.stdout


def test_what_is_not_installed_is_named_with_its_extra(shamisa: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda _name: None)
    monkeypatch.setattr(kinds, "find_spec", lambda _name: None)
    kinds.readable_suffixes.cache_clear()
    try:
        said = shamisa("doctor").stdout
    finally:
        kinds.readable_suffixes.cache_clear()
    assert "pip install 'shamisa[train]'" in said
    assert "cannot read" in said
    assert ".jxl" in said


def test_a_missing_base_package_is_an_error(shamisa: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "BASE", ("numpy", "no-such-package-at-all"))
    done = shamisa("doctor")
    assert done.returncode == 2
    assert "no-such-package-at-all is missing" in done.stderr
