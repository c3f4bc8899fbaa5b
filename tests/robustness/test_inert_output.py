"""What a file is called computes nothing in a spreadsheet, steers no terminal and commands no CI runner."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa
from hypothesis import given
from hypothesis import strategies as st

from shamisa_cli.cli.console import printable, steers
from shamisa_cli.cli.output import FORMULA_STARTS, CsvTable, write_json, write_json_line

NAMES = [
    "=1+1.jpg",
    "+1.jpg",
    "-1.jpg",
    "@SUM.jpg",
    "\tx.jpg",
    "::error::x.jpg",
    "##[error]x.jpg",
    "a\x9b31m.jpg",
    "'=.jpg",
]


def unquoted(cell: str) -> str:
    """Take away the apostrophe as the documentation says."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA_STARTS) else cell


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_csv_has_no_formula_and_reads_as_written(cells: list[str]) -> None:
    stream = io.StringIO(newline="")
    CsvTable(stream).writerow(cells)
    text = stream.getvalue()
    assert not text.lstrip().startswith("::")
    (read,) = csv.reader(io.StringIO(text, newline="")) if cells != [""] else ([""],)
    assert not any(cell.startswith(FORMULA_STARTS) for cell in read)
    assert [unquoted(cell) for cell in read] == cells


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_steers_nothing_and_reads_as_written(text: str) -> None:
    for write in (write_json, write_json_line):
        stream = io.StringIO()
        write({text: [text, "##[" + text]}, stream)
        assert "##[" not in stream.getvalue()
        assert not any(steers(each) for each in stream.getvalue() if each != "\n")
        assert json.loads(stream.getvalue()) == {text: [text, "##[" + text]}


@given(st.text())
def test_text_for_people_is_inert(text: str) -> None:
    for shown in (printable(text), printable("::" + text), printable("##[" + text)):
        assert "##[" not in shown
        assert not shown.startswith("::")
        assert not any(steers(each) for each in shown)


@pytest.mark.parametrize("form", ["text", "csv", "json", "jsonl", "junit", "sarif"])
def test_names_of_pictures_are_inert_in_every_format(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    for path, name in zip(save_noise(tmp_path / "p", [(64, 64)] * len(NAMES)), NAMES, strict=True):
        path.rename(path.with_name(name))
    (tmp_path / "p" / "=broken.jpg").write_text("no picture")
    monkeypatch.chdir(tmp_path / "p")
    done = shamisa("score", *[f"./{name}" for name in NAMES], "=broken.jpg", "--model", tiny_model, "-f", form)
    assert done.returncode == 3, done.stderr
    for line in (done.stdout + done.stderr).splitlines():
        assert not line.lstrip().startswith("::")
        assert form == "csv" or ("##[" not in line and "\x9b" not in line)
