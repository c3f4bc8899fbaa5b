"""Pairs that would take more memory to compare than there may be used are refused, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import shamisa_cli as shamisa
from shamisa_cli.core.images.budget import DECODING
from shamisa_cli.core.relational.ladder import require_room


@pytest.fixture
def little_memory() -> Iterator[None]:
    DECODING.set_limit(80_000_000)
    try:
        yield
    finally:
        DECODING.set_limit(None)


@pytest.fixture
def large(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for level, path in zip((90, 120), paths, strict=True):
        Image.new("L", (3000, 1000), level).save(path)
    return paths


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("maps", [False, True])
def test_a_pair_too_large_for_the_memory_is_a_row_and_others_are_compared(large: list[Path], maps: bool) -> None:
    (found,) = shamisa.compare(large[0], large[1:], maps=maps).candidates
    assert found.error is not None
    assert found.error.kind == "too-large"
    assert "to compare at 3000×1000 pixels, more than the 80 MB there may be used" in found.error.message
    small = np.full((100, 100, 3), 90, np.uint8)
    assert shamisa.compare(small, [small + 1], maps=maps).candidates[0].error is None
    kept, *refused = shamisa.rank([*large, small]).pictures
    assert kept.rank == 1
    assert all(each.error is not None and "to compare" in each.error.message for each in refused)


@pytest.mark.usefixtures("little_memory")
def test_a_ladder_is_not_begun_where_it_would_take_more(large: list[Path]) -> None:
    with pytest.raises(shamisa.ImageError, match=r"a.png would take some 144 MB to compare at 3000×1000 pixels"):
        require_room(["jpeg"], np.asarray(Image.open(large[0]).convert("RGB")), "a.png")


def test_with_the_usual_memory_it_is_compared(large: list[Path]) -> None:
    (found,) = shamisa.compare(large[0], large[1:], maps=False).candidates
    assert found.error is None
