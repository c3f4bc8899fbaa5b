"""Similar pictures form groups, and the best of each is marked."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

import shamisa_cli as shamisa
from shamisa_cli.core.culling.groups import GroupSettings, best_of, group_records
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.images.capture_time import capture_time, read_capture_time
from shamisa_cli.core.models.resolver import FAST_MODEL
from shamisa_cli.core.records import GroupPlace, ImageRecord
from shamisa_cli.core.scoring.cache import Cache
from shamisa_cli.core.scoring.pipeline import score_files
from shamisa_cli.core.scoring.sketches import LENGTH, STORED, read_sketches, sketch

NOON = datetime(2026, 5, 1, 12)


def record(name: str, direction: np.ndarray, score: float | None = 50.0) -> ImageRecord:
    unit = np.zeros(LENGTH)
    unit[: len(direction)] = direction / np.linalg.norm(direction)
    return ImageRecord(name, score, sketch=unit.astype(STORED).tobytes())


def at_angle(name: str, cosine: float, score: float = 50.0) -> ImageRecord:
    """A picture with this similarity to `at_angle(…, 1)`."""
    return record(name, np.array([cosine, (1 - cosine**2) ** 0.5]), score)


def never(_: Path) -> None:
    return None


def groups_of(records: list[ImageRecord]) -> dict[str, int | None]:
    return {each.path: None if each.group is None else each.group.number for each in records}


def test_near_duplicates_are_one_group_whose_best_has_the_highest_score() -> None:
    found = group_records([at_angle("a", 1, 40), at_angle("b", 0.3, 90), at_angle("c", 0.9, 60)], taken=never)
    assert groups_of(found) == {"a": 1, "b": 2, "c": 1}
    assert [each.path for each in found if each.group and each.group.best] == ["b", "c"]
    assert [each.group.size for each in found if each.group] == [2, 1, 2]


def seen(score: float, focus: float | None, noise: float, width: int = 4000) -> ImageRecord:
    return ImageRecord(
        "x", score, width=width, height=3000, at_full_size=AtFullSize(focus, noise, compression=0.3, tile=None)
    )


@pytest.mark.parametrize(
    ("records", "best"),
    [
        ([seen(44.5, 0.0, 0.2), seen(48.0, 0.1, 3.6)], 0),  # noise that the reduced view hides
        ([seen(60, 2.5, 0), seen(58, 0.4, 0)], 1),  # missed focus
        ([seen(60, 0.9, 0), seen(58, 0.4, 0)], 0),  # faults that hardly differ: the score decides
        ([seen(60, 2.5, 0), seen(58, 0.4, 0, width=1000)], 0),  # a reduced copy is always sharp
        ([seen(60, None, 2.0), seen(58, 0.5, 0.5)], 1),
        ([seen(60, 2.5, 0), ImageRecord("y", 50.0)], 0),  # nothing known at 100 %
        ([seen(60, 3.5, 0), seen(58, 2.5, 0), seen(40, 1.5, 0)], 2),
        ([seen(60, 0, 0), seen(60, 0, 0)], 0),
    ],
)
def test_the_best_of_a_group_is_not_one_with_a_fault_that_only_100_percent_shows(
    records: list[ImageRecord], best: int
) -> None:
    assert best_of(records) == best


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 4), st.sampled_from([900, 1000, 1054, 1200]))))
def test_the_best_is_that_of_comparing_each_with_each(kinds: list[tuple[int, int | None, int]]) -> None:
    records = [
        ImageRecord("x", score, width=width, height=width) if fault is None else seen(score, fault, 0, width=width)
        for score, fault, width in kinds
    ] or [ImageRecord("x", 1.0)]

    def is_beaten(record: ImageRecord) -> bool:
        return any(
            None not in (other.at_full_size, record.at_full_size)
            and other.width * other.height >= 0.9 * record.width * record.height
            and other.at_full_size.worst <= record.at_full_size.worst - 1
            for other in records
        )

    ranks = [(not is_beaten(record), record.score) for record in records]
    assert best_of(records) == ranks.index(max(ranks))


def test_thousands_of_frames_of_one_scene_take_seconds_and_little_memory() -> None:
    frames = [
        replace(seen(50.0, number % 4, 0), path=f"{number}", sketch=at_angle("", 1).sketch) for number in range(5_000)
    ]
    tracemalloc.start()
    began = time.process_time()
    found = group_records(frames, taken=never)
    took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert {each.group for each in found} == {GroupPlace(1, 5_000, False), GroupPlace(1, 5_000, True)}
    assert took < 20
    assert peak < 100_000_000


def test_frames_of_a_burst_may_differ_more_than_pictures_taken_at_other_times() -> None:
    pictures = [at_angle("a", 1), at_angle("b", 0.5)]
    close = {Path("a"): NOON, Path("b"): NOON + timedelta(seconds=1)}
    far = {Path("a"): NOON, Path("b"): NOON + timedelta(seconds=10)}
    assert groups_of(group_records(pictures, taken=close.get)) == {"a": 1, "b": 1}
    assert groups_of(group_records(pictures, taken=far.get)) == {"a": 1, "b": 2}
    assert groups_of(group_records(pictures, GroupSettings(gap=0), taken=close.get)) == {"a": 1, "b": 2}


def test_times_with_and_without_a_zone_are_compared_and_one_that_is_not_told_ends_nothing() -> None:
    pictures = [at_angle("a", 1), at_angle("b", 0.5), at_angle("c", 0.5), at_angle("d", 0.5)]
    times = {Path("a"): NOON, Path("b"): (NOON + timedelta(seconds=1)).astimezone(), Path("d"): datetime.min}

    def taken(path: Path) -> datetime | None:
        return times[path]  # KeyError for c

    groups = groups_of(group_records(pictures, taken=taken))
    assert groups["a"] == groups["b"]
    assert len(groups) == 4


def test_a_time_that_is_none_ends_nothing() -> None:
    pictures = [at_angle("a", 1), at_angle("b", 0.9999), at_angle("c", 0.1)]
    for odd in (NOON.date(), "2026-05-01", 1.5):
        groups = groups_of(group_records(pictures, taken={Path("a"): odd, Path("b"): NOON}.get))  # type: ignore[arg-type]
        assert groups["a"] == groups["b"] != groups["c"]


def test_one_bad_frame_does_not_cut_a_burst_in_two() -> None:
    pictures = [at_angle("0", 1), record("1", np.array([0, 0, 1.0])), at_angle("2", 0.6)]
    times = {Path(each.path): NOON + timedelta(seconds=int(each.path) / 2) for each in pictures}
    assert groups_of(group_records(pictures, taken=times.get)) == {"0": 1, "1": 2, "2": 1}


def test_pictures_without_a_score_are_in_no_group() -> None:
    assert groups_of(group_records([at_angle("a", 1), ImageRecord("b", status="error")], taken=never)) == {
        "a": 1, "b": None,
    }  # fmt: skip
    assert group_records([]) == []


@given(st.lists(st.integers(0, 3), max_size=12))
def test_groups_are_those_of_the_whole_relation_whatever_the_order(kinds: list[int]) -> None:
    """An independent search over all pairs finds the same groups."""
    directions = np.eye(4)
    pictures = [record(f"{index}", directions[kind]) for index, kind in enumerate(kinds)]
    found = groups_of(group_records(pictures, taken=never))
    for first, second in itertools.combinations(range(len(kinds)), 2):
        assert (found[f"{first}"] == found[f"{second}"]) == (kinds[first] == kinds[second])


def test_names_of_one_file_are_no_duplicates_and_have_one_place(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "1.jpg").symlink_to("b.jpg")
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "all").symlink_to("..")
    cosines = {"1.jpg": 0, "a.jpg": 1, "again/all/c.jpg": 0.99, "b.jpg": 0, "c.jpg": 0.99}
    scores = {"a.jpg": 40.0}
    records = [at_angle(str(tmp_path / name), cosine, scores.get(name, 50.0)) for name, cosine in cosines.items()]
    found = {
        Path(each.path).relative_to(tmp_path).as_posix(): each.group for each in group_records(records, taken=never)
    }
    alone = [found[name] for name in ("1.jpg", "b.jpg")]
    assert alone[0] == alone[1] == GroupPlace(1, 1, True)
    assert found["a.jpg"] == GroupPlace(2, 2, False)
    assert found["c.jpg"] == found["again/all/c.jpg"] == GroupPlace(2, 2, True)


def test_pictures_of_one_name_that_are_no_file_are_several(tmp_path: Path) -> None:
    for name in ("picture", str(tmp_path / "written again.jpg")):
        records = [at_angle(name, cosine, score) for cosine, score in ((1, 40), (0, 50), (0.99, 60), (1, 40))]
        found = [each.group for each in group_records(records, taken=never)]
        first, other = GroupPlace(1, 3, False), GroupPlace(2, 1, True)
        assert found == [first, other, GroupPlace(1, 3, True), first]


@pytest.mark.parametrize("wrong", [{"duplicate": 1.1}, {"burst": -0.1}, {"gap": -1}, {"gap": float("inf")}])
def test_settings_out_of_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(shamisa.SettingError):
        GroupSettings(**wrong)


def test_a_sketch_keeps_the_angle_between_features() -> None:
    probe = shamisa.load_model().probe
    assert probe is not None
    generator = np.random.default_rng(0)
    first = generator.normal(size=len(probe.weights))
    second = 0.8 * first + 0.6 * generator.normal(size=len(probe.weights))
    standardised = [np.clip(each, -3, 3) for each in (first, second)]
    true = standardised[0] @ standardised[1] / np.prod([np.linalg.norm(each) for each in standardised])
    raw = [(each * probe.feature_scale + probe.feature_mean).astype(np.float32) for each in (first, second)]
    rows = read_sketches([sketch(each, probe) for each in raw])
    assert float(rows[0] @ rows[1]) == pytest.approx(true, abs=4 * (1 - true**2) / LENGTH**0.5)


def test_versions_of_a_photograph_are_grouped_and_other_photographs_are_not(
    example_photos: Path, tmp_path: Path
) -> None:
    for name in ("cat", "coffee", "temple"):
        with Image.open(example_photos / f"{name}.jpg") as photo:
            photo.save(tmp_path / f"{name}.png")
            width, height = photo.size
            photo.crop((4, 6, width, height)).filter(ImageFilter.GaussianBlur(0.5)).save(tmp_path / f"{name}-2.jpg")
    model = shamisa.load_model(FAST_MODEL)
    files = shamisa.discover([tmp_path])
    with Cache(tmp_path / "cache") as cache:
        first, second = (
            group_records(score_files(model, files, sketches=True, cache=cache)) for _ in ("computed", "from the cache")
        )
        plain = list(score_files(model, files, cache=cache))
    with Cache(tmp_path / "other cache") as cache:
        assert list(score_files(model, files, cache=cache)) == plain  # computed
        later = group_records(score_files(model, files, sketches=True, cache=cache))
        assert cache.hits == len(files)
    assert first == second == later
    assert {each.sketch for each in plain} == {None}
    by_name = {Path(each.path).name: each for each in first}
    for name in ("cat", "coffee", "temple"):
        original, version = by_name[f"{name}.png"].group, by_name[f"{name}-2.jpg"].group
        assert original
        assert version
        assert original.number == version.number
        assert original.size == 2


def test_capture_times_are_read_with_the_fraction_of_their_second(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:05:01 12:00:03"
    exif.get_ifd(0x8769)[0x9291] = "25"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert capture_time(tmp_path / "a.jpg") == NOON + timedelta(seconds=3.25)
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    assert capture_time(tmp_path / "b.jpg") is None
    assert capture_time(tmp_path / "missing.jpg") is None


@given(st.one_of(st.none(), st.text(), st.integers()), st.one_of(st.none(), st.text(), st.integers()))
def test_no_text_in_the_place_of_a_time_is_an_error(stamp: object, fraction: object) -> None:
    found = read_capture_time(stamp, fraction)
    assert found is None or isinstance(found, datetime)
    assert read_capture_time("2026:05:01 12:00:00", fraction) is not None
