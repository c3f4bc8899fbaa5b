"""What a file is called computes nothing in a spreadsheet, steers no terminal and commands no CI runner."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa
from hypothesis import given
from hypothesis import strategies as st

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.output import FORMULA_STARTS, CsvTable, write_json, write_json_line
from shamisa_cli.cli.reporters.github import GITHUB
from shamisa_cli.core import errors
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.records import ErrorRecord, ImageRecord, ModelIdentity, Run
from shamisa_cli.core.scoring.gate import Gate, apply_gate
from shamisa_cli.core.steering import steers

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
    """Take away the apostrophes as the documentation says."""
    cell = re.sub(r"##'('*\[)", r"##\1", cell)
    cell = re.sub(r"([\n\r]\s*)'('*::)", r"\1\2", cell)
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA_STARTS) else cell


ODD_TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.sampled_from("#['\n\r :=a"))


@given(st.lists(ODD_TEXT, min_size=1, max_size=4))
def test_csv_has_no_formula_and_reads_as_written(cells: list[str]) -> None:
    stream = io.StringIO(newline="")
    CsvTable(stream).writerow(cells)
    text = stream.getvalue()
    assert not re.search(r"##\[|[\n\r]\s*::", text)
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
        assert "##[" not in line
        assert form == "csv" or "\x9b" not in line


@pytest.mark.parametrize("name", ["##[error]x.jpg", "a\n::error::x.jpg", "a\rx.jpg"])
def test_a_list_of_lines_has_no_name_that_breaks_it(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    save_noise(tmp_path / "p", [(64, 64)])[0].rename(tmp_path / "p" / name)
    monkeypatch.chdir(tmp_path / "p")
    run = ("cull", ".", "--keep-best", "100", "--list", "kept", "--model", tiny_model)
    done = shamisa(*run)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "--print0" in done.stderr
    assert shamisa(*run, "--print0").stdout.removesuffix("\0").replace("\r", "\n") == name.replace("\r", "\n")


def test_annotations_hold_nothing_that_steers() -> None:
    name = "a\x1b[2J##[x\u202ey\n%,:z.jpg"
    error = ErrorRecord("missing", "a\x1b##[x is gone.")
    (record,) = apply_gate((each for each in [ImageRecord(name, status="error", error=error)]), Gate(min_score=40.0))
    stream = io.StringIO()
    GITHUB.write([record], Run(ModelIdentity("m", "r", {}), gated=True), stream)
    assert "\x1b" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()
    assert "##[" not in stream.getvalue()
    # The runner decodes percent signs, line breaks, colons and commas; the rest are the escapes of every format.
    assert r"file=a\x1b[2J#\x23[x\u202ey%0A%25%2C%3Az.jpg,title=" in stream.getvalue()


def test_texts_of_a_model_or_a_name_steer_no_terminal_through_the_errors_of_a_python_program(tmp_path: Path) -> None:
    evil = "\x1b]0;evil\x07 \x9b31m \u202e \x00"
    (tmp_path / "config.json").write_text(json.dumps({"schema": 1, "files": {evil: "0" * 64}, evil: evil}))
    with pytest.raises(errors.ModelError) as damaged:
        load_model(str(tmp_path))
    for error in (damaged.value, errors.ShamisaError(evil), errors.ImageError(evil, "missing", evil)):
        assert not any(map(steers, str(error)))
