"""shamisa compare and shamisa rank as a person or a script types them."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers.program import ENVIRONMENT
from PIL import Image, ImageFilter

from shamisa_cli.core.groups import GROUPS
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.relational.records import AXES, ENDS

pytestmark = pytest.mark.slow  # every test starts processes that import torch

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """original.png, blurred.jpg and dark.png of 90×70, small.png of 45×35, and broken.png."""
    original = Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8))
    original = original.filter(ImageFilter.GaussianBlur(1))
    original.save(tmp_path / "original.png")
    original.filter(ImageFilter.GaussianBlur(2)).save(tmp_path / "blurred.jpg")
    original.point(lambda level: level // 2).save(tmp_path / "dark.png")
    original.resize((45, 35)).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return tmp_path


@pytest.fixture
def run(shamisa, pictures: Path, relational_folder: Path) -> Run:  # type: ignore[no-untyped-def]
    """Run a command among the pictures with the random model; keywords are environment variables."""

    def started(command: str, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        settings = ENVIRONMENT | {"SHAMISA_RELATIONAL_MODEL": str(relational_folder)} | variables
        return shamisa(command, *arguments, cwd=pictures, env=settings)  # type: ignore[no-any-return]

    return started


def closing_line(text: str) -> str:
    """Of a line that says what was done in how much time, what was done; any other text as it is."""
    line = re.fullmatch(r"(.+) in [\d.]+ s\.\n", text)
    return line[1] if line else text


def test_a_table_and_csv_tell_of_moved_and_of_resampled_versions(run: Run, pictures: Path) -> None:
    with Image.open(pictures / "original.png") as original:
        width, height = original.size
        original.crop((2, 2, width - 2, height - 2)).save(pictures / "cropped.png")
        original.resize((width // 2, height // 2)).save(pictures / "half.png")
    named = ["cropped.png", "half.png", "original.png", "blurred.jpg", "original.png", "blurred.jpg"]
    table = run("compare", "original.png", *named, "--resize").stdout
    assert "aligned: moved or cropped by +2 px across, +2 px down" in table
    assert f"resampled from {width // 2}×{height // 2}" in table
    rows = list(csv.DictReader(io.StringIO(run("compare", "original.png", *named, "--resize", "-f", "csv").stdout)))
    placed = [tuple(row[name] for name in ("shift_right", "shift_down", "resized", "over_white")) for row in rows[:3]]
    assert placed == [("2", "2", "False", "False"), ("", "", "True", "False"), ("", "", "False", "False")]


def test_json_has_everything_and_a_swap_flips_its_signs(run: Run, pictures: Path) -> None:
    forth = run("compare", "original.png", "blurred.jpg", "original.png", "-f", "json")
    back = run("compare", "blurred.jpg", "original.png", "-f", "json")
    assert (forth.returncode, closing_line(forth.stderr)) == (0, "2 pictures compared")
    document = json.loads(forth.stdout)
    assert document["schema"] == 1
    assert set(document["model"]) == {"name", "revision"}
    blurred, same = document["comparisons"]
    assert list(blurred) == [
        "path", "reference", "score", "difference", "direction", "like_jpeg_quality", "groups", "axes", "overall",
        "width", "height", "bytes", "reference_bytes", "saving", "shift", "same_framing", "resized",
        "stretched", "over_white", "status", "error", "warnings", "reference_warnings",
    ]  # fmt: skip
    assert blurred["bytes"] == (pictures / "blurred.jpg").stat().st_size
    assert blurred["saving"] == 1 - blurred["bytes"] / (pictures / "original.png").stat().st_size
    assert (blurred["path"], blurred["reference"]) == ("blurred.jpg", "original.png")
    assert (tuple(blurred["groups"]), tuple(blurred["axes"])) == (GROUPS, AXES)
    assert -100 < blurred["score"] < 100
    assert json.loads(back.stdout)["comparisons"][0]["score"] == -blurred["score"]
    assert (same["score"], same["overall"], set(same["groups"].values())) == (0, 0, {0})
    assert document["summary"]["count"] == 2


def test_one_bad_candidate_stops_nothing_and_exits_3(run: Run) -> None:
    named = ("original.png", "broken.png", "small.png", "dark.png")
    shown = run("compare", *named, "-f", "jsonl")
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert shown.returncode == 3
    assert [row["status"] for row in rows] == ["error", "error", "ok"]
    assert [row["error"] and row["error"]["kind"] for row in rows] == ["not-an-image", "different-size", None]
    assert run("compare", *named, "--skip-unreadable").returncode == 0
    resized = run("compare", "original.png", "small.png", "--resize", "-f", "csv")
    assert resized.returncode == 0
    (row,) = csv.DictReader(io.StringIO(resized.stdout))
    assert (row["width"], row["height"], row["status"]) == ("45", "35", "ok")
    assert set(GROUPS) | set(AXES) | {"score", "overall", "reference"} <= set(row)


def test_the_text_has_a_bar_and_both_directions_for_every_change(run: Run) -> None:
    shown = run("compare", "original.png", "dark.png", COLUMNS="80")
    lines = shown.stdout.splitlines()
    assert "\x1b" not in shown.stdout
    assert max(map(len, lines)) <= 80
    for low, high in ENDS.values():
        (line,) = [line for line in lines if f" {low} " in line and f" {high} " in line]
        assert "┼" in line
        assert line.index(low) < line.index("┼") < line.index(high)
    assert "dark.png  against  original.png" in shown.stdout
    assert "like JPEG quality" in shown.stdout


def test_the_gate_on_the_difference_fails_what_changed_more_whichever_is_better(run: Run) -> None:
    named = ("original.png", "blurred.jpg", "original.png", "-f", "json")
    (blurred, same) = json.loads(run("compare", *named).stdout)["comparisons"]
    strict = run("compare", *named, "--max-difference", str(blurred["difference"] - 0.01))
    assert strict.returncode == 1
    assert [each["status"] for each in json.loads(strict.stdout)["comparisons"]] == ["failed", "ok"]
    assert "above the largest difference" in strict.stderr
    assert run("compare", *named, "--max-difference", str(blurred["difference"])).returncode == 0
    assert same["difference"] == same["direction"] == 0
    assert same["like_jpeg_quality"] == 100


def test_a_known_original_gets_the_benefit_of_the_doubt(run: Run) -> None:
    (dark,) = json.loads(run("compare", "original.png", "dark.png", "--original", "-f", "json").stdout)["comparisons"]
    assert dark["direction"] == -1 or dark["direction"] >= 0.5
    assert dark["score"] == dark["direction"] * dark["difference"]


def test_many_candidates_get_a_line_each_the_worst_first(run: Run, pictures: Path) -> None:
    for number in range(5):
        with Image.open(pictures / "original.png") as original:
            original.filter(ImageFilter.GaussianBlur(number)).save(pictures / f"v{number}.png")
    shown = run("compare", "original.png", "v*.png")
    scores = [float(line.split()[1].replace("−", "-")) for line in shown.stdout.splitlines() if line.startswith(" v")]
    assert len(scores) == 5
    assert scores == sorted(scores)
    assert "5 candidates" in shown.stdout


def test_the_gate_fails_what_is_under_the_bar(run: Run, pictures: Path) -> None:
    shown = run("compare", "original.png", "dark.png", "blurred.jpg", "-f", "json")
    scores = {one["path"]: one["score"] for one in json.loads(shown.stdout)["comparisons"]}
    worst, best = sorted(scores, key=scores.__getitem__)
    gated = run("compare", "original.png", worst, best, "--min-score", repr(scores[best]), "-o", "out.json")
    assert (gated.returncode, gated.stdout) == (1, "")
    assert "1 of 2 below the minimum" in gated.stderr
    document = json.loads((pictures / "out.json").read_text())
    assert [one["status"] for one in document["comparisons"]] == ["failed", "ok"]
    assert run("compare", "original.png", worst, "--min-score", "-100").returncode == 0
    assert run("compare", "original.png", worst, "--min-score", "101").returncode == 2


def test_bars_for_scores_are_no_bars_for_comparisons(run: Run, pictures: Path, relational_folder: Path) -> None:
    (pictures / ".git").mkdir()
    (pictures / "shamisa.toml").write_text(f"model = '{DEFAULT_MODEL}'\n[gate]\nmin-score = 40\n")
    assert run("compare", "original.png", "dark.png").returncode == 0
    (pictures / "shamisa.toml").write_text(
        f"relational-model = '{relational_folder}'\nresize = true\n[gate]\nmin-relational-score = 99\n"
    )
    gated = run("compare", "original.png", "small.png", SHAMISA_RELATIONAL_MODEL="")
    assert gated.returncode == 1, gated.stderr
    assert "below the minimum of 99" in gated.stderr


def test_two_folders_are_paired_by_name(run: Run, pictures: Path) -> None:
    before, after = pictures / "before", pictures / "after"
    for folder, names in ((before, ("a", "b")), (after, ("b", "a"))):
        (folder / "deep").mkdir(parents=True)
        for name in names:
            (folder / "deep" / f"{name}.png").write_bytes((pictures / "original.png").read_bytes())
    (after / "deep" / "b.png").write_bytes((pictures / "dark.png").read_bytes())
    (before / "deep" / "a.png").write_bytes(b"no picture")
    shown = run("compare", "before", "after", "-f", "jsonl")
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(row["reference"], row["path"]) for row in rows] == [
        ("before/deep/a.png", "after/deep/a.png"), ("before/deep/b.png", "after/deep/b.png"),
    ]  # fmt: skip
    assert [row["status"] for row in rows] == ["error", "ok"]
    assert rows[0]["error"]["message"].startswith("before/deep/a.png")
    assert shown.returncode == 3

    (after / "deep" / "c.png").write_bytes(b"")
    (before / "deep" / "d.png").write_bytes(b"")
    alone = run("compare", "before", "after", "-f", "json", "--skip-unreadable")
    assert alone.returncode == 0
    document = json.loads(alone.stdout)
    assert (document["added"], document["removed"]) == (["after/deep/c.png"], ["before/deep/d.png"])
    assert len(document["comparisons"]) == 2
    assert "1 picture added: after/deep/c.png." in alone.stderr
    strict = run("compare", "before", "after", "--strict-pairs")
    assert strict.returncode == 1
    assert "without a partner: with --strict-pairs, the run fails" in strict.stderr
    (pictures / "other").mkdir()
    (pictures / "other" / "z.png").write_bytes((pictures / "original.png").read_bytes())
    assert run("compare", "before", "other").returncode == 2
    assert run("compare", "before", "original.png").returncode == 2


def test_links_in_compared_folders_count_by_their_names(run: Run, pictures: Path) -> None:
    for folder in ("before", "after"):
        (pictures / folder / "small").mkdir(parents=True)
    (pictures / "before" / "small" / "a.png").write_bytes((pictures / "original.png").read_bytes())
    (pictures / "before" / "b.png").symlink_to("small/a.png")
    (pictures / "before" / "large").symlink_to("small")
    (pictures / "before" / "small" / "loop").symlink_to("..")
    (pictures / "after" / "large").mkdir()
    for name, version in {"b.png": "blurred.jpg", "small/a.png": "original.png", "large/a.png": "dark.png"}.items():
        Image.open(pictures / version).save(pictures / "after" / name)
    ran = run("compare", "before", "after", "--strict-pairs", "-f", "json")
    found = {Path(each["path"]).relative_to("after").as_posix() for each in json.loads(ran.stdout)["comparisons"]}
    assert found == {"b.png", "small/a.png", "large/a.png"}
    assert ran.returncode == 0


def test_maps_are_drawn_in_a_folder_for_each_candidate(run: Run, pictures: Path) -> None:
    shown = run("compare", "original.png", "dark.png", "blurred.jpg", "broken.png", "--maps", "maps", "-f", "json")
    assert shown.returncode == 3
    drawn = {path.relative_to(pictures / "maps").as_posix() for path in (pictures / "maps").rglob("*.png")}
    assert {f"{name}/{file}.png" for name in ("dark.png", "blurred.jpg") for file in ("overall", "figure")} <= drawn
    assert not any(name.startswith("broken") for name in drawn)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gone.png", "dark.png"), "'gone.png' does not exist"),
        (("broken.png", "dark.png", "--skip-unreadable"), "broken.png is a text"),
        (("original.png", "gone.png"), "'gone.png' does not exist"),
        (("original.png",), "Name at least one version of original.png"),
        (("original.png", "dark.png", "--maps", "dark.png"), "--maps must name a folder"),
        (("original.png", "dark.png", "--model", DEFAULT_MODEL), "is not a relational model"),
        (("original.png", "dark.png", "--model", "nothing-like-it"), "There is no model"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_exit_2(run: Run, arguments: tuple[str, ...], said: str) -> None:
    shown = run("compare", *arguments)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert said in shown.stderr
    assert "Traceback" not in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_a_bar_that_is_no_number_is_refused(run: Run) -> None:
    shown = run("compare", "original.png", "dark.png", "--min-score", "nan")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "--min-score is nan" in shown.stderr


def test_rank_puts_versions_into_one_order(run: Run) -> None:
    named = ("dark.png", "original.png", "blurred.jpg")
    shown = run("rank", *named, "-f", "json")
    assert (shown.returncode, closing_line(shown.stderr)) == (0, "3 pictures ranked")
    document = json.loads(shown.stdout)
    ranked = document["pictures"]
    assert [one["rank"] for one in ranked] == [1, 2, 3]
    assert [one["score"] for one in ranked] == sorted((one["score"] for one in ranked), reverse=True)
    table = np.array(document["scores"])
    assert np.array_equal(table, -table.T)
    assert document["summary"] == {
        "count": 3, "errors": 0, "pairs": 3, "contradictions": document["summary"]["contradictions"],
        "aligned": 0, "unaligned": 0,
    }  # fmt: skip
    reverse = json.loads(run("rank", *reversed(named), "-f", "json").stdout)
    assert reverse["pictures"] == ranked

    text = run("rank", *named, "broken.png", COLUMNS="80")
    assert text.returncode == 3
    lines = [line for line in text.stdout.splitlines() if line[:3].strip().isdigit() and "┼" in line]
    assert [line.split()[1] for line in lines] == [one["path"] for one in ranked]
    assert "1 picture could not be ranked" in text.stdout
    rows = list(csv.DictReader(io.StringIO(run("rank", *named, "-f", "csv").stdout)))
    assert [row["path"] for row in rows] == [one["path"] for one in ranked]
    assert run("rank", "dark.png").returncode == 2


def test_formats_for_ci_hold_what_failed_and_what_could_not_be_compared(run: Run) -> None:
    named = ("original.png", "blurred.jpg", "original.png", "broken.png", "--max-difference", "1")
    junit = run("compare", *named, "-f", "junit")
    assert junit.returncode == 1
    suite = ElementTree.fromstring(junit.stdout.encode())[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "3", "failures": "1", "errors": "1",
    }  # fmt: skip
    assert "differs from original.png by" in junit.stdout
    github = run("compare", *named, "-f", "github").stdout
    assert "::error file=blurred.jpg,title=Image quality::" in github
    results = json.loads(run("compare", *named, "-f", "sarif").stdout)["runs"][0]["results"]
    assert sorted(result["ruleId"] for result in results) == ["max-difference", "unreadable"]


def test_pictures_without_a_partner_are_failed_test_cases_where_pairs_are_strict(run: Run, pictures: Path) -> None:
    for folder, names in {"before": ("one.png", "gone.png"), "after": ("one.png", "new.png")}.items():
        (pictures / folder).mkdir()
        for name in names:
            (pictures / folder / name).write_bytes((pictures / "original.png").read_bytes())
    strict = run("compare", "before", "after", "--strict-pairs", "-f", "junit")
    assert strict.returncode == 1
    suite = ElementTree.fromstring(strict.stdout.encode())[0]
    failed = {case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None}
    assert (suite.get("tests"), suite.get("failures"), failed) == ("3", "2", {"gone.png", "new.png"})
    results = json.loads(run("compare", "before", "after", "--strict-pairs", "-f", "sarif").stdout)["runs"][0][
        "results"
    ]
    assert [result["ruleId"] for result in results] == ["no-partner", "no-partner"]


def test_pictures_without_a_partner_are_warnings_elsewhere(run: Run, pictures: Path) -> None:
    for folder, names in {"before": ("one.png", "gone.png"), "after": ("one.png", "new.png")}.items():
        (pictures / folder).mkdir()
        for name in names:
            (pictures / folder / name).write_bytes((pictures / "original.png").read_bytes())
    compared = ("compare", "before", "after", "--min-score", "-5", "--quiet", "-f")
    junit = run(*compared, "junit")
    suite = ElementTree.fromstring(junit.stdout.encode())[0]
    assert (junit.returncode, suite.get("tests"), suite.get("failures"), suite.get("errors")) == (0, "3", "0", "0")
    github = run(*compared, "github")
    assert github.stdout.count("::warning file=") == 2
    assert github.stdout.splitlines()[-1] == "3 checked: 2 with a warning"
    results = json.loads(run(*compared, "sarif").stdout)["runs"][0]["results"]
    assert [(result["ruleId"], result["level"]) for result in results] == [("no-partner", "warning")] * 2
    for said in (junit, github):
        assert "before/gone.png has no candidate with its name" in said.stdout
        assert "after/new.png has no reference with its name" in said.stdout


def test_names_that_fit_several_pictures_are_explained(run: Run, pictures: Path) -> None:
    for name in ("before/two.png", "before/one.png", "after/two.jpg", "after/two.webp", "after/one.png"):
        (pictures / name).parent.mkdir(exist_ok=True)
        with Image.open(pictures / "original.png") as original:
            original.save(pictures / name)
    shown = run("compare", "before", "after")
    said = re.sub(r"\s+", " ", shown.stderr)
    assert "Not paired, since more than one has the same name: before/two.png, after/two.jpg, after/two.webp." in said


@pytest.mark.parametrize(
    "option",
    [
        "--min-score -5",
        "--max-difference 5",
        "--maps out",
        "--strict-pairs",
        "--resize",
        "--original",
        "--files-from x",
    ],
)
def test_a_ladder_refuses_what_it_would_ignore(run: Run, option: str) -> None:
    done = run("compare", "original.png", "--ladder", "jpeg", *option.split())
    assert done.returncode == 2
    assert f"{option.split()[0]} does not go with --ladder" in done.stderr


@pytest.mark.parametrize(("codec", "side"), [("webp", 16_384), ("jpeg", 65_501), ("avif", 65_536)])
def test_a_codec_that_cannot_hold_the_picture_is_named(run: Run, pictures: Path, codec: str, side: int) -> None:
    Image.new("RGB", (side, 4)).save(pictures / "wide.png")
    done = run("compare", "wide.png", "--ladder", codec)
    assert done.returncode == 2
    assert f"{codec} holds pictures of at most {side - 1:,} pixels a side" in done.stderr


def test_the_ladder_of_a_codec_is_climbed_without_candidates(run: Run, pictures: Path) -> None:
    shown = run("compare", "original.png", "--ladder", "jpeg", "--target", "-50", "-f", "json")
    assert shown.returncode == 0, shown.stderr
    (ladder,) = json.loads(shown.stdout)["ladders"]
    assert ladder["codec"] == "jpeg"
    assert ladder["chosen"] is None or ladder["chosen"]["score"] >= -50
    assert run("compare", "original.png", "--ladder", "jpeg", "-o", "curve.svg").returncode == 0
    assert (pictures / "curve.svg").read_text().startswith("<svg")
    assert run("compare", "original.png", "dark.png", "--ladder", "jpeg").returncode == 2
    assert run("compare", "original.png", "--ladder", "gif").returncode == 2
    assert run("compare", "original.png", "--ladder", ",").returncode == 2
    assert run("compare", "original.png", "dark.png", "-f", "svg").returncode == 2
