from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shamisa_cli.core.cluster.division import require_only_part
from shamisa_cli.core.cluster.part_number import PartNumber, require_count
from shamisa_cli.core.errors import SettingError

names = st.text(st.characters(exclude_characters="\0"), min_size=1)


@given(st.lists(names, unique=True, max_size=50), st.integers(1, 20))
def test_every_picture_belongs_to_exactly_one_part(pictures: list[str], count: int) -> None:
    for picture in pictures:
        assert sum(PartNumber(index, count).contains(picture) for index in range(1, count + 1)) == 1


def test_a_picture_belongs_where_it_always_did() -> None:
    """Machines of a job may run different releases of Python, and a job may go on after an upgrade."""
    homes = [PartNumber.for_image(Path("photos") / f"{number}.jpg", 4).index for number in range(8)]
    assert homes == [PartNumber.for_image(f"photos/{number}.jpg", 4).index for number in range(8)]
    assert homes == [2, 4, 4, 1, 1, 4, 4, 1]


def test_parts_are_about_the_same_size() -> None:
    sizes = [0] * 10
    for number in range(10_000):
        sizes[PartNumber.for_image(f"photos/{number}.jpg", 10).index - 1] += 1
    assert min(sizes) > 850  # five deviations of a fair division
    assert max(sizes) < 1150


def test_names_that_are_no_text_have_a_part_too() -> None:
    assert PartNumber(1, 1).contains(b"caf\xe9.jpg".decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/", "a/b", "-1/4", "1/4 ", "1/0"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="I from 1 to N"):
        PartNumber.parse(text)


def test_a_file_says_which_part_it_holds() -> None:
    assert PartNumber.parse("3/100") == PartNumber(3, 100)
    assert PartNumber(3, 100).file_name == "part-00003-of-00100.parquet"
    assert PartNumber.of_file("part-00003-of-00100.parquet") == PartNumber(3, 100)
    assert PartNumber.of_file("scores.parquet") is None


def test_a_folder_is_divided_in_one_way_only() -> None:
    require_count(["part-00003-of-00100.parquet", "notes.txt"], 100, "out")
    with pytest.raises(SettingError, match="one of 100 parts, and this job has 50"):
        require_count(["part-00003-of-00100.parquet"], 50, "out")


def test_a_file_that_is_no_table_holds_nobodys_pictures(tmp_path: Path) -> None:
    for name in ("gone.parquet", "scores.csv"):
        require_only_part(tmp_path / name, PartNumber(1, 2))
    for name in ("x.parquet", "x.npz", "x.safetensors"):
        (tmp_path / name).write_bytes(b"nothing of that kind")
        require_only_part(tmp_path / name, PartNumber(1, 2))
