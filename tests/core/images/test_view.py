"""The size at which pictures are read: a long side for most, more for panoramas, and never enlarged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shamisa_cli.core.images.view import reduced_size

SIDES = st.integers(1, 20_000)


@pytest.mark.parametrize(
    ("size", "read"),
    [
        ((6000, 4000), (512, 341)),
        ((400, 300), (400, 300)),
        ((2048, 512), (512, 128)),
        ((7680, 427), (2302, 128)),  # 18:1
        ((427, 7680), (128, 2302)),
        ((600, 100), (600, 100)),
        ((20_000, 100), (4096, 20)),  # 200:1
    ],
)
def test_the_size_of_a_view_of_512_pixels(size: tuple[int, int], read: tuple[int, int]) -> None:
    assert reduced_size(size, 512) == read


@given(SIDES, SIDES, st.integers(32, 2000))
def test_no_picture_is_enlarged_and_its_shape_stays(width: int, height: int, view_size: int) -> None:
    new = reduced_size((width, height), view_size)
    assert new[0] <= width
    assert new[1] <= height
    assert max(new) >= min(view_size, max(width, height))
    assert new[0] * new[1] <= 2 * view_size**2 + 8 * view_size
    assert abs(new[0] * height - new[1] * width) <= max(width, height)


def test_every_pixel_is_read_without_a_view_size() -> None:
    assert reduced_size((9000, 20), None) == (9000, 20)
