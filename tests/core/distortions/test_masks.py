"""Masks say where a distortion acts: soft, somewhere, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shamisa_cli.core.distortions.masks import MASK_SHAPES, MaskShape, draw_mask

shapes = st.sampled_from(MASK_SHAPES)
sides = st.integers(32, 120)


@given(shapes, sides, sides, st.integers(0, 10_000))
@settings(max_examples=80, deadline=None)
def test_every_mask_lies_in_0_to_1_and_is_strong_somewhere(
    shape: MaskShape, height: int, width: int, seed: int
) -> None:
    mask = draw_mask(shape, height, width, np.random.default_rng(seed))
    assert mask.shape == (height, width)
    assert mask.dtype == torch.float32
    assert float(mask.min()) >= 0
    assert 0.5 <= float(mask.max()) <= 1


@given(shapes, st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_same_seed_draws_the_same_mask(shape: MaskShape, seed: int) -> None:
    first, second = (draw_mask(shape, 64, 48, np.random.default_rng(seed)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("shape", [shape for shape in MASK_SHAPES if shape != "whole"])
def test_a_local_mask_leaves_part_of_the_picture_alone(shape: MaskShape) -> None:
    masks = [draw_mask(shape, 96, 96, np.random.default_rng(seed)) for seed in range(20)]
    assert np.mean([float(mask.min()) < 0.1 for mask in masks]) > 0.7


@pytest.mark.parametrize("shape", [shape for shape in MASK_SHAPES if shape != "whole"])
def test_edges_are_soft(shape: MaskShape) -> None:
    for seed in range(10):
        mask = draw_mask(shape, 128, 128, np.random.default_rng(seed))
        assert float((mask[:, 1:] - mask[:, :-1]).abs().max()) < 0.4
