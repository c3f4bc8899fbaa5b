"""Pictures of two folders belong together by name, never by order."""

from __future__ import annotations

from pathlib import Path

import pytest

from shamisa_cli.core.images.discovery import MOST_NAMES
from shamisa_cli.core.relational.folder_pairs import describe_unpaired, pair_folders, with_names_passed_over

REF, OUT = Path("ref"), Path("out")


def paired(references: list[str], candidates: list[str]) -> list[tuple[str, str]]:
    pairs = pair_folders([REF / name for name in references], REF, [OUT / name for name in candidates], OUT)
    return [(str(left.relative_to(REF)), str(right.relative_to(OUT))) for left, right in pairs.pairs]


def test_names_decide_and_not_the_order() -> None:
    assert paired(["a.png", "deep/b.png"], ["deep/b.png", "a.png"]) == [
        ("a.png", "a.png"),
        ("deep/b.png", "deep/b.png"),
    ]


def test_the_suffix_may_differ_where_it_is_clear_who_is_meant() -> None:
    assert paired(["a.png", "b.tiff"], ["b.jpg", "a.webp"]) == [("a.png", "a.webp"), ("b.tiff", "b.jpg")]


@pytest.mark.parametrize(
    ("references", "candidates", "paired_names", "added", "removed"),
    [
        (["a.png", "b.png"], ["a.png"], ["a.png"], [], ["b.png"]),
        (["a.png"], ["a.png", "c.png", "d.png"], ["a.png"], ["c.png", "d.png"], []),
        (["x/a.png"], ["y/a.png"], [], ["y/a.png"], ["x/a.png"]),
        (["a.png", "a.tiff"], ["a.jpg"], [], ["a.jpg"], ["a.png", "a.tiff"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.webp"], ["a.jpg"], ["a.webp"], ["a.png"]),
    ],
)
def test_what_has_no_partner_is_listed_and_the_rest_is_paired(
    references: list[str], candidates: list[str], paired_names: list[str], added: list[str], removed: list[str]
) -> None:
    found = pair_folders([REF / name for name in references], REF, [OUT / name for name in candidates], OUT)
    assert [str(left.relative_to(REF)) for left, _ in found.pairs] == paired_names
    assert [str(path.relative_to(OUT)) for path in found.added] == added
    assert [str(path.relative_to(REF)) for path in found.removed] == removed


def test_unpaired_pictures_are_named_up_to_a_limit() -> None:
    assert describe_unpaired([], "added") == ""
    assert describe_unpaired([Path("a.png")], "added") == "1 picture added: a.png"
    assert describe_unpaired([Path(f"{n}.png") for n in range(8)], "removed").endswith("4.png and 3 more")


def test_what_was_paired_after_all_is_not_said_to_be_ambiguous(tmp_path):
    for name in ("before/x.jpg", "before/x.png", "after/x.jpg", "after/x.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    before, after = tmp_path / "before", tmp_path / "after"
    passed_over = pair_folders([before / "x.jpg", before / "x.png"], before, [after / "x.tif"], after)
    assert passed_over.ambiguous == ((before / "x.jpg", before / "x.png", after / "x.tif"),)
    found = with_names_passed_over(passed_over, before, after)
    assert found.pairs == ((before / "x.jpg", after / "x.jpg"),)
    assert found.ambiguous == ((before / "x.png", after / "x.tif"),)


def test_the_same_name_composed_and_decomposed_is_paired_where_that_is_unambiguous():
    composed, decomposed = Path("after/caf\u00e9.png"), Path("before/cafe\u0301.png")
    found = pair_folders([decomposed], Path("before"), [composed], Path("after"))
    assert found.pairs == ((decomposed, composed),)
    both = [composed, Path("after/cafe\u0301.jpg")]
    assert pair_folders([decomposed], Path("before"), both, Path("after")).pairs == ()


def test_a_folder_that_may_not_be_listed_stands_for_itself() -> None:
    found = pair_folders([REF / "a.png"], REF, [OUT], OUT)
    assert (found.pairs, found.added, found.removed) == ((), (OUT,), (REF / "a.png",))


def test_names_that_were_passed_over_have_their_partner(tmp_path: Path) -> None:
    from shamisa_cli.cli.console import Console
    from shamisa_cli.cli.pair_inputs import find_pairs

    count = MOST_NAMES + 12
    for folder in ("before", "after"):
        (tmp_path / folder / "common").mkdir(parents=True)
        (tmp_path / folder / "common" / "logo.jpg").write_bytes(b"x")
    for page in range(count):
        (tmp_path / "before" / f"p{page}").mkdir()
        (tmp_path / "before" / f"p{page}" / "common").symlink_to("../common")
        (tmp_path / "after" / f"p{page}" / "common").mkdir(parents=True)
        (tmp_path / "after" / f"p{page}" / "common" / "logo.jpg").write_bytes(b"x")
    (tmp_path / "after" / "new.jpg").write_bytes(b"x")
    for one, other in (("before", "after"), ("after", "before")):
        found = find_pairs(tmp_path / one, [str(tmp_path / other)], None, True, Console(quiet=True))
        assert len(found.pairs) == count + 1
        assert all(
            left.relative_to(tmp_path / one) == right.relative_to(tmp_path / other) for left, right in found.pairs
        )
        assert [path.name for path in (*found.added, *found.removed)] == ["new.jpg"]
