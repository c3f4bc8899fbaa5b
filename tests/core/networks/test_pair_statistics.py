"""Statistics of a pair of images without learned parameters."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from shamisa_cli.core.networks.pair_statistics import (
    CHANNELS,
    COMBS,
    LIKENESSES,
    dissimilarity,
    gradient,
    histogram_comb_difference,
    level_counts,
    picture_channels,
)


def random_pictures(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(seed))


def test_the_gradient_is_scharrs() -> None:
    plane = random_pictures(0)[:1, :1]
    weights = np.array([3.0, 10.0, 3.0]) / 16
    slopes = [
        ndimage.correlate1d(
            ndimage.correlate1d(plane[0, 0].numpy(), [1, 0, -1], axis=axis, mode="nearest"),
            weights,
            axis=1 - axis,
            mode="nearest",
        )
        for axis in (0, 1)
    ]
    assert np.allclose(gradient(plane)[0, 0], np.hypot(*slopes), atol=2e-4)


def test_equal_pictures_are_not_unlike_at_all() -> None:
    channels = picture_channels(random_pictures(0))
    assert not dissimilarity(channels, channels, 8).any()


def test_being_unlike_is_mutual_and_between_0_and_1() -> None:
    a, b = picture_channels(random_pictures(0)), picture_channels(random_pictures(1))
    forth, back = dissimilarity(a, b, 8), dissimilarity(b, a, 8)
    assert torch.equal(forth, back)
    assert forth.shape == (2, LIKENESSES, 4, 6)
    assert float(forth.min()) > 0
    assert float(forth.max()) <= 2


def test_a_change_of_colour_alone_shows_in_colours_and_not_in_lightness() -> None:
    grey = torch.full((1, 3, 32, 32), 0.5)
    tinted = grey.clone()
    tinted[:, 0] += 0.114
    tinted[:, 2] -= 0.299
    unlike = dissimilarity(picture_channels(grey), picture_channels(tinted), 8).mean(dim=(0, 2, 3))
    assert float(unlike[3]) > 0.5
    assert float(unlike[5]) < 1e-6


def test_there_are_as_many_channels_as_the_head_is_told() -> None:
    assert sum(part.shape[1] for part in picture_channels(random_pictures(0))) == CHANNELS


def test_levels_are_counted_and_parts_add_up() -> None:
    picture = random_pictures(3)
    counts = level_counts(picture)
    levels = np.round(picture[1, 2].numpy() * 255).astype(int)
    assert np.array_equal(counts[1, 2].numpy(), np.bincount(levels.ravel(), minlength=256))
    assert torch.equal(level_counts(picture[:, :, :20]) + level_counts(picture[:, :, 20:]), counts)


def test_a_curve_leaves_a_comb_that_tells_the_version_from_the_original() -> None:
    rng = np.random.default_rng(0)
    original = np.clip(rng.normal(120, 30, (1, 3, 256, 256)), 0, 255).round()
    steeper = np.clip((original - 128) * 1.4 + 128, 0, 255).round()
    brighter = (255 * (original / 255) ** 0.7).round()
    a = level_counts(torch.from_numpy(original).float() / 255)
    for edited in (steeper, brighter):
        b = level_counts(torch.from_numpy(edited).float() / 255)
        change = histogram_comb_difference(a, b)
        assert change.shape == (1, COMBS)
        assert float(change[:, :3].min()) > 0.3
        assert torch.equal(change, -histogram_comb_difference(b, a))
    assert not histogram_comb_difference(a, a).any()
