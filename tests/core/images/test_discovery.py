"""Which files are meant by what a person names."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from shamisa_cli.core.errors import InputNotFoundError
from shamisa_cli.core.images import discover, discovery, kinds, read_list
from shamisa_cli.core.images.drawings import write_drawing
from shamisa_cli.core.images.listing import CHAINED, natural_key


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names_under(folder: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_a_folder_gives_its_pictures_in_the_order_a_person_counts(tmp_path: Path) -> None:
    fill(tmp_path, "img10.jpg", "img2.jpg", "IMG1.JPG", "notes.txt", "b/9.png", "b/10.png", "a.webp")
    found = discover([tmp_path])
    assert names_under(tmp_path, found) == ["a.webp", "IMG1.JPG", "img2.jpg", "img10.jpg", "b/9.png", "b/10.png"]


@given(st.sets(st.text("aAÄ ٣0129.", min_size=1, max_size=6), min_size=1, max_size=12))
def test_the_order_is_that_of_numbers_in_names_whatever_their_form(stems: set[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = fill(Path(name), *(f"x{stem}.jpg" for stem in stems))
        found = [path.name for path in discover([folder])]
        assert found == sorted((entry.name for entry in folder.iterdir()), key=natural_key)


def test_subfolders_are_left_out_when_asked(tmp_path: Path) -> None:
    fill(tmp_path, "top.jpg", "below/deep.jpg")
    assert names_under(tmp_path, discover([tmp_path], recursive=False)) == ["top.jpg"]


def test_hidden_files_and_folders_are_skipped_unless_named(tmp_path: Path) -> None:
    fill(tmp_path, ".hidden.jpg", ".thumbnails/a.jpg", "seen.jpg")
    assert names_under(tmp_path, discover([tmp_path])) == ["seen.jpg"]
    assert names_under(tmp_path, discover([tmp_path / ".hidden.jpg"])) == [".hidden.jpg"]
    assert names_under(tmp_path, discover([tmp_path / ".thumbnails"])) == [".thumbnails/a.jpg"]


def test_maps_that_the_program_drew_are_no_pictures_of_a_folder_unless_named(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "maps/signed.jpg.txt")
    image = Image.new("RGB", (8, 8))
    write_drawing(image, tmp_path / "maps" / "a.jpg.png")
    image.save(tmp_path / "maps" / "edited.jpg.png")
    write_drawing(image, tmp_path / "maps" / "overall.png")
    (tmp_path / "maps" / "overall.png").rename(tmp_path / "maps" / "OVERALL.PNG")
    photographed = PngInfo()
    photographed.add_text("Software", "shamisa-album 2.1")
    image.save(tmp_path / "maps" / "photo.png", pnginfo=photographed)
    found = discovery.survey([tmp_path])
    assert names_under(tmp_path, list(found.paths)) == ["a.jpg", "maps/edited.jpg.png", "maps/photo.png"]
    assert found.left_out == {".jpg.png": 1, ".png drawn by shamisa": 1}
    assert names_under(tmp_path, discover([tmp_path / "maps" / "a.jpg.png"])) == ["maps/a.jpg.png"]


def test_a_named_file_is_kept_whatever_its_suffix(tmp_path: Path) -> None:
    fill(tmp_path, "photo.dat", "noextension")
    assert len(discover([tmp_path / "photo.dat", str(tmp_path / "noextension")])) == 2


def test_inputs_keep_their_order_and_each_real_file_comes_once(tmp_path: Path) -> None:
    fill(tmp_path, "z.jpg", "f/a.jpg", "f/b.jpg")
    found = discover([tmp_path / "z.jpg", tmp_path / "f" / "b.jpg", tmp_path / "f", tmp_path])
    assert names_under(tmp_path, found) == ["z.jpg", "f/b.jpg", "f/a.jpg"]


def test_a_pattern_means_what_it_matches(tmp_path: Path) -> None:
    fill(tmp_path, "p10.jpg", "p9.jpg", "q.png", ".p1.jpg", "sub/p1.jpg", "sub/deep/p2.jpg")
    assert names_under(tmp_path, discover([f"{tmp_path}/p*.jpg"])) == ["p9.jpg", "p10.jpg"]
    assert names_under(tmp_path, discover([f"{tmp_path}/*/p[0-9].jpg"])) == ["sub/p1.jpg"]
    everywhere = names_under(tmp_path, discover([f"{tmp_path}/**/p?.jpg"]))
    assert everywhere == ["p9.jpg", "sub/p1.jpg", "sub/deep/p2.jpg"]
    assert names_under(tmp_path, discover([f"{tmp_path}/su*"])) == ["sub/p1.jpg", "sub/deep/p2.jpg"]


def test_a_pattern_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.jpg", "b/c.jpg")
    monkeypatch.chdir(tmp_path)
    assert discover(["*.jpg", "*/*.jpg"]) == [Path("a.jpg"), Path("b/c.jpg")]


def test_a_file_called_like_a_pattern_wins(tmp_path: Path) -> None:
    fill(tmp_path, "a[1].jpg", "a1.jpg", "day[2]/b.jpg", "day2/c.jpg")
    assert names_under(tmp_path, discover([f"{tmp_path}/a[1].jpg"])) == ["a[1].jpg"]
    assert names_under(tmp_path, discover([f"{tmp_path}/day[2]/*.jpg"])) == ["day[2]/b.jpg"]


@pytest.mark.parametrize("wanted", ["typo.jpg", "*.jpg", "empty", "", "nowhere/*.png", "nul\0.jpg"])
def test_an_input_that_gives_nothing_is_a_loud_error(
    wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "empty/notes.txt", "other.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputNotFoundError) as caught:
        discover(["other.png", wanted])
    assert wanted in str(caught.value) or repr(wanted) in str(caught.value)


def test_naming_nothing_is_an_error() -> None:
    with pytest.raises(InputNotFoundError):
        discover([])


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_loops_of_links_end_and_linked_folders_are_searched_once(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", "a/1.jpg", "b/2.jpg")
    outside = fill(tmp_path / "outside", "3.jpg")
    for loop in range(12):  # twelve ways round: following each would never end
        (photos / "a" / f"loop{loop}").symlink_to(photos, target_is_directory=True)
        (photos / "b" / f"loop{loop}").symlink_to(photos / "a", target_is_directory=True)
    (photos / "elsewhere").symlink_to(outside, target_is_directory=True)
    (photos / "to_itself").symlink_to(photos / "to_itself")
    (photos / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    expected = {photos / "a" / "1.jpg", photos / "b" / "2.jpg", outside / "3.jpg"}
    for named in (str(photos), f"{photos}/**", f"{photos}/**/*.jpg"):
        found = [path for path in discover([named]) if path.exists()]
        assert len(found) == 3
        assert {path.resolve() for path in found} == {path.resolve() for path in expected}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_to_a_picture_already_found_is_not_a_second_picture(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    assert names_under(tmp_path, discover([tmp_path])) == ["a.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders on Windows")
def test_a_pipe_in_a_folder_is_not_a_picture(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert names_under(tmp_path, discover([tmp_path])) == ["a.jpg"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may list every folder")
def test_a_subfolder_that_may_not_be_listed_is_kept_beside_the_rest(tmp_path: Path) -> None:
    fill(tmp_path, "open/a.jpg", "closed/b.jpg")
    (tmp_path / "closed").chmod(0)
    try:
        assert names_under(tmp_path, discover([tmp_path])) == ["closed", "open/a.jpg"]
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_list_is_one_name_a_line() -> None:
    assert read_list(io.BytesIO(b"a.jpg\r\n\nwith space.png\nlast")) == ["a.jpg", "with space.png", "last"]


def test_a_list_with_any_nul_is_nul_separated() -> None:
    assert read_list(io.BytesIO(b"two\nlines.jpg\0b.jpg\0")) == ["two\nlines.jpg", "b.jpg"]


def test_a_list_may_start_with_a_byte_order_mark_and_be_empty() -> None:
    assert read_list(io.BytesIO(b"\xef\xbb\xbfa.jpg\n")) == ["a.jpg"]
    assert read_list(io.BytesIO(b"")) == []


@given(st.lists(st.binary(min_size=1).filter(lambda name: b"\0" not in name), min_size=1))
def test_every_file_name_survives_a_nul_separated_list(names: list[bytes]) -> None:
    data = b"\0".join(names) + b"\0"
    one_letter_lines = len(names) > 8 and any(b"\n" in name for name in names)  # as UTF-16 without a mark looks
    if (
        not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"BM", b"\xff\x0a", b"GIF8"))
        and not one_letter_lines
    ):
        assert [os.fsencode(name) for name in read_list(io.BytesIO(data))] == names


def test_what_a_folder_holds_of_other_kinds_is_counted_once_and_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "readable_suffixes", lambda: frozenset((".jpg",)))
    monkeypatch.setattr(discovery, "readable_suffixes", lambda: frozenset((".jpg",)))
    fill(tmp_path, "a.jpg", "b.jxl", "c.JXL", "d.CR3", "e.mp4", "notes.txt", "sub/f.jxl", ".hidden.jxl", "x.xmp")
    found = discovery.survey([tmp_path, tmp_path])
    assert names_under(tmp_path, found.paths) == ["a.jpg"]
    assert found.left_out == {".jxl": 3, ".CR3": 1, ".mp4": 1}
    assert kinds.describe_left_out(found.left_out) == (
        "left out: 3 .jxl (pip install 'shamisa[jxl]'), 1 .CR3 (pip install 'shamisa[raw]'), 1 .mp4"
    )
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InputNotFoundError, match=r"Left out: 3 \.jxl"):
        discovery.survey([tmp_path])
    assert names_under(tmp_path, discovery.survey([tmp_path / "d.CR3"]).paths) == ["d.CR3"]


def test_what_an_installed_extra_reads_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.jxl", "b.NEF", "c.heic")
    for installed in (True, False):
        monkeypatch.setattr(kinds, "find_spec", lambda _package, installed=installed: installed or None)
        kinds.readable_suffixes.cache_clear()
        try:
            assert kinds.is_left_out(".JXL") is not installed
            assert (".nef" in kinds.readable_suffixes()) is installed
        finally:
            monkeypatch.undo()
            kinds.readable_suffixes.cache_clear()


def test_a_name_that_stands_for_nothing_is_kept_among_others_on_request(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "empty").mkdir()
    named = [tmp_path / "typo.jpg", tmp_path, tmp_path / "empty", tmp_path / "*.png"]
    found = list(discovery.survey(named, keep_missing=True).paths)
    assert found == [tmp_path / "typo.jpg", tmp_path / "a.jpg", tmp_path / "empty", tmp_path / "*.png"]
    with pytest.raises(InputNotFoundError, match="typo"):
        discovery.survey(named)
    with pytest.raises(InputNotFoundError, match="typo"):
        discovery.survey([named[0], named[2]], keep_missing=True)


def test_what_systems_leave_in_folders_is_not_a_picture(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "._a.jpg", "Thumbs.db", ".DS_Store", "desktop.ini")
    assert names_under(tmp_path, discover([tmp_path])) == ["a.jpg"]
    assert names_under(tmp_path, discover([tmp_path / "*.jpg"])) == ["a.jpg"]


def test_where_each_name_counts_those_without_links_come_first_and_chains_of_links_do_not_multiply(
    tmp_path: Path,
) -> None:
    packages = [f"p{number:02}" for number in range(24)]
    for place, package in enumerate(packages):
        fill(tmp_path / package, "img/a.jpg")
        modules = tmp_path / package / "modules"
        modules.mkdir()
        for other in range(1, 6):
            name = packages[(place + other) % len(packages)]
            (modules / name).symlink_to(Path("..", "..", name))
    names = names_under(tmp_path, list(discovery.survey([tmp_path], every_name=True).paths))
    assert names[:24] == [f"{package}/img/a.jpg" for package in packages]
    through_one = {
        f"{package}/modules/{packages[(place + other) % 24]}/img/a.jpg"
        for place, package in enumerate(packages)
        for other in range(1, 6)
    }
    assert through_one <= set(names)
    assert len(names) <= 24 * CHAINED


@pytest.mark.parametrize(
    "named",
    [
        ".", "**/*.jpg", "**/*", "**", "**/img", "packages/*", "every package", "packages/*/**/*.jpg",
        "packages/p0*/**/*.jpg", "**/modules/**/*.jpg",
    ],
)  # fmt: skip
@pytest.mark.parametrize("every_name", [False, True])
def test_packages_that_link_to_each_other_are_read_by_their_own_names_however_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_name: bool, named: str
) -> None:
    count = 60
    packages = [f"packages/p{number:02}" for number in range(count)]
    for place, package in enumerate(packages):
        modules = fill(tmp_path / package, "img/a.jpg") / "modules"
        modules.mkdir()
        for step in (1, 7, 20):
            other = packages[(place + step) % count].rpartition("/")[2]
            (modules / other).symlink_to(Path("..", "..", other))
    listed = []
    scandir, listdir = os.scandir, os.listdir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or scandir(folder))
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or listdir(folder))
    monkeypatch.chdir(tmp_path)
    inputs = packages if named == "every package" else [named]
    found = list(map(str, discovery.survey(inputs, every_name=every_name).paths))
    own = {f"{package}/img/a.jpg" for package in packages}
    is_part = named in ("packages/p0*/**/*.jpg", "**/modules/**/*.jpg")
    assert is_part or own <= set(found)
    assert {os.path.realpath(each) for each in found} == {os.path.realpath(each) for each in own}
    through_one = {
        f"{package}/modules/p{(place + step) % count:02}/img/a.jpg"
        for place, package in enumerate(packages)
        for step in (1, 7, 20)
    }
    assert not every_name or is_part or through_one <= set(found)
    assert len(found) <= (count * (discovery.MOST_NAMES + 1) if every_name else count)
    folders = 3 * count + 2
    assert len(listed) <= 4 * folders * (discovery.MOST_NAMES if every_name else 2)


def test_what_forty_links_lead_to_is_read_by_its_own_name(tmp_path: Path) -> None:
    names = [f"p{number:02}" for number in range(50)]
    for place, name in enumerate(names):
        fill(tmp_path / name, "z.jpg")
        (tmp_path / name / "next").symlink_to(Path("..", names[(place + 1) % 50]))
    assert names_under(tmp_path, discover([tmp_path])) == [f"{name}/z.jpg" for name in names]


def test_a_folder_of_links_to_what_was_named_before_is_no_error(tmp_path: Path) -> None:
    fill(tmp_path / "album", "x.jpg")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "album").symlink_to("../album")
    assert names_under(tmp_path, discover([tmp_path / "album", tmp_path / "links"])) == ["album/x.jpg"]
    assert names_under(tmp_path, discover([tmp_path / "links", tmp_path / "album"])) == ["album/x.jpg"]
    assert names_under(tmp_path, discover([tmp_path / "album", tmp_path / "li*"])) == ["album/x.jpg"]
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    (tmp_path / "empty" / "again").symlink_to("inner")
    with pytest.raises(InputNotFoundError, match="No picture was found in the folder"):
        discover([tmp_path / "empty"])


def test_a_pattern_that_matches_a_folder_and_what_is_in_it_reads_it_once_with_hidden_folders(tmp_path: Path) -> None:
    fill(tmp_path, "a/b/x.jpg", ".a/.b/y.jpg", ".a/z.jpg")
    assert names_under(tmp_path, discover([tmp_path / "**"])) == ["a/b/x.jpg"]
    assert names_under(tmp_path, discover([tmp_path / ".a" / "**" / ".*"])) == [".a/.b/y.jpg"]
    assert names_under(tmp_path, sorted(discover([tmp_path / ".*", tmp_path / ".*" / ".*"]))) == [
        ".a/.b/y.jpg", ".a/z.jpg",
    ]  # fmt: skip
    assert names_under(tmp_path, discover([tmp_path / "**" / "*.jpg"])) == ["a/b/x.jpg"]


def test_names_through_two_links_count_where_they_are_few(tmp_path: Path) -> None:
    fill(tmp_path, "shared/uploads/x.jpg", "releases/42/y.jpg")
    (tmp_path / "releases" / "42" / "uploads").symlink_to("../../shared/uploads")
    (tmp_path / "current").symlink_to("releases/42")
    found = discovery.survey([tmp_path], every_name=True).paths
    assert sorted(names_under(tmp_path, list(found))) == [
        "current/uploads/x.jpg", "current/y.jpg", "releases/42/uploads/x.jpg", "releases/42/y.jpg",
        "shared/uploads/x.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize("links", ["best", "selected"])
@pytest.mark.parametrize("every_name", [False, True])
def test_a_file_is_known_by_its_own_name_before_those_of_links_to_it(
    tmp_path: Path, links: str, every_name: bool
) -> None:
    fill(tmp_path, "raw/a.jpg", "raw/b.jpg", "raw/c.jpg")
    (tmp_path / links).mkdir()
    (tmp_path / links / "1.jpg").symlink_to("../raw/b.jpg")
    (tmp_path / links / "2.jpg").symlink_to("1.jpg")
    own = ["raw/a.jpg", "raw/b.jpg", "raw/c.jpg"]
    found = list(discovery.survey([tmp_path], every_name=every_name).paths)
    named = names_under(tmp_path, found)
    assert [each for each in named if each.startswith("raw")] == own
    assert len(found) == (5 if every_name else 3)
    paths = [tmp_path / links / "1.jpg", tmp_path / "raw" / "b.jpg", tmp_path / "raw" / "a.jpg"]
    assert discovery.each_once(paths) == discover(paths) == paths[1:]
    assert discovery.each_once(paths[:1]) == discover(paths[:1]) == paths[:1]


@pytest.mark.parametrize("named", [["."], ["*"], ["best", "raw"], ["raw", "best"], ["**"], ["*/*/*.jpg", "raw"]])
def test_a_file_is_known_by_its_own_name_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: list[str]
) -> None:
    fill(tmp_path, "raw/0.jpg", "raw/1.jpg", "raw/2.jpg")
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "1.jpg").symlink_to("../raw/1.jpg")
    (tmp_path / "best" / "all").symlink_to("../raw")
    monkeypatch.chdir(tmp_path)
    assert sorted(map(str, discover(named))) == ["raw/0.jpg", "raw/1.jpg", "raw/2.jpg"]
    assert sorted(map(str, discover(["best"]))) == ["best/all/0.jpg", "best/all/1.jpg", "best/all/2.jpg"]


def test_one_name_is_one_however_it_is_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "here", "x.jpg", "deep/y.jpg")
    (tmp_path / "link").symlink_to("here/deep")
    monkeypatch.chdir(tmp_path / "here")
    inputs = ["../here", ".", str(tmp_path / "here"), "deep/../x.jpg", "../link/../x.jpg"]
    assert len(discovery.survey(inputs, every_name=True).paths) == 3  # the last leads through a link


def test_what_only_a_chain_of_links_leads_to_is_found_where_each_name_counts(tmp_path: Path) -> None:
    fill(tmp_path / "far", "x.jpg")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "on").symlink_to("../far")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "first").symlink_to("../near")
    found = discovery.survey([tmp_path / "here"], every_name=True).paths
    assert names_under(tmp_path, list(found)) == ["here/first/on/x.jpg"]


def test_a_link_that_leads_nowhere_is_kept_if_it_may_be_a_picture(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to("b.jpg")
    (tmp_path / "c.jpg").symlink_to("gone.jpg")
    (tmp_path / "d.jpg").symlink_to("a.jpg")
    (tmp_path / "e").symlink_to("gone")
    others = ("f.txt", "f.MP4", "a.jpg.xmp", "a.jpg.PP3", "f.md", "f.json", "f.log", "f.yaml", "f.lock")
    maybe = ("2024.05.12 Wedding", "Photos.Rome", "v1.2")  # folders on a disk that is not mounted
    for name in (*others, *maybe):
        (tmp_path / name).symlink_to(f"gone {name}")
    assert names_under(tmp_path, discover([tmp_path])) == [*maybe[:1], "a.jpg", "b.jpg", "c.jpg", "e", *maybe[1:]]


@pytest.mark.parametrize("system", ["@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", "System Volume Information"])
def test_folders_of_drives_and_systems_are_read_only_where_they_are_named(tmp_path: Path, system: str) -> None:
    thumbnail = tmp_path / "shoot" / system / "IMG_1.jpg" / "THUMB.jpg"
    thumbnail.parent.mkdir(parents=True)
    for path in (thumbnail, tmp_path / "shoot" / "IMG_1.jpg"):
        path.write_bytes(b"x")
    assert discover([tmp_path]) == [tmp_path / "shoot" / "IMG_1.jpg"]
    assert discover([tmp_path / "shoot" / "*"]) == [tmp_path / "shoot" / "IMG_1.jpg"]
    assert discover([tmp_path / "**" / "*.jpg"]) == [tmp_path / "shoot" / "IMG_1.jpg"]
    assert discover([tmp_path / "shoot" / system]) == [thumbnail]


def test_one_look_into_each_folder_is_enough_but_for_pngs_and_webps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a.jpg", "b.mp4", "c.txt", "below/d.jpg", "below/deep/e.tif")
    listed: list[str] = []
    scandir = os.scandir

    def watched(folder: Path) -> object:
        listed.append(os.fspath(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", watched)
    monkeypatch.setattr(os, "stat", lambda *_: pytest.fail("a file in a folder was asked about"))
    found = [path for _, path in discovery._Search(recursive=True, allow_empty=False)._pictures_in(tmp_path)]
    assert names_under(tmp_path, list(map(Path, found))) == ["a.jpg", "below/d.jpg", "below/deep/e.tif"]
    assert listed == [str(tmp_path), str(tmp_path / "below"), str(tmp_path / "below" / "deep")]


def test_a_picture_below_very_many_folders_is_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(900):
        Path("d").mkdir()
        os.chdir("d")
    Path("a.jpg").touch()
    os.chdir(tmp_path)
    began = time.process_time()
    assert [len(path.parts) for path in discover(["d"])] == [901]
    assert time.process_time() - began < 5
