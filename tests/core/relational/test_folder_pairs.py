"""Pictures of two folders belong together by name, never by order."""

from __future__ import annotations

from pathlib import Path

import pytest

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.relational.folder_pairs import pair_folders

REF, OUT = Path("ref"), Path("out")


def paired(references: list[str], candidates: list[str]) -> list[tuple[str, str]]:
    pairs = pair_folders([REF / name for name in references], REF, [OUT / name for name in candidates], OUT)
    return [(str(left.relative_to(REF)), str(right.relative_to(OUT))) for left, right in pairs]


def test_names_decide_and_not_the_order() -> None:
    assert paired(["a.png", "deep/b.png"], ["deep/b.png", "a.png"]) == [
        ("a.png", "a.png"),
        ("deep/b.png", "deep/b.png"),
    ]


def test_the_suffix_may_differ_where_it_is_clear_who_is_meant() -> None:
    assert paired(["a.png", "b.tiff"], ["b.jpg", "a.webp"]) == [("a.png", "a.webp"), ("b.tiff", "b.jpg")]


@pytest.mark.parametrize(
    ("references", "candidates", "named"),
    [
        (["a.png", "b.png"], ["a.png"], "1 picture of ref has no partner in out: b.png."),
        (["a.png"], ["a.png", "c.png", "d.png"], "2 pictures of out have no partner in ref: c.png, d.png."),
        (["x/a.png"], ["y/a.png"], "x/a.png. 1 picture of out"),
        (["a.png", "a.tiff"], ["a.jpg"], "a.png, a.tiff (several pictures have this name with different suffixes)"),
        (["a.jpg", "a.png"], ["a.jpg", "a.webp"], "a.png (several"),
        ([f"{n}.png" for n in range(9)], ["0.png"], "5.png and 3 more."),
    ],
)
def test_what_has_no_partner_is_named(references: list[str], candidates: list[str], named: str) -> None:
    with pytest.raises(SettingError) as raised:
        paired(references, candidates)
    assert named in str(raised.value)
