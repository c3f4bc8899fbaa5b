"""What `score` prints: less on request, and always one line about the run."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from helpers.program import Program

from shamisa_cli.cli.run_tally import duration


@pytest.fixture
def scores(shamisa: Program, tiny_model: Path, photos: Path) -> dict[str, float]:
    ran = shamisa("score", photos, "--model", tiny_model, "-f", "json")
    return {image["path"]: image["score"] for image in json.loads(ran.stdout)["images"]}


def paths(text: str) -> list[str]:
    return [row["path"] for row in csv.DictReader(io.StringIO(text))]


def test_the_best_the_worst_and_a_limit(
    shamisa: Program, tiny_model: Path, photos: Path, scores: dict[str, float]
) -> None:
    ordered = sorted(scores, key=lambda path: scores[path])
    command = ("score", photos, "--model", tiny_model, "-f", "csv")
    assert set(paths(shamisa(*command, "--top", "1").stdout)) == {ordered[-1]}
    assert set(paths(shamisa(*command, "--bottom", "2").stdout)) == set(ordered[:2])
    limit = repr(scores[ordered[1]])
    assert set(paths(shamisa(*command, "--below", limit).stdout)) == set(ordered[:1])
    assert set(paths(shamisa(*command, "--above", limit).stdout)) == set(ordered[1:])
    document = json.loads(shamisa("score", photos, "--model", tiny_model, "-f", "json", "--top", "1").stdout)
    assert len(document["images"]) == 1
    assert document["summary"]["count"] == 4


def test_the_gate_judges_also_what_is_not_shown(
    shamisa: Program, tiny_model: Path, photos: Path, scores: dict[str, float]
) -> None:
    limit = repr(max(scores.values()))
    ran = shamisa("score", photos, "--model", tiny_model, "--top", "1", "--min-score", limit)
    assert ran.returncode == 1


def test_every_run_ends_with_a_line_that_says_what_was_done_and_where_it_is(
    shamisa: Program, tiny_model: Path, photos: Path, tmp_path: Path
) -> None:
    (photos / "torn.jpg").write_bytes(b"")
    caching = ("--cache", "--cache-dir", tmp_path / "cache")
    output, page = tmp_path / "scores.csv", tmp_path / "page.html"
    ran = shamisa("score", photos, "--model", tiny_model, "-o", output, "--html", page, *caching)
    assert ran.stdout == ""
    last = ran.stderr.splitlines()[-1]
    assert re.fullmatch(
        rf"4 of 5 pictures scored \(1 unreadable\) in [\d.]+ s; results in {output}, report in {page}\.", last
    )
    again = shamisa("score", photos, "--model", tiny_model, *caching)
    assert re.fullmatch(
        r"4 of 5 pictures scored \(1 unreadable, 4 from the cache\) in [\d.]+ s\.", again.stderr.splitlines()[-1]
    )


def test_quiet_prints_results_that_were_asked_for_and_else_only_what_could_not_be_read(
    shamisa: Program, tiny_model: Path, photos: Path
) -> None:
    (photos / "torn.jpg").write_bytes(b"")
    ran = shamisa("score", photos, "--model", tiny_model, "--quiet")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr == f"warning: {photos / 'torn.jpg'} is empty (0 bytes). Copy or download it again.\n"
    ran = shamisa("score", photos, "--model", tiny_model, "-q", "-f", "jsonl")
    assert (len(ran.stdout.splitlines()), ran.stderr) == (5, "")


@pytest.mark.parametrize("name", ["scores.xlsx", "scores.tsv", "scores.jsn"])
def test_a_suffix_no_format_has_is_an_error_that_lists_those_known(
    shamisa: Program, tiny_model: Path, photos: Path, tmp_path: Path, name: str
) -> None:
    ran = shamisa("score", photos, "--model", tiny_model, "-o", tmp_path / name)
    assert ran.returncode == 2
    assert name in ran.stderr
    assert ".csv" in ran.stderr
    assert ".parquet" in ran.stderr
    assert not (tmp_path / name).exists()
    assert shamisa("score", photos, "--model", tiny_model, "-o", tmp_path / name, "-f", "csv").returncode == 0


def test_groups_are_in_every_format(shamisa: Program, tiny_model: Path, photos: Path) -> None:
    command = ("score", photos, photos / "0.jpg", "--model", tiny_model, "--groups", "--similarity", "0")
    assert "★" in shamisa(*command).stdout
    rows = list(csv.DictReader(io.StringIO(shamisa(*command, "-f", "csv").stdout)))
    assert {row["group"] for row in rows} == {"1"}
    assert sorted(row["best_of_group"] for row in rows) == ["0", "0", "0", "1"]
    images = json.loads(shamisa(*command, "-f", "json").stdout)["images"]
    assert {image["group"]["size"] for image in images} == {4}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (42.4, "42 s"), (125, "2 min 5 s"), (7_260, "121 min 0 s")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
