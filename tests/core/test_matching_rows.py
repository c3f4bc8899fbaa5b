"""Finding the stored features of the pictures in a table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.fitting.stored import match_rows


def test_pictures_are_found_whatever_way_they_were_named(tmp_path):
    wanted = [tmp_path / "set" / "a.jpg", tmp_path / "set" / "b.jpg"]
    known = ["set/../set/b.jpg", str(tmp_path / "other.jpg"), str(tmp_path / "set" / "a.jpg")]
    assert match_rows(wanted, known, [tmp_path]).tolist() == [2, 0]


def test_names_relative_to_the_table_are_found_from_elsewhere(tmp_path):
    wanted = [tmp_path / "set" / "a.jpg", tmp_path / "set" / "b.jpg"]
    assert match_rows(wanted, ["b.jpg", "a.jpg"], [tmp_path, tmp_path / "set"]).tolist() == [1, 0]


def test_pictures_without_features_are_named(tmp_path):
    wanted = [tmp_path / f"{number}.jpg" for number in range(4)]
    with pytest.raises(SettingError, match=r"1\.jpg and 2 more"):
        match_rows(wanted, ["0.jpg"], [tmp_path])


@pytest.mark.skipif(os.name != "posix", reason="such names exist on POSIX systems only")
def test_a_name_that_is_not_unicode_is_found_by_the_escapes_it_is_stored_with(tmp_path):
    wanted = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    stored = str(wanted).encode("utf-8", "backslashreplace").decode()
    assert match_rows([wanted], [stored], [tmp_path]).tolist() == [0]
