"""`shamisa cull`: from a folder of photographs to ratings, moved files or a list."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.program import Program

from shamisa_cli.cli.console import Console
from shamisa_cli.cli.cull_actions import transfer
from shamisa_cli.core.culling import transfers
from shamisa_cli.core.culling.decisions import CullRule, decide
from shamisa_cli.core.culling.journal import JOURNAL
from shamisa_cli.core.culling.transfers import TransferResult
from shamisa_cli.core.culling.xmp import read_rating
from shamisa_cli.core.models.resolver import FAST_MODEL
from shamisa_cli.core.records import ImageRecord

FAST = ("--model", FAST_MODEL)
NAMES = ("cat.jpg", "cat_white-noise.jpg", "coffee.jpg", "coffee_JPEG.jpg")


@pytest.fixture
def shoot(example_photos: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "shoot"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(example_photos / name, folder)
    shutil.copy(example_photos / "cat.jpg", folder / "cat-copy.jpg")
    return folder


def test_nothing_is_changed_without_apply_and_ratings_are_written_with_it(shamisa: Program, shoot: Path) -> None:
    ran = shamisa("cull", shoot, "--keep-best", "60%", "--stars", *FAST)
    assert ran.returncode == 0, ran.stderr
    assert "3 to keep, 2 to reject" in ran.stdout
    assert "Would write 5 XMP sidecars. Nothing was changed" in ran.stderr
    assert not list(shoot.glob("*.xmp"))
    ran = shamisa("cull", shoot, "--keep-best", "60%", "--stars", "--apply", *FAST)
    assert "Wrote 5 XMP sidecars." in ran.stderr
    ratings = {name: read_rating(shoot / f"{name}.xmp") for name in NAMES}
    assert ratings["coffee_JPEG.jpg"] == ratings["cat_white-noise.jpg"] == -1
    assert (ratings["cat.jpg"] or 0) >= 3
    ran = shamisa("cull", shoot, "--keep-best", "60%", "--stars", "--apply", *FAST)
    assert "Wrote 0 XMP sidecars; 5 are already right." in ran.stderr


def test_a_rating_that_a_person_changed_is_left_alone(shamisa: Program, shoot: Path) -> None:
    shamisa("cull", shoot, "--below", "50", "--apply", *FAST)
    sidecar = shoot / "coffee_JPEG.jpg.xmp"
    sidecar.write_text(sidecar.read_text().replace('xmp:Rating="-1"', 'xmp:Rating="5"'))
    ran = shamisa("cull", shoot, "--below", "60", "--apply", *FAST)
    assert "1 keep the rating that a person gave" in ran.stderr
    assert read_rating(sidecar) == 5


def test_rejected_pictures_are_moved_and_come_back(shamisa: Program, shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    ran = shamisa("cull", shoot, "--keep-best", "60", "--move-to", target, "--apply", *FAST)
    assert sorted(file.name for file in target.glob("*.jpg")) == ["cat_white-noise.jpg", "coffee_JPEG.jpg"]
    assert f"shamisa cull --undo {target} --apply" in ran.stderr
    ran = shamisa("cull", "--undo", target)
    assert "Would undo 2" in ran.stderr
    assert len(list(shoot.iterdir())) == 3
    ran = shamisa("cull", "--undo", target, "--apply")
    assert ran.returncode == 0
    assert sorted(file.name for file in shoot.iterdir()) == sorted([*NAMES, "cat-copy.jpg"])


def test_pictures_that_were_moved_below_the_others_are_not_counted_again(shamisa: Program, shoot: Path) -> None:
    options = ["cull", shoot, "--keep-best", "50%", "--move-to", shoot / "rejects", "--apply"]
    before = len(list(shoot.glob("*.*")))
    first, second = shamisa(*options), shamisa(*options)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "are left out, as it is where others go" in second.stderr
    moved = [file for file in (shoot / "rejects").rglob("*") if file.name != "shamisa-journal.jsonl" and file.is_file()]
    assert len(list(shoot.glob("*.*"))) + len(moved) == before
    assert not (shoot / "rejects" / "rejects").exists()


def test_the_best_of_each_group_is_copied(shamisa: Program, shoot: Path, tmp_path: Path) -> None:
    shamisa("cull", shoot, "--best-of-groups", "--copy-to", tmp_path / "best", "--apply", *FAST)
    cats = [file.name for file in (tmp_path / "best").glob("cat*.jpg")]
    assert sum(name in ("cat.jpg", "cat-copy.jpg") for name in cats) == 1
    assert len(list(shoot.iterdir())) == 5


def test_a_list_for_other_programs_holds_paths_alone(shamisa: Program, shoot: Path) -> None:
    kept = shamisa("cull", shoot, "--keep-best", "60", "--list", "kept", *FAST).stdout
    rejected = shamisa("cull", shoot, "--keep-best", "60", "--list", "rejected", "-0", *FAST).stdout
    assert {Path(line).name for line in kept.splitlines()} == {"cat.jpg", "cat-copy.jpg", "coffee.jpg"}
    assert {Path(line).name for line in rejected.removesuffix("\0").split("\0")} == {
        "cat_white-noise.jpg", "coffee_JPEG.jpg",
    }  # fmt: skip


def test_decisions_as_json_and_csv(shamisa: Program, shoot: Path) -> None:
    command = ("cull", shoot, "--best-of-groups", *FAST)
    document = json.loads(shamisa(*command, "-f", "json").stdout)
    assert document["rule"] == {"keep_best": None, "below": None, "best_of_groups": True}
    rows = list(csv.DictReader(io.StringIO(shamisa(*command, "-f", "csv").stdout)))
    assert [row["verdict"] for row in rows] == [image["verdict"] for image in document["images"]]
    assert [int(row["group"]) for row in rows] == [image["group"]["number"] for image in document["images"]]


def test_an_unreadable_picture_is_named_and_left_where_it_is(shamisa: Program, shoot: Path, tmp_path: Path) -> None:
    (shoot / "torn.jpg").write_bytes(b"torn")
    ran = shamisa("cull", shoot, "--below", "100", "--move-to", tmp_path / "rejects", "--apply", *FAST)
    assert ran.returncode == 3
    assert "torn.jpg" in ran.stdout
    assert [file.name for file in shoot.iterdir()] == ["torn.jpg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "Name what to keep"),
        (("--below", "40", "--move-to", "a", "--copy-to", "b"), "cannot be combined"),
        (("--keep-best", "half"), "--keep-best is 'half'"),
        (("--keep-best", "120%"), "from 0 to 100"),
        (("--below", "40", "-0"), "--print0 goes with --list"),
        (("--undo", "a"), "takes no PATHS"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(
    shamisa: Program, shoot: Path, options: tuple[str, ...], words: str
) -> None:
    ran = shamisa("cull", shoot, *options)
    assert ran.returncode == 2
    assert words in ran.stderr


def test_a_run_that_is_interrupted_while_it_moves_says_how_that_is_undone(
    shoot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> Iterator[TransferResult]:
        yield TransferResult(None)
        raise KeyboardInterrupt

    monkeypatch.setattr(transfers, "transfer_files", interrupted)
    decisions = decide([ImageRecord(str(path), 10.0) for path in shoot.iterdir()], CullRule(below=50))
    with pytest.raises(KeyboardInterrupt):
        transfer(decisions, tmp_path / "out", None, True, Console())
    said = " ".join(capsys.readouterr().err.split())
    assert "undone with: shamisa cull --undo" in said


def test_undoing_where_nothing_was_moved_is_an_error(shamisa: Program, tmp_path: Path) -> None:
    ran = shamisa("cull", "--undo", tmp_path)
    assert ran.returncode == 2
    assert "nothing was moved or copied" in ran.stderr


def test_damaged_lines_of_a_journal_are_not_called_pictures(shamisa: Program, shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejected"
    ran = shamisa("cull", shoot, "--keep-best", "0", "--move-to", target, "--apply", *FAST)
    assert ran.returncode == 0, ran.stderr
    journal = target / JOURNAL
    journal.write_text("damaged\n" * 173 + journal.read_text())
    ran = shamisa("cull", "--undo", target)
    assert ran.returncode == 3
    assert "more lines of the journal could not be undone." in ran.stderr
    assert "pictures" not in ran.stderr
