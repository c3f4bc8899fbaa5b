"""A list of paths is like any list of paths."""

from __future__ import annotations

from pathlib import Path

from shamisa_cli.core.images.path_list import PathList

NAMES = ["a.jpg", "b/./c.jpg", "/d//e.jpg"]


def test_it_gives_the_same_paths_as_a_plain_list() -> None:
    paths = PathList(NAMES)
    plain = [Path(name) for name in NAMES]
    assert list(paths) == list(paths) == plain
    assert len(paths) == len(plain)
    assert paths[0] == plain[0]
    assert paths[-1] == plain[-1]
    assert list(paths[1:]) == plain[1:]
    assert list(reversed(paths)) == plain[::-1]
    assert Path("b/c.jpg") in paths
    assert not PathList([])
