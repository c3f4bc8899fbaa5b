"""Moving and copying never overwrites, and can be undone."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

import shamisa_cli as shamisa
from shamisa_cli.core.culling import file_moves as module
from shamisa_cli.core.culling import transfers
from shamisa_cli.core.culling.journal import Action, line_of
from shamisa_cli.core.culling.transfers import JOURNAL, Transfer, plan_transfers, transfer_files, undo_transfers
from shamisa_cli.core.errors import SettingError


@pytest.fixture
def shoot(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "sub/a.jpg", "a.jpg.xmp", "b.xmp", "c.jpg", "c.cr2", "c.xmp"):
        (tmp_path / "shoot" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shoot" / name).write_text(name)
    return tmp_path / "shoot"


def files(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != JOURNAL
    }


def refuse_link(*_: object, **__: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def pictures(shoot: Path) -> list[Path]:
    return sorted(shoot.rglob("*.jpg"))


def test_a_sidecar_that_is_a_link_goes_along(tmp_path: Path) -> None:
    for picture, sidecar in (("a.jpg", "a.jpg.xmp"), ("b.jpg", "b.xmp")):
        (tmp_path / picture).touch()
        (tmp_path / sidecar).symlink_to(tmp_path / "an-unmounted-disk" / sidecar)
        planned = shamisa.plan_transfers(tmp_path / picture, tmp_path / "out", "move")
        assert [each.source.name for each in planned] == [picture, sidecar]


def test_a_sidecar_goes_along_though_a_name_begins_like_its_pictures(tmp_path: Path) -> None:
    for name in ("x.JPG", "x.xmp", "x.png.jpg", "x.JPG.png", "x.edit.jpg"):
        (tmp_path / name).write_text(name)
    planned = plan_transfers([tmp_path / "x.JPG"], tmp_path / "out", "move")
    assert [each.source.name for each in planned] == ["x.JPG", "x.xmp"]


@pytest.mark.parametrize("links", [True, False], ids=["one file system", "another file system"])
def test_pictures_move_with_their_sidecars_and_come_back(
    shoot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(module.os, "link", refuse_link)
    before = files(shoot)
    target = tmp_path / "rejects"
    assert [each.problem for each in transfer_files(plan_transfers(pictures(shoot), target, "move"), target)] == [
        ""
    ] * 6
    assert files(shoot) == {"c.cr2": "c.cr2", "c.xmp": "c.xmp"}  # a sidecar that another file shares stays
    assert set(files(target)) == {"a.jpg", "a.jpg.xmp", "b.jpg", "b.xmp", "c.jpg", "sub/a.jpg"}
    assert [each.problem for each in undo_transfers(target)] == [""] * 6
    assert files(shoot) == before
    assert not (target / JOURNAL).exists()


def test_copies_are_removed_by_undoing_unless_they_were_changed(shoot: Path, tmp_path: Path) -> None:
    before, target = files(shoot), tmp_path / "best"
    list(transfer_files(plan_transfers(pictures(shoot), target, "copy"), target))
    (target / "b.jpg").write_text("edited")
    problems = [each.problem for each in undo_transfers(target) if each.problem]
    assert len(problems) == 2  # its sidecar stays with it
    assert all("b.jpg differs" in problem for problem in problems)
    assert files(shoot) == before
    assert files(target) == {"b.jpg": "edited", "b.xmp": "b.xmp"}


def test_nothing_is_overwritten_in_either_direction(shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    target.mkdir()
    (target / "a.jpg").write_text("mine")
    results = {each.transfer.source.name if each.transfer else "": each.problem for each in transfer_files(
        plan_transfers([shoot / "a.jpg", shoot / "b.jpg"], target, "move"), target
    )}  # fmt: skip
    assert "exists already" in results["a.jpg"]
    assert (target / "a.jpg").read_text() == "mine"
    assert (shoot / "a.jpg").read_text() == "a.jpg"
    (shoot / "b.jpg").write_text("new")
    problems = [each.problem for each in undo_transfers(target) if each.problem]
    assert len(problems) == 2
    assert (shoot / "b.jpg").read_text() == "new"
    assert (target / "b.jpg").read_text() == "b.jpg"
    assert (target / "b.xmp").read_text() == "b.xmp"
    assert (target / "a.jpg").read_text() == "mine"


def test_a_run_that_was_killed_in_the_middle_is_undone(shoot: Path, tmp_path: Path) -> None:
    before, target = files(shoot), tmp_path / "rejects"
    run = transfer_files(plan_transfers(pictures(shoot), target, "move"), target)
    assert next(run).problem == ""
    run.close()
    assert {path.name for path in target.iterdir()} == {"a.jpg", "a.jpg.xmp", JOURNAL}, "a picture and its sidecars"
    os.link(shoot / "b.jpg", target / "b.jpg")  # killed between the second name and the end of the first
    with (target / JOURNAL).open("a") as journal:
        journal.write(f'{{"action": "move", "from": "{shoot}/b.jpg", "to": "{target}/b.jpg"}}\n{{"action": "mo')
    assert [each.problem for each in undo_transfers(target)] == ["", "", ""]
    assert files(shoot) == before
    assert files(target) == {}


def test_a_sidecar_that_a_killed_run_left_behind_follows_its_picture(
    shoot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, target = files(shoot), tmp_path / "rejects"
    move, moved = module.move, []

    def killed_after_one(source: Path, place: Path) -> None:
        if moved:
            raise KeyboardInterrupt
        moved.append(source)
        move(source, place)

    with monkeypatch.context() as patched:
        patched.setattr(transfers, "move", killed_after_one)
        with pytest.raises(KeyboardInterrupt):
            list(transfer_files(plan_transfers([shoot / "a.jpg"], target, "move"), target))
    assert (target / "a.jpg").exists()
    assert (shoot / "a.jpg.xmp").exists()
    planned = plan_transfers([shoot / "b.jpg"], target, "move")
    for dry in (True, False):
        found = {each.transfer.source.name: (each.problem, each.was_done) for each in transfer_files(
            planned, target, dry=dry
        ) if each.transfer}  # fmt: skip
        assert found == {
            "a.jpg": ("", True), "a.jpg.xmp": ("", False), "b.jpg": ("", False), "b.xmp": ("", False),
        }  # fmt: skip
    assert set(files(target)) == {"a.jpg", "a.jpg.xmp", "b.jpg", "b.xmp"}
    assert not any(each.problem for each in undo_transfers(target))
    assert files(shoot) == before


def test_a_plan_that_was_carried_out_is_done_when_it_is_given_again(shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    planned = plan_transfers(pictures(shoot), target, "move")
    list(transfer_files(planned, target))
    assert {(each.problem, each.was_done) for each in transfer_files(planned, target)} == {("", True)}


def test_nothing_is_moved_into_a_renamed_folder_whose_journal_could_not_undo_it(shoot: Path, tmp_path: Path) -> None:
    list(transfer_files(plan_transfers([shoot / "a.jpg"], tmp_path / "first", "move"), tmp_path / "first"))
    target = (tmp_path / "first").rename(tmp_path / "second")
    before = files(tmp_path)
    for dry in (True, False):
        with pytest.raises(SettingError, match="Was the folder moved"):
            list(transfer_files(plan_transfers([shoot / "b.jpg"], target, "move"), target, dry=dry))
    assert files(tmp_path) == before


@pytest.mark.parametrize("odd", [
    {"action": "Move"}, {"action": "delete"}, {"source": Path("a.jpg")}, {"target": Path("rejects/a.jpg")},
    {"source": "/a.jpg"}, {"target": "renamed"}, {"target": "elsewhere"}, {"target": "deeper"},
])  # fmt: skip
def test_what_a_journal_could_not_undo_is_refused_before_anything_is_moved(
    shoot: Path, tmp_path: Path, odd: dict[str, object]
) -> None:
    target = tmp_path / "rejects"
    places = {
        "renamed": target / "best.jpg", "elsewhere": tmp_path / "others" / "a.jpg", "deeper": target / "x" / "a.jpg",
    }  # fmt: skip
    given: dict[str, object] = {"action": "move", "source": shoot / "a.jpg", "target": target / "a.jpg"}
    given |= {name: places.get(str(value), value) for name, value in odd.items()}
    planned = [*plan_transfers([shoot / "b.jpg"], target, "move"), Transfer(**given)]  # type: ignore[arg-type]
    before = files(shoot)
    with pytest.raises(SettingError, match=r"is no transfer|could not undo"):
        list(transfer_files(planned, target))
    assert files(shoot) == before
    assert not target.exists()


@pytest.mark.parametrize("action", ["move", "copy"])
@pytest.mark.parametrize("again", [False, True], ids=["first run", "second run"])
def test_a_folder_that_is_reached_by_two_paths_keeps_its_pictures(
    shoot: Path, tmp_path: Path, action: Action, again: bool
) -> None:
    before, alias = files(shoot), tmp_path / "alias"
    alias.symlink_to(shoot)
    planned = [Transfer(action, picture, alias / picture.relative_to(shoot)) for picture in pictures(shoot)]
    if again:  # as if an earlier run had been killed right after its journal was written
        (alias / JOURNAL).write_text("".join(line_of(each) for each in planned))
    assert ["exists already" in each.problem for each in transfer_files(planned, alias)] == [True] * 4
    assert files(shoot) == before
    if again:
        assert all(each.problem for each in undo_transfers(alias))
        assert files(shoot) == before


@pytest.mark.parametrize("action", ["move", "copy"])
def test_undoing_removes_no_file_that_became_the_only_one(shoot: Path, tmp_path: Path, action: Action) -> None:
    target = tmp_path / "out"
    list(transfer_files(plan_transfers(pictures(shoot), target, action), target))
    there = files(target)
    shutil.rmtree(shoot)
    shoot.symlink_to(target)
    assert all(each.problem for each in undo_transfers(target))
    assert files(target) == there
    shoot.unlink()
    shoot.mkdir()
    (shoot / "b.jpg").symlink_to(target / "b.jpg")  # as programs do that look for duplicates
    list(undo_transfers(target))
    assert (shoot / "b.jpg").read_text() == "b.jpg"


@pytest.mark.parametrize("action", ["move", "copy"])
@pytest.mark.parametrize("taken", ["a.jpg", "a.jpg.xmp"])
def test_a_picture_and_its_sidecar_go_together_or_not_at_all(
    shoot: Path, tmp_path: Path, action: Action, taken: str
) -> None:
    before, target = files(shoot), tmp_path / "rejects"
    target.mkdir()
    (target / taken).write_text("another shoot's")
    chosen = [shoot / "a.jpg", shoot / "b.jpg"]
    problems = [each.problem for each in transfer_files(plan_transfers(chosen, target, action), target)]
    assert [f"{taken} exists already" in problem for problem in problems] == [True, True, False, False]
    assert files(target) == {taken: "another shoot's", "b.jpg": "b.jpg", "b.xmp": "b.xmp"}
    assert [each.problem for each in undo_transfers(target)] == ["", ""]
    assert files(shoot) == before


@pytest.mark.parametrize("action", ["move", "copy"])
def test_a_picture_does_not_go_to_a_sidecar_of_another(shoot: Path, tmp_path: Path, action: Action) -> None:
    before, target = files(shoot), tmp_path / "rejects"
    target.mkdir()
    (target / "c.jpg.xmp").write_text("another shoot's")
    planned = plan_transfers([shoot / "c.jpg"], target, action)
    assert ["c.jpg.xmp exists already" in each.problem for each in transfer_files(planned, target)] == [True]
    assert files(shoot) == before


def test_a_picture_whose_copy_was_deleted_is_copied_again_to_its_sidecar(shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "best"
    planned = plan_transfers([shoot / "a.jpg"], target, "copy")
    list(transfer_files(planned, target))
    (target / "a.jpg").unlink()
    assert [(each.problem, each.was_done) for each in transfer_files(planned, target)] == [("", False), ("", True)]
    assert (target / "a.jpg").read_text() == "a.jpg"


def test_pictures_do_not_come_back_where_their_disk_is_not_mounted(shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    list(transfer_files(plan_transfers([shoot / "sub" / "a.jpg"], target, "move"), target))
    (shoot / "sub").rmdir()
    for dry in (True, False):
        assert ["connect the disk" in each.problem for each in undo_transfers(target, dry=dry)] == [True]
    assert not (shoot / "sub").exists()
    (shoot / "sub").mkdir()
    assert [each.problem for each in undo_transfers(target)] == [""]
    assert (shoot / "sub" / "a.jpg").exists()


@pytest.mark.parametrize("one_disk", [True, False], ids=["one file system", "another file system"])
def test_what_cannot_be_removed_is_not_left_in_two_places(
    shoot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_disk: bool
) -> None:
    if not one_disk:
        monkeypatch.setattr(module.os, "link", refuse_link)
    before, target = files(shoot), tmp_path / "rejects"
    unlink = Path.unlink

    def locked(path: Path, missing_ok: bool = False) -> None:
        if path.is_relative_to(shoot):
            raise PermissionError(errno.EPERM, "Operation not permitted", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", locked)
    results = list(transfer_files(plan_transfers(pictures(shoot), target, "move"), target))
    assert all(each.problem for each in results)
    assert (files(shoot), files(target)) == (before, {})


def test_a_folder_that_may_not_be_changed_is_not_copied_from(
    shoot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "rejects"
    monkeypatch.setattr(transfers, "may", lambda folder, _access: folder != shoot)
    problems = [each.problem for each in transfer_files(plan_transfers(pictures(shoot), target, "move"), target)]
    assert ["may not be changed" in problem for problem in problems] == [True] * 5 + [False]  # sub/a.jpg
    list(undo_transfers(target))
    results = list(transfer_files(plan_transfers(pictures(shoot), target, "copy"), target))
    assert not any(each.problem for each in results)


def test_a_disk_that_takes_no_times_and_no_modes_takes_pictures(
    shoot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(module.os, "link", refuse_link)
    monkeypatch.setattr(module.shutil, "copystat", refuse)
    before, target = files(shoot), tmp_path / "rejects"
    assert not any(each.problem for each in transfer_files(plan_transfers(pictures(shoot), target, "move"), target))
    assert set(files(target)) == {"a.jpg", "a.jpg.xmp", "b.jpg", "b.xmp", "c.jpg", "sub/a.jpg"}
    assert not any(each.problem for each in undo_transfers(target))
    assert files(shoot) == before


def test_sidecars_with_a_suffix_in_capitals_and_shared_ones_go_along(tmp_path: Path) -> None:
    for name in ("u.jpg", "u.jpg.XMP", "v.jpg", "v.XMP", "w.jpg", "w.cr3", "w.xmp", "x.jpg", "x.cr3", "x.xmp"):
        (tmp_path / name).touch()
    moved = [tmp_path / name for name in ("u.jpg", "v.jpg", "w.jpg", "w.cr3", "x.jpg")]
    planned = [each.source.name for each in plan_transfers(moved, tmp_path / "out", "move")]
    assert planned == ["u.jpg", "u.jpg.XMP", "v.jpg", "v.XMP", "w.jpg", "w.cr3", "w.xmp", "x.jpg"]


def test_twins_from_two_folders_are_two_pictures(tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").write_text("the same")
    for folder, problem in (("b", False), ("a", True)):
        planned = plan_transfers([tmp_path / folder / "1.jpg"], target, "move")
        assert [bool(each.problem) for each in transfer_files(planned, target)] == [problem]
    assert [each.problem for each in undo_transfers(target)] == [""]
    assert all((tmp_path / folder / "1.jpg").exists() for folder in ("a", "b"))


def test_a_picture_that_lies_in_both_folders_is_not_taken_for_half_moved(shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    target.mkdir()
    (target / "b.jpg").write_text("b.jpg")
    planned = plan_transfers([shoot / "b.jpg"], target, "move")[:1]
    assert ["exists already" in each.problem for each in transfer_files(planned, target)] == [True]
    assert (shoot / "b.jpg").exists()


@pytest.mark.parametrize("one_disk", [True, False], ids=["one file system", "another file system"])
@pytest.mark.parametrize("text", ["../real/1.jpg", "{real}/1.jpg"], ids=["relative", "absolute"])
def test_pictures_that_are_links_lead_to_the_same_place_and_come_back_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, one_disk: bool
) -> None:
    if not one_disk:
        monkeypatch.setattr(module.os, "link", refuse_link)
    real, selection, target = tmp_path / "real", tmp_path / "selection", tmp_path / "much" / "deeper" / "rejects"
    for folder in (real, selection):
        folder.mkdir()
    (real / "1.jpg").write_text("a picture")
    link = selection / "1.jpg"
    link.symlink_to(text.format(real=real))
    assert [each.problem for each in transfer_files(plan_transfers([link], target, "move"), target)] == [""]
    assert not link.is_symlink()
    assert (target / "1.jpg").is_symlink()
    assert (target / "1.jpg").read_text() == "a picture"
    assert [each.problem for each in undo_transfers(target)] == [""]
    assert str(link.readlink()) == text.format(real=real)


@pytest.mark.parametrize("action", ["move", "copy"])
def test_a_dry_run_says_what_a_run_would(shoot: Path, tmp_path: Path, action: Action) -> None:
    before, target = files(shoot), tmp_path / "rejects"
    planned = plan_transfers(pictures(shoot), target, action)
    assert not any(each.problem for each in transfer_files(planned, target, dry=True))
    assert not target.exists()
    target.mkdir()
    (target / "b.jpg").write_text("mine")
    said = list(transfer_files(planned, target, dry=True))
    assert (files(shoot), files(target)) == (before, {"b.jpg": "mine"})
    assert list(transfer_files(planned, target)) == said


def test_a_dry_undo_changes_nothing(shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    list(transfer_files(plan_transfers(pictures(shoot), target, "move"), target))
    moved = files(target)
    assert len(list(undo_transfers(target, dry=True))) == 6
    assert files(target) == moved


@pytest.mark.parametrize("content", [None, "nothing\n", "[]\n", '{"action": "delete", "from": "/a", "to": "/b"}\n',
                                     '{"action": "move", "from": "a", "to": "../b"}\n'])  # fmt: skip
def test_a_missing_or_foreign_journal_is_an_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / JOURNAL).write_text(content)
    with pytest.raises(shamisa.SettingError, match=JOURNAL):
        list(undo_transfers(tmp_path))


def test_an_unfinished_line_of_a_journal_does_not_spoil_what_follows(shoot: Path, tmp_path: Path) -> None:
    before, target = files(shoot), tmp_path / "rejects"
    list(transfer_files(plan_transfers([shoot / "a.jpg"], target, "move"), target))
    with (target / JOURNAL).open("a") as journal:
        journal.write('{"action": "mo')
    list(transfer_files(plan_transfers([shoot / "b.jpg"], target, "move"), target))
    assert all(not each.problem for each in undo_transfers(target))
    assert files(shoot) == before


@pytest.mark.parametrize("damage", [b"\xff\xfe\n", b"{}\n", b'{"action": "mo\n', b"[" * 100_000 + b"\n", b"\n", b"7\n"])
def test_a_damaged_line_within_a_journal_stays_and_the_others_are_undone(
    shoot: Path, tmp_path: Path, damage: bytes
) -> None:
    before, target = files(shoot), tmp_path / "rejects"
    list(transfer_files(plan_transfers(pictures(shoot), target, "move"), target))
    lines = (target / JOURNAL).read_bytes().splitlines(keepends=True)
    (target / JOURNAL).write_bytes(b"".join([*lines[:2], damage, *lines[2:]]))
    problems = [each.problem for each in undo_transfers(target) if each.problem]
    assert len(problems) == 1
    assert f"{JOURNAL}, line 3" in problems[0]
    assert files(shoot) == before
    assert (target / JOURNAL).read_bytes() == damage


def test_a_journal_that_is_none_is_not_written_to_and_not_read_as_a_whole(shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    target.mkdir()
    with (target / JOURNAL).open("wb") as journal:
        journal.truncate(10**12)  # zeros that take no room
    with pytest.raises(shamisa.SettingError, match="not what was expected"):
        list(transfer_files(plan_transfers(pictures(shoot), target, "move"), target))
    (target / JOURNAL).unlink()
    os.mkfifo(target / JOURNAL)
    with pytest.raises(shamisa.SettingError, match="not a regular file"):
        list(transfer_files(plan_transfers(pictures(shoot), target, "move"), target))


def test_a_picture_that_is_gone_leaves_nothing_to_undo(shoot: Path, tmp_path: Path) -> None:
    planned = plan_transfers(pictures(shoot), tmp_path / "out", "move")
    (shoot / "b.jpg").unlink()
    problems = {each.transfer.source.name: each.problem for each in transfer_files(planned, tmp_path / "out")}
    assert problems["b.jpg"] == f"{shoot / 'b.jpg'} is not there any more."
    assert problems["b.xmp"].startswith(f"{shoot / 'b.xmp'} was left where it is")
    assert problems["a.jpg"] == ""
    assert not any(each.problem for each in undo_transfers(tmp_path / "out"))
    assert not (tmp_path / "out" / JOURNAL).exists()


@pytest.mark.parametrize(
    ("beside", "goes_along"),
    [
        *((name, True) for name in ("c.aae", "c.wav", "c.txt", "c.gpx", "c.jpg_original", "c.xmp~", "c/d.jpg")),
        *((name, False) for name in ("c.mov", "c.unknown", "c.JPG")),
    ],
)
def test_a_sidecar_without_the_pictures_suffix_stays_only_with_another_picture_or_film(
    tmp_path: Path, beside: str, goes_along: bool
) -> None:
    for name in ("c.jpg", "c.xmp", beside):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    planned = plan_transfers([tmp_path / "c.jpg"], tmp_path / "out", "move")
    assert [each.source.name for each in planned] == (["c.jpg", "c.xmp"] if goes_along else ["c.jpg"])


def test_sidecars_of_other_versions_of_a_picture_go_along_and_come_back(tmp_path: Path) -> None:
    names = [
        "a.jpg",
        "a.jpg.xmp",
        "a_01.jpg.xmp",
        "a_02.jpg.xmp",
        "a_03.jpg",
        "a_03.jpg.xmp",
        "a_04.png.xmp",
        "a_0005.jpg.xmp",
    ]
    for name in names:
        (tmp_path / name).write_text(name)
    planned = plan_transfers([tmp_path / "a.jpg"], tmp_path / "out", "move")
    assert [each.source.name for each in planned] == ["a.jpg", "a.jpg.xmp", "a_01.jpg.xmp", "a_02.jpg.xmp"]
    assert not any(each.problem for each in transfer_files(planned, tmp_path / "out"))
    assert {path.name for path in tmp_path.glob("a*")} == set(names[4:])
    assert not any(each.problem for each in undo_transfers(tmp_path / "out"))
    assert {path.name for path in tmp_path.glob("a*")} == set(names)


def test_where_nothing_is_moved_no_journal_is_left(shoot: Path) -> None:
    results = list(transfer_files(plan_transfers(pictures(shoot), shoot, "move"), shoot))
    assert all("exists already" in each.problem for each in results)
    assert not (shoot / JOURNAL).exists()


@pytest.mark.parametrize("wrong", ["outside", "renamed", "climbing"])
def test_a_journal_plants_no_file_elsewhere(tmp_path: Path, wrong: str) -> None:
    target = tmp_path / "rejects"
    target.mkdir()
    (target / "evil").write_text("evil")
    (tmp_path / "mine").write_text("mine")
    source, moved = {
        "outside": (tmp_path / "elsewhere" / "mine", tmp_path / "mine"),
        "renamed": (tmp_path / ".profile", target / "evil"),
        "climbing": (tmp_path / "elsewhere" / "mine", target / ".." / "mine"),
    }[wrong]
    (target / JOURNAL).write_text(json.dumps(Transfer("move", source, moved).to_json()) + "\n")
    with pytest.raises(SettingError, match="not in this folder"):
        list(undo_transfers(target))
    assert not source.exists()


def test_a_journal_is_found_through_a_link_to_its_folder(shoot: Path, tmp_path: Path) -> None:
    before, target = files(shoot), tmp_path / "rejects"
    list(transfer_files(plan_transfers([shoot / "a.jpg"], target, "move"), target))
    (tmp_path / "link").symlink_to(target)
    assert all(not each.problem for each in undo_transfers(tmp_path / "link"))
    assert files(shoot) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone can give a file away")
def test_a_journal_of_another_user_is_not_obeyed(shoot: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    list(transfer_files(plan_transfers([shoot / "a.jpg"], target, "move"), target))
    os.chown(target / JOURNAL, 12345, 12345)
    with pytest.raises(SettingError, match="another user's"):
        list(undo_transfers(target))


@pytest.mark.parametrize("action", ["move", "copy"])
@pytest.mark.parametrize("done", [1, 2, 3])
def test_what_is_left_of_an_interrupted_run_goes_where_it_would_have_gone(
    tmp_path: Path, action: Action, done: int
) -> None:
    names = ["x.jpg", "a/x.jpg", "a/y.jpg", "a/b/x.jpg"]
    shoot, target = tmp_path / "shoot", tmp_path / "rejects"
    for name in names:
        (shoot / name).parent.mkdir(parents=True, exist_ok=True)
        (shoot / name).write_text(name)
    for chosen in (names[:done], names[done:]):
        planned = plan_transfers([shoot / name for name in names], target, action)
        list(transfer_files([each for each in planned if each.source.relative_to(shoot).as_posix() in chosen], target))
        names = [name for name in names if (shoot / name).exists()]  # as the next run finds them
    assert files(target) == {name: name for name in ["a/b/x.jpg", "a/x.jpg", "a/y.jpg", "x.jpg"]}
    assert not any(each.problem for each in undo_transfers(target))
    assert len(files(shoot)) == 4


def test_another_folder_goes_beside_what_came_from_the_first(tmp_path: Path) -> None:
    for name in ("one/a.jpg", "two/b.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
        list(transfer_files(plan_transfers([tmp_path / name], tmp_path / "out", "move"), tmp_path / "out"))
    assert sorted(files(tmp_path / "out")) == ["a.jpg", "b.jpg"]
