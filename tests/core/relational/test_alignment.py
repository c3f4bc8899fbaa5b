"""Pictures moved or cropped by a few pixels are recognised; pictures in place are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.relational.alignment import Shift, find_shift, overlap


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """Shapes and texture, 160 × 200."""
    rng = np.random.default_rng(5)
    sizes = ((15, 12), (60, 48), (200, 160))
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, size[::-1], dtype=np.uint8)).resize((200, 160)), dtype=float)
        for size in sizes
    ]
    grey = sum(layer * share for layer, share in zip(layers, (0.5, 0.3, 0.2), strict=True))
    return np.repeat(np.asarray(grey).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(("down", "right"), [(1, 0), (0, -2), (2, 1), (-1, -2)])
def test_a_shift_of_up_to_two_pixels_is_found_in_both_orders(photo: Pixels, down: int, right: int) -> None:
    moved = np.roll(photo, (down, right), (0, 1))[4:-4, 4:-4]
    still = photo[4:-4, 4:-4]
    shift = find_shift(still, moved)
    assert shift == Shift(-down, -right)
    assert find_shift(moved, still) == Shift(down, right)
    assert np.array_equal(*overlap(still, moved, shift))


@pytest.mark.parametrize("cut", [(3, 4, 5, 2), (0, 6, 0, 0), (7, 0, 0, 9)])
def test_a_crop_of_a_few_pixels_is_found(photo: Pixels, cut: tuple[int, int, int, int]) -> None:
    top, bottom, left, right = cut
    cropped = photo[top : 160 - bottom, left : 200 - right]
    shift = find_shift(photo, cropped)
    assert shift == Shift(top, left)
    assert np.array_equal(*overlap(photo, cropped, shift))


def test_pictures_in_place_other_pictures_and_other_sizes_are_not_moved(photo: Pixels) -> None:
    soft = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(3)))
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 20, photo.shape), 0, 255).astype(np.uint8)
    for other in (photo, soft, noisy, photo[:, ::-1], photo[::-1], photo[:100, :100], np.zeros_like(photo)):
        assert find_shift(photo, other) is None
    assert find_shift(photo[:9, :9], photo[1:10, :9]) is None
