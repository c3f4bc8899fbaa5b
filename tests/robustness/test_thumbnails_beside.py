"""Thumbnails beside a page are never taken for photographs, and come in the place of nothing of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.pictures import save_noise
from helpers.program import run_here as shamisa
from PIL import Image

from shamisa_cli.cli.reporters.html import page as page_module
from shamisa_cli.core import atomic
from shamisa_cli.core.images.drawings import is_drawing
from shamisa_cli.core.scoring import thumbnails


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with four pictures, whose thumbnails are as many as those of 20,000."""
    monkeypatch.setattr(thumbnails, "MOST_INLINE_BYTES", 10)
    save_noise(tmp_path / "photos", [(120, 80)] * 4, blur=0.2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(model: Path, *further: str, page: str = "photos/report.html") -> object:
    return shamisa("score", "photos", "--html", page, "--model", model, "-f", "csv", *further)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_thumbnails_of_a_report_are_no_photographs_of_the_next_run(tiny_model: Path, place: Path) -> None:
    first = report(tiny_model)
    files = sorted((place / "photos/report-pictures").iterdir())
    assert len(files) >= 4
    assert all(is_drawing(file) for file in files)
    for file in files:
        with Image.open(file) as picture:
            picture.load()
    second = report(tiny_model)
    assert (second.stdout, second.returncode) == (first.stdout, 0)
    assert f"{len(files)} left out" in second.stderr
    listed = shamisa("cull", "photos", "--below", "100", "--list", "rejected", "--model", tiny_model)
    assert len(listed.stdout.splitlines()) == 4
    (place / "copied").mkdir()
    files[0].rename(place / "copied/holiday.WEBP")
    assert "1 .webp drawn by shamisa" in shamisa("score", "copied", "--model", tiny_model).stderr


@pytest.mark.parametrize("foreign", ["1.webp", "notes.txt", "0/1.webp", "0.webp/", "as a file", "as a link"])
def test_a_folder_of_the_users_is_refused_before_any_picture_is_read(
    tiny_model: Path, place: Path, foreign: str
) -> None:
    folder = place / "photos/report-pictures"
    if foreign == "as a file":
        folder.write_bytes(b"mine")
    elif foreign == "as a link":
        (place / "elsewhere").mkdir()
        folder.symlink_to(place / "elsewhere")
    else:
        (folder / foreign).parent.mkdir(parents=True)
        if foreign.endswith("/"):
            (folder / foreign).mkdir()
        else:
            Image.new("RGB", (9, 9)).save(folder / foreign, format="webp")
    before = contents(place)
    done = report(tiny_model)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "report-pictures" in done.stderr
    assert "give the page another name" in done.stderr
    assert contents(place) == before


def test_what_a_folder_got_by_being_looked_at_is_no_obstacle(tiny_model: Path, place: Path) -> None:
    report(tiny_model)
    for name in ("Thumbs.db", ".DS_Store"):
        (place / "photos/report-pictures" / name).touch()
    assert report(tiny_model).returncode == 0
    assert all(is_drawing(file) for file in (place / "photos/report-pictures").iterdir())


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, *, writing: str) -> None:
    """Leave no room for the fourth thumbnail, or none for the page."""
    written = []
    sign = thumbnails.signed_webp

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def signed(*given: object) -> bytes:
        written.append(given)
        return full() if len(written) > 3 else sign(*given)

    if writing == "the page":
        monkeypatch.setattr(atomic.UnfinishedFile, "complete", full)
    else:
        monkeypatch.setattr(thumbnails, "signed_webp", signed)


@pytest.mark.parametrize("writing", ["the page", "the thumbnails"])
def test_a_page_that_cannot_be_written_leaves_the_earlier_one_with_its_thumbnails(
    tiny_model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, writing: str
) -> None:
    report(tiny_model)
    for picture in (place / "photos").glob("*.jpg"):
        Image.open(picture).rotate(180).save(picture)
    before = contents(place)
    fill_the_disk(monkeypatch, writing=writing)
    done = report(tiny_model)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert contents(place) == before


@pytest.mark.parametrize("writing", ["the page", "the thumbnails"])
def test_a_page_that_cannot_be_written_leaves_nothing(
    tiny_model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, writing: str
) -> None:
    before = contents(place)
    fill_the_disk(monkeypatch, writing=writing)
    done = report(tiny_model, page="new/report.html")
    assert done.returncode == 2
    assert "report" in done.stderr
    assert contents(place) == before
    assert not (place / "new").exists()


def test_the_thumbnails_of_a_killed_run_are_removed_by_the_next_one(
    tiny_model: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = place / "photos" / f"{atomic.TEMPORARY}0123456789ab"
    left.mkdir()
    (left / "0.webp").touch()
    seen = []
    written = page_module._write_pictures

    def looking(*given: object) -> None:
        atomic._remove_left_over.cache_clear()  # as another process would begin
        atomic._remove_left_over(place / "photos")
        seen.extend(path.name for path in (place / "photos").glob(f"{atomic.TEMPORARY}*") if path.is_dir())
        written(*given)

    monkeypatch.setattr(page_module, "_write_pictures", looking)
    assert report(tiny_model).returncode == 0
    assert len(seen) == 1
    assert left.name not in seen
    assert not list((place / "photos").glob(f"{atomic.TEMPORARY}*"))
