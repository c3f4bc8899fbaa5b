from __future__ import annotations

import gzip
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shamisa_cli.core.cluster import sources
from shamisa_cli.core.cluster.sources import find_sources, iter_tar, read_bytes
from shamisa_cli.core.errors import ImageError, InputNotFoundError, SettingError
from shamisa_cli.core.scoring.feature_formats import FileStamp


def test_folders_give_pictures_and_tars_under_their_whole_names(
    photos: Path, tar: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "more").mkdir()
    (photos / "more" / "000.tar").write_bytes(tar)
    monkeypatch.chdir(photos.parent)
    found = find_sources(["photos", photos / "00.jpg"])
    assert [stamp.path for stamp in found.pictures] == sorted(str(path) for path in photos.glob("*.jpg"))
    assert [stamp.path for stamp in found.tars] == [str(photos / "more" / "000.tar")]
    assert found.pictures[0] == FileStamp.of(photos / "00.jpg")
    assert find_sources(["photos"], recursive=False).tars == ()


def test_object_stores_give_pictures_and_tars_under_addresses_that_open(bucket: str, jpegs: dict[str, bytes]) -> None:
    found = find_sources([bucket])
    assert [stamp.path for stamp in found.pictures] == [f"{bucket}/photos/{name}" for name in jpegs]
    assert [stamp.path for stamp in found.tars] == [f"{bucket}/tars/000.tar"]
    assert [read_bytes(stamp) for stamp in found.pictures] == list(jpegs.values())
    assert [stamp.size for stamp in found.pictures] == [len(data) for data in jpegs.values()]
    assert find_sources([f"{bucket}/photos/0*.jpg"]).pictures == found.pictures[:10]
    assert find_sources([f"{bucket}/photos/03.jpg"]).pictures == found.pictures[3:4]


def test_the_pictures_in_a_tar_have_addresses_that_open(bucket: str, jpegs: dict[str, bytes]) -> None:
    (tar,) = find_sources([f"{bucket}/tars"]).tars
    inside = dict(iter_tar(tar))
    assert list(inside.values()) == list(jpegs.values())
    for stamp, content in inside.items():
        with fsspec.open(stamp.path, "rb") as stream:
            assert stream.read() == content


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_that_was_cut_gives_what_comes_before_the_cut_and_says_so(
    tmp_path: Path, tar: bytes, jpegs: dict[str, bytes], packed: bool
) -> None:
    data = gzip.compress(tar) if packed else tar
    path = tmp_path / ("0.tar.gz" if packed else "0.tar")
    path.write_bytes(data[: len(data) // 2])
    *before, (last, error) = iter_tar(FileStamp.of(path))
    assert [content for _, content in before] == list(jpegs.values())[: len(before)]
    assert 3 < len(before) < 12
    assert last.path == str(path)
    assert isinstance(error, ImageError)
    assert "damaged or cut short" in str(error)


def test_a_picture_that_is_gone_is_an_error_of_its_own(tmp_path: Path) -> None:
    gone = read_bytes(FileStamp(str(tmp_path / "gone.jpg"), 1, 1))
    assert isinstance(gone, ImageError)
    assert gone.kind == "missing"


def test_a_name_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    for name in (str(tmp_path / "gone"), "memory://nothing/here"):
        with pytest.raises(InputNotFoundError, match=name):
            find_sources([name])


def test_a_name_that_leads_nowhere_ends_nothing_where_others_are_there(photos: Path, bucket: str) -> None:
    gone = [str(photos / "gone.jpg"), f"{bucket}/gone.jpg"]
    found = find_sources([*gone, photos / "00.jpg"])
    assert [stamp.path for stamp in found.pictures] == sorted([str(photos / "00.jpg"), *gone])


def test_an_address_that_nothing_here_can_open_is_refused_with_the_reason() -> None:
    with pytest.raises(SettingError, match=r"nowhere://bucket cannot be opened: .*nowhere"):
        find_sources(["nowhere://bucket"])


def test_a_folder_called_like_a_tar_is_a_folder(photos: Path, jpegs: dict[str, bytes]) -> None:
    (photos / "unpacked.tar").mkdir()
    (photos / "unpacked.tar" / "x.jpg").write_bytes(jpegs["00.jpg"])
    found = find_sources([photos])
    assert found.tars == ()
    assert str(photos / "unpacked.tar" / "x.jpg") in [stamp.path for stamp in found.pictures]


@pytest.mark.parametrize("headers", [{"GNU.sparse.map": "a,b"}, {"GNU.sparse.size": "x"}])
def test_a_tar_with_headers_that_make_no_sense_is_damaged(
    jpegs: dict[str, bytes], headers: dict[str, str], bucket: str
) -> None:
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, pax in (("0.jpg", {}), ("1.jpg", headers)):
            information = tarfile.TarInfo(name)
            information.size, information.pax_headers = len(jpegs["00.jpg"]), pax
            archive.addfile(information, BytesIO(jpegs["00.jpg"]))
    fsspec.filesystem("memory").pipe_file("/bucket/odd.tar", stream.getvalue())
    (tar,) = find_sources([f"{bucket}/odd.tar"]).tars
    (_, first), (_, error) = iter_tar(tar)
    assert first == jpegs["00.jpg"]
    assert isinstance(error, ImageError)
    assert "damaged or cut short" in str(error)


def test_what_is_too_large_for_a_picture_is_not_read(
    bucket: str, jpegs: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    most = sorted(map(len, jpegs.values()))[5]
    monkeypatch.setattr(sources, "MOST_BYTES", most)
    found = find_sources([bucket])
    unsized = [replace(stamp, size=0) for stamp in found.pictures]
    for given in (
        [read_bytes(stamp) for stamp in found.pictures],
        [read_bytes(stamp) for stamp in unsized],
        [content for _, content in iter_tar(found.tars[0])],
    ):
        for data, content in zip(jpegs.values(), given, strict=True):
            if len(data) <= most:
                assert content == data
            else:
                assert isinstance(content, ImageError)
                assert content.kind == "too-large"


def test_what_is_gone_from_a_list_is_kept_and_says_so(photos: Path, bucket: str) -> None:
    gone = [str(photos / "gone.jpg"), f"{bucket}/gone.jpg", str(photos / "gone.tar"), f"{bucket}/gone.tar"]
    found = find_sources([photos / "00.jpg"], listed=[str(photos / "01.jpg"), *gone])
    assert [stamp.path for stamp in found.pictures] == sorted(
        [str(photos / "00.jpg"), str(photos / "01.jpg"), *gone[:2]]
    )
    said = [read_bytes(stamp) for stamp in found.pictures if stamp.path in gone]
    said += [content for tar in found.tars for _, content in iter_tar(tar)]
    assert len(said) == 4
    for error in said:
        assert isinstance(error, ImageError)
        assert error.kind == "missing"
    (photos / "empty").mkdir()
    with pytest.raises(InputNotFoundError, match="empty"):
        find_sources([], listed=[photos / "empty"])


def test_a_picture_in_a_tar_may_be_named_by_its_address(bucket: str, jpegs: dict[str, bytes]) -> None:
    address = f"tar://03.jpg::{bucket}/tars/000.tar"
    found = find_sources([address])
    assert [stamp.path for stamp in found.pictures] == [address]
    assert found.tars == ()
    assert read_bytes(found.pictures[0]) == jpegs["03.jpg"]
    for gone in (f"tar://none.jpg::{bucket}/tars/000.tar", f"tar://03.jpg::{bucket}/tars/none.tar"):
        with pytest.raises(InputNotFoundError, match=r"tar://"):
            find_sources([gone])


def test_other_chains_of_addresses_are_refused(bucket: str) -> None:
    with pytest.raises(SettingError, match="is a chained address"):
        find_sources([f"simplecache::{bucket}/photos"])
    fsspec.filesystem("memory").pipe_file("/bucket/none.tar", b"nothing of that kind")
    with pytest.raises(SettingError, match=r"none\.tar cannot be opened"):
        find_sources([f"tar://0.jpg::{bucket}/none.tar"])


def test_an_object_that_is_called_like_a_pattern_is_that_object(bucket: str, jpegs: dict[str, bytes]) -> None:
    for name in ("is it?.jpg", "[1].jpg"):
        fsspec.filesystem("memory").pipe_file(f"/bucket/photos/{name}", jpegs["00.jpg"])
        assert [stamp.path for stamp in find_sources([f"{bucket}/photos/{name}"]).pictures] == [
            f"{bucket}/photos/{name}"
        ]


@pytest.mark.parametrize("date", ["yesterday", "", float("inf")])
def test_a_date_that_cannot_be_read_is_none(bucket: str, monkeypatch: pytest.MonkeyPatch, date: str | float) -> None:
    really = MemoryFileSystem.info

    def info(store: MemoryFileSystem, path: str, **settings: object) -> dict[str, object]:
        return {**really(store, path, **settings), "LastModified": date}

    monkeypatch.setattr(MemoryFileSystem, "info", info)
    (picture,) = find_sources([f"{bucket}/photos/03.jpg"]).pictures
    assert picture.mtime == 0


def test_links_in_a_tar_are_rows_and_what_systems_keep_is_none(tmp_path: Path, jpegs: dict[str, bytes]) -> None:
    content = next(iter(jpegs.values()))
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("a.jpg", "../up.jpg", "@eaDir/a.jpg", ".hidden/a.jpg", "__MACOSX/._a.jpg"):
            information = tarfile.TarInfo(name)
            information.size = len(content)
            archive.addfile(information, BytesIO(content))
        for name, kind in (
            ("hard.jpg", tarfile.LNKTYPE),
            ("soft.jpg", tarfile.SYMTYPE),
            ("folder.jpg", tarfile.DIRTYPE),
        ):
            information = tarfile.TarInfo(name)
            information.type, information.linkname = kind, "a.jpg"
            archive.addfile(information)
    found = {stamp.path.split("::")[0]: read for stamp, read in iter_tar(FileStamp.of(tmp_path / "a.tar"))}
    assert [name for name, read in found.items() if read == content] == ["tar://a.jpg", "tar://../up.jpg"]
    links = {name: read for name, read in found.items() if isinstance(read, ImageError)}
    assert sorted(links) == ["tar://hard.jpg", "tar://soft.jpg"]
    assert all("is a link. Make the archive with tar --dereference" in str(error) for error in links.values())
