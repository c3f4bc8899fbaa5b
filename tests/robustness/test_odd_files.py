"""What a decoder warned of is said by every command that goes by the picture, in every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa

from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.scoring.score_table import read_scores

ODD = "lacks its end marker; no pixel is missing"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photographs, of which odd.jpg is cut at its end and is read all the same."""
    photos = save_noise(tmp_path / "photos", [(320, 240)] * 3, blur=0.5)
    odd = photos[1].rename(tmp_path / "photos/odd.jpg")
    odd.write_bytes(odd.read_bytes().removesuffix(b"\xff\xd9"))
    assert decode(odd).warnings == (ODD,)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sentence(path: str = "photos/odd.jpg") -> str:
    return f"{path} {ODD}"


@pytest.mark.parametrize("format", ["text", "json", "jsonl", "csv", "github", "junit", "sarif"])
@pytest.mark.parametrize("to_file", [False, True])
def test_every_format_of_score_says_that_a_file_is_odd(
    tiny_model: Path, place: Path, format: str, to_file: bool
) -> None:
    typed = ["score", "photos", "--model", tiny_model, "-f", format]
    done = shamisa(*typed, *(["-o", "out"] if to_file else []))
    said = (place / "out").read_text() if to_file else done.stdout
    assert done.returncode == 0
    assert said.count(ODD) == 1


def test_a_table_of_scores_has_its_warnings_in_the_last_column_and_is_read_back(tiny_model: Path, place: Path) -> None:
    for further in ([], ["--groups"]):
        rows = list(csv.DictReader(io.StringIO(
            shamisa("score", "photos", "--model", tiny_model, "-f", "csv", *further).stdout
        )))  # fmt: skip
        assert list(rows[0])[-1] == "warnings"
        assert {row["path"]: row["warnings"] for row in rows}["photos/odd.jpg"] == ODD
        assert sum(bool(row["warnings"]) for row in rows) == 1
    done = shamisa("score", "photos", "--model", tiny_model, "-o", "scores.parquet")
    assert done.returncode == 0, done.stderr
    assert [record.warnings for record in read_scores(place / "scores.parquet")] == [(), (), (ODD,)]


def test_a_table_of_an_earlier_version_is_still_read(tiny_model: Path, place: Path) -> None:
    from pyarrow import parquet

    shamisa("score", "photos", "--model", tiny_model, "-o", "scores.parquet")
    parquet.write_table(parquet.read_table("scores.parquet").drop_columns(["warnings"]), "early.parquet")
    assert [record.warnings for record in read_scores(place / "early.parquet")] == [(), (), ()]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "further",
    [
        ["-f", "text"],
        ["-f", "csv"],
        ["-f", "json"],
        ["-o", "decisions.csv"],
        ["-o", "decisions.txt", "--move-to", "rejects", "--apply"],
        ["--list", "kept"],
        ["--list", "rejected", "--print0"],
    ],
    ids=" ".join,
)
def test_a_photographer_who_culls_is_told_of_an_odd_file(tiny_model: Path, further: Sequence[str]) -> None:
    done = shamisa("cull", "photos", "--keep-best", "50%", "--model", tiny_model, *further)
    assert done.returncode == 0, done.stderr
    on_paper = "text" in further
    assert (done.stdout if on_paper else done.stderr).count(sentence()) == 1
    if "--list" in further:
        assert ODD not in done.stdout


def test_compare_tells_of_both_pictures(place: Path) -> None:
    (place / "odd").mkdir()
    (place / "odd/ref.jpg").write_bytes((place / "photos/odd.jpg").read_bytes())
    for format in ("text", "json", "jsonl", "csv", "html", "github", "junit", "sarif"):
        done = shamisa("compare", "odd/ref.jpg", "photos/odd.jpg", "photos/0.jpg", "-f", format)
        assert done.returncode == 0, done.stderr
        assert "odd/ref.jpg" in done.stdout
        once = format == "text"  # the reference is named once, and else in each comparison
        assert done.stdout.count(ODD) == (2 if once else 3), format
    row = next(csv.DictReader(io.StringIO(shamisa("compare", "odd/ref.jpg", "photos/0.jpg", "-f", "csv").stdout)))
    assert list(row)[-2:] == ["warnings", "reference_warnings"]
    assert (row["warnings"], row["reference_warnings"]) == ("", ODD)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("format", ["text", "json", "csv"])
def test_a_ladder_tells_of_its_picture(format: str) -> None:
    done = shamisa("compare", "photos/odd.jpg", "--ladder", "jpeg", "-f", format)
    assert done.stderr.count(sentence()) == 1


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("format", ["text", "json", "jsonl", "csv"])
def test_rank_tells_of_an_odd_file(format: str) -> None:
    done = shamisa("rank", "photos", "-f", format)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(ODD) == 1


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("output", ["x.npz", "x.parquet", "x.safetensors"])
def test_embed_tells_of_an_odd_file(tiny_model: Path, output: str) -> None:
    done = shamisa("embed", "photos", "-o", output, "--model", tiny_model)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(sentence()) == 1


def test_ci_shows_an_odd_file_and_fails_nothing(tiny_model: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place / "summary.md"))
    done = shamisa("score", "photos", "--model", tiny_model, "-f", "github", "--min-score", "0")
    assert done.returncode == 0
    notice = next(line for line in done.stdout.splitlines() if ODD in line)
    assert notice.startswith("::notice file=")
    assert ODD in (place / "summary.md").read_text()
    junit = shamisa("score", "photos", "--model", tiny_model, "-f", "junit", "--min-score", "0").stdout
    assert sentence() in (ElementTree.fromstring(junit).findtext(".//system-out") or "")
    sarif = json.loads(shamisa("score", "photos", "--model", tiny_model, "-f", "sarif", "--min-score", "0").stdout)
    (run,) = sarif["runs"]
    assert run["results"] == []
    (noted,) = run["invocations"][0]["toolExecutionNotifications"]
    assert noted["message"]["text"] == sentence()


def test_odd_files_are_named_up_to_a_limit_and_a_quiet_run_names_none(tiny_model: Path, place: Path) -> None:
    for number in range(25):
        (place / f"photos/odd{number}.jpg").write_bytes((place / "photos/odd.jpg").read_bytes())
    done = shamisa("cull", "photos", "--keep-best", "50%", "--list", "kept", "--model", tiny_model)
    assert done.stderr.count(ODD) == 20
    assert "6 more pictures have odd files." in done.stderr
    done = shamisa("cull", "photos", "--keep-best", "50%", "--list", "kept", "--quiet", "--model", tiny_model)
    assert ODD not in done.stderr
