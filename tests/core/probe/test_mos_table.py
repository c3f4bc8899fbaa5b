"""Tables of human scores: what is accepted, and what is said about the rest."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import save_noise
from hypothesis import given
from hypothesis import strategies as st

import shamisa_cli
from shamisa_cli.core.errors import MosTableError, SettingError
from shamisa_cli.core.probe import csv_rows
from shamisa_cli.core.probe.mos_table import MosTable, read_mos_table, too_few_images

ROWS = [f"p{number}.jpg,{number / 10}" for number in range(12)]


def write(folder, text, name="mos.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(*, header="image,mos", rows=ROWS, end="\n"):
    return end.join([header, *rows]) + end


def with_line(number, text):
    """The good table with one line, counted from 1, replaced."""
    lines = table().splitlines()
    lines[number - 1] = text
    return "\n".join(lines) + "\n"


def message(path, **columns):
    with pytest.raises(MosTableError) as caught:
        read_mos_table(path, **columns)
    return str(caught.value)


def test_pictures_are_relative_to_the_table_and_rows_keep_their_order(tmp_path):
    read = read_mos_table(write(tmp_path, table()))
    assert read.paths == tuple(tmp_path / f"p{number}.jpg" for number in range(12))
    np.testing.assert_array_equal(read.mos, [number / 10 for number in range(12)])
    assert read.groups is None
    assert read.subsets is None
    assert len(read) == 12


def test_columns_go_by_name_and_others_are_ignored(tmp_path):
    rows = [f"x,{number},/pictures/{number}.png,ref{number % 3},part{number % 2}" for number in range(10)]
    path = write(tmp_path, table(header="note,DMOS,file,scene,kind", rows=rows))
    read = read_mos_table(path, image_column="file", mos_column="DMOS", group_column="scene", subset_column="kind")
    assert str(read.paths[4]) == "/pictures/4.png"
    assert read.groups is not None
    assert read.groups[:4] == ("ref0", "ref1", "ref2", "ref0")
    assert read.subsets is not None
    assert read.subsets[:3] == ("part0", "part1", "part0")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spreadsheet_exports_are_read(tmp_path, end):
    rows = [*ROWS, "", '"a, ""b"".jpg", 3.5 ']
    read = read_mos_table(write(tmp_path, ("\ufeff" + table(header=" image , mos", rows=rows, end=end)).encode()))
    assert read.paths[-1].name == 'a, "b".jpg'
    assert read.mos[-1] == 3.5


def test_rows_can_be_taken_out(tmp_path):
    rows = [f"{number}.png,{number},g{number},s{number}" for number in range(10)]
    path = write(tmp_path, table(header="image,mos,group,subset", rows=rows))
    part = read_mos_table(path, group_column="group", subset_column="subset").take([7, 2])
    assert [picture.name for picture in part.paths] == ["7.png", "2.png"]
    assert part.mos.tolist() == [7, 2]
    assert (part.groups, part.subsets) == (("g7", "g2"), ("s7", "s2"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (with_line(7, "p5.jpg,good"), ["line 7, column 'mos'", "'good'", "not a number"]),
        (with_line(3, "p1.jpg,0;5"), ["line 3, column 'mos'", "'0;5'", "finite number"]),
        (with_line(3, "p1.jpg,1_0"), ["line 3, column 'mos'", "'1_0'", "not a number"]),
        (with_line(4, "p2.jpg,nan"), ["line 4, column 'mos'", "finite number"]),
        (with_line(4, "p2.jpg,-inf"), ["line 4, column 'mos'", "finite number"]),
        (with_line(4, "p2.jpg,1e999"), ["line 4, column 'mos'", "finite number"]),
        (with_line(4, "p2.jpg,1e200"), ["line 4, column 'mos'", "finite number"]),
        (with_line(5, "p3.jpg,"), ["line 5, column 'mos'", "is empty", "number"]),
        (with_line(5, " ,0.3"), ["line 5, column 'image'", "is empty", "name"]),
        (with_line(5, "a\0b.jpg,0.3"), ["line 5, column 'image'", "zero byte"]),
        (with_line(9, "./p2.jpg,0.7"), ["line 9, column 'image'", "'./p2.jpg'", "line 4"]),
        (with_line(6, "p4.jpg,0.4,extra"), ["line 6", "3 cells", "2 were expected"]),
        (with_line(6, "p4.jpg"), ["line 6", "1 cells", "2 were expected"]),
        (with_line(6, 'p4.jpg,"0.4'), ["line 6", "not CSV"]),
        (with_line(1, "image,moss"), ["line 1, column 'mos'", "missing", "'image', 'moss'", "Did you mean 'moss'?"]),
        (with_line(1, "image,MOS"), ["line 1, column 'mos'", "missing", "'MOS'"]),
        (with_line(1, "image;mos"), ["line 1, column 'image'", "something other than commas"]),
        (with_line(1, "mos,mos"), ["line 1", "column 'image'", "missing"]),
        (table(header="image,mos,mos", rows=[row + ",1" for row in ROWS]), ["line 1, column 'mos'", "twice"]),
        (table(rows=ROWS[:9]), ["9 scored pictures", "at least 10"]),
        (table(rows=[]), ["0 scored pictures", "at least 10"]),
        ("", ["line 1, column 'image'", "missing", "none"]),
        (table(rows=[f"p{number}.jpg,2.5" for number in range(12)]), ["column 'mos'", "2.5 in every row"]),
        (table(rows=[f"p{number}.jpg,{number}e-320" for number in range(12)]), ["column 'mos'", "differs by"]),
        (table().encode() + b"caf\xe9.jpg,1\n", ["line 14, byte 4", "UTF-8"]),
        (b"\xef\xbb\xbfimage,m\xffs\n", ["line 1, byte 8", "UTF-8"]),
        (table().encode("utf-16"), ["line 1, byte 1", "UTF-8"]),
    ],
)
def test_a_bad_table_is_told_by_file_line_and_column(tmp_path, text, parts):
    path = write(tmp_path, text)
    told = message(path)
    assert str(path) in told
    for part in parts:
        assert part in told


def test_lines_are_counted_as_an_editor_does(tmp_path):
    rows = [*ROWS[:3], "", '"two\nlines.jpg",0.55', "p9.jpg,bad", *ROWS[3:]]
    assert "line 8, column 'mos'" in message(write(tmp_path, table(rows=rows)))


@pytest.mark.parametrize("role", ["group_column", "subset_column"])
def test_columns_asked_for_must_be_there_and_filled(tmp_path, role):
    path = write(tmp_path, table(header="image,mos,scene", rows=[*(row + ",a" for row in ROWS[:-1]), ROWS[-1] + ","]))
    assert "line 13, column 'scene' is empty" in message(path, **{role: "scene"})
    assert "Did you mean 'scene'?" in message(path, **{role: "scenes"})


def test_what_is_no_file_is_told(tmp_path):
    assert "does not exist" in message(tmp_path / "absent.csv")
    assert "cannot be read" in message(tmp_path)


def test_a_file_too_large_to_be_a_table_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_BYTES", 50)
    assert "is larger than" in message(write(tmp_path, table()))


def test_a_cell_too_large_for_csv_is_an_error_of_the_table(tmp_path):
    assert "line 3" in message(write(tmp_path, with_line(3, "x" * 200_000 + ",1")))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_table_or_a_sentence(tmp_path_factory, data):
    path = write(tmp_path_factory.getbasetemp(), b"image,mos\n" + data, "fuzz.csv")
    try:
        outcome = read_mos_table(path)
    except MosTableError as error:
        outcome = error
    assert str(path) in str(outcome) or len(outcome) >= 10


def in_memory(count=12, **columns):
    given = {"paths": [f"{number}.jpg" for number in range(count)], "mos": list(range(count))}
    return shamisa_cli.MosTable(**(given | columns))


def test_a_table_can_be_made_of_lists_and_names():
    made = in_memory(groups=["a", "b"] * 6, mos=np.arange(12, dtype=np.float32))
    assert made.paths[3] == Path("3.jpg")
    assert (made.mos.dtype, made.groups) == (np.float64, ("a", "b") * 6)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"mos": np.arange(9.0)}, "12 paths and 9 mos"),
        ({"mos": np.arange(24.0)}, "12 paths and 24 mos"),
        ({"groups": ["a"] * 11}, "12 paths and 11 groups"),
        ({"references": ["a"]}, "12 paths and 1 references"),
        ({"sessions": [None] * 12}, "sessions[0] is None"),
        ({"subsets": "abcdefghijkl"}, "subsets must be"),
        ({"paths": [3] * 12}, "paths[0] is 3 (int)"),
        ({"paths": ["a.jpg", "./a.jpg"] * 6}, "paths[1] is a.jpg, as paths[0] is"),
        ({"paths": [], "mos": np.zeros(0)}, "some that differ"),
        ({"mos": [3] * 12}, "some that differ"),
        ({"mos": [math.nan, *range(11)]}, "mos[0] is nan; a finite number"),
        ({"mos": [*range(11), -math.inf]}, "mos[11] is -inf"),
        ({"mos": np.ones((12, 1))}, "mos must be numbers"),
        ({"mos": ["1"] * 12}, "mos must be numbers"),
        ({"mos": [[1], [1, 2]]}, "mos must be numbers"),
        ({"mos": None}, "mos must be numbers"),
        ({"file": 3}, "file must be a path"),
    ],
)  # fmt: skip
def test_a_table_made_in_memory_is_held_to_what_a_file_is(tmp_path, columns, said):
    read = read_mos_table(write(tmp_path, table()))
    for make in (in_memory, partial(replace, read)):
        with pytest.raises(SettingError) as refused:
            make(**columns)
        assert said in str(refused.value)


def test_rows_are_taken_by_number_or_by_mask_and_others_are_refused():
    whole = in_memory(sessions=["a", "b", "c"] * 4)
    part = whole.take(whole.mos > 8)
    assert part.mos.tolist() == [9, 10, 11]
    assert part.sessions == ("a", "b", "c")
    for rows in ([500], [0.5], "x", [0], [], [2, 2], [True] * 5):
        with pytest.raises(SettingError):
            whole.take(rows)


def test_pictures_that_cannot_be_read_and_leave_equal_scores_are_told_before_a_fit(tmp_path, tiny_model):
    save_noise(tmp_path / "set", [(32, 24)] * 11)
    rows = [*(f"set/{number}.jpg,3" for number in range(11)), "gone.jpg,4"]
    path = write(tmp_path, table(rows=rows))
    model = shamisa_cli.load_model(tiny_model)
    for function in (shamisa_cli.fit_probe, shamisa_cli.evaluate):
        with pytest.raises(SettingError, match="some that differ; those of these 11 pictures do not"):
            function(path, model=model)


def test_a_workbook_is_called_one_and_very_many_columns_are_not_listed(tmp_path):
    said = message(write(tmp_path, b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(256)), "scores.csv"))
    assert "is a workbook" in said
    assert "Save its sheet as CSV" in said
    wide = ",".join(f"column-{number}" * 20 for number in range(100_000))
    said = message(write(tmp_path, f"{wide}\n"))
    assert "99,988 more" in said
    assert len(said) < 1_000


def test_too_few_pictures_are_put_down_to_names_only_where_some_could_not_be_read() -> None:
    assert "Check the names" in too_few_images(3, 30)
    for said in (too_few_images(3, 3), too_few_images(3, 30, in_table=False), too_few_images(3, 3, in_table=False)):
        assert "names in the table" not in said


def test_means_that_differ_only_by_rounding_are_one_rating() -> None:
    generator = np.random.default_rng(0)
    means = np.array([sum(generator.permutation([1.1, 2.2, 3.3, float(row % 4)]).tolist()) / 4 for row in range(200)])
    assert len(np.unique(means)) > 4
    paths = tuple(Path(f"{row}.jpg") for row in range(200))
    assert len(np.unique(MosTable(paths, means).mos)) == 4
    kept = generator.normal(size=200)
    np.testing.assert_array_equal(MosTable(paths, kept).mos, kept)
