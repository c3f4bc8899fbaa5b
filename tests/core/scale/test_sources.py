from __future__ import annotations

import gzip
from pathlib import Path

import fsspec
import pytest

from shamisa_cli.core.errors import ImageError, InputNotFoundError, SettingError
from shamisa_cli.core.scale.sources import contents, find_sources, members
from shamisa_cli.core.scoring.embeddings import FileStamp


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
    assert [contents(stamp) for stamp in found.pictures] == list(jpegs.values())
    assert [stamp.size for stamp in found.pictures] == [len(data) for data in jpegs.values()]
    assert find_sources([f"{bucket}/photos/0*.jpg"]).pictures == found.pictures[:10]
    assert find_sources([f"{bucket}/photos/03.jpg"]).pictures == found.pictures[3:4]


def test_the_pictures_in_a_tar_have_addresses_that_open(bucket: str, jpegs: dict[str, bytes]) -> None:
    (tar,) = find_sources([f"{bucket}/tars"]).tars
    inside = dict(members(tar))
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
    *before, (last, error) = members(FileStamp.of(path))
    assert [content for _, content in before] == list(jpegs.values())[: len(before)]
    assert 3 < len(before) < 12
    assert last.path == str(path)
    assert isinstance(error, ImageError)
    assert "damaged or cut short" in str(error)


def test_a_picture_that_is_gone_is_an_error_of_its_own(tmp_path: Path) -> None:
    gone = contents(FileStamp(str(tmp_path / "gone.jpg"), 1, 1))
    assert isinstance(gone, ImageError)
    assert gone.kind == "missing"


def test_a_name_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    for name in (str(tmp_path / "gone"), "memory://nothing/here"):
        with pytest.raises(InputNotFoundError, match=name):
            find_sources([name])


def test_an_address_that_nothing_here_can_open_is_refused_with_the_reason() -> None:
    with pytest.raises(SettingError, match=r"nowhere://bucket cannot be opened: .*nowhere"):
        find_sources(["nowhere://bucket"])
