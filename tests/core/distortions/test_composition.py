"""Compositions, and the engine that applies them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shamisa_cli.core.distortions.composition import AppliedOperator, Composition, draw_composition, draw_severities
from shamisa_cli.core.distortions.engine import apply_operator, distort
from shamisa_cli.core.distortions.registry import OPERATORS
from shamisa_cli.core.errors import SettingError


@given(seed=st.integers(0, 2**32), levels=st.integers(1, 7), law=st.sampled_from(["half-normal", "uniform"]))
def test_a_composition_takes_distinct_groups_and_varies_one(seed: int, levels: int, law: str) -> None:
    composition = draw_composition(levels, law, np.random.default_rng(seed))  # type: ignore[arg-type]
    groups = [OPERATORS[step.operator].group for step in composition.steps]
    assert 1 <= len(groups) <= 7
    assert len(set(groups)) == len(groups)
    counts = [len(step.severities) for step in composition.steps]
    assert counts == [levels if place == composition.varying else 1 for place in range(len(counts))]
    assert all(0 <= severity <= 4 for step in composition.steps for severity in step.severities)


def test_compositions_have_every_length_equally_often_and_use_every_operator() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_composition(5, "half-normal", rng) for _ in range(2100)]
    lengths = np.bincount([len(composition.steps) for composition in drawn], minlength=8)[1:]
    assert lengths.min() > 300 * 0.8
    assert lengths.max() < 300 * 1.2
    assert {step.operator for composition in drawn for step in composition.steps} == set(OPERATORS)


def test_severities_follow_the_clipped_half_normal_law() -> None:
    severities = draw_severities(200_000, "half-normal", np.random.default_rng(0))
    assert severities.min() >= 0
    assert np.mean(severities == 4) == pytest.approx(0.1096, abs=0.003)  # P(|N(0, 2.5)| > 4)
    assert np.mean(severities < 1) == pytest.approx(0.3108, abs=0.004)  # P(|N(0, 2.5)| < 1)


def test_an_unknown_law_is_named() -> None:
    with pytest.raises(SettingError, match=r"'normal'.*half-normal, uniform"):
        draw_severities(1, "normal", np.random.default_rng(0))  # type: ignore[arg-type]


def test_sharing_the_prefix_changes_nothing() -> None:
    views = torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    composition = Composition(
        (
            AppliedOperator("gaussian blur", (2.0,), 0.0, 0),
            AppliedOperator("contrast up", (0.5, 2.5, 4.0), 0.0, 0),
            AppliedOperator("JPEG", (1.0,), 0.0, 0),
        ),
        varying=1,
    )
    together = distort(views, composition, torch.Generator().manual_seed(1))
    assert together.shape == (3, 3, 3, 48, 48)
    for level, severity in enumerate((0.5, 2.5, 4.0)):
        alone = views
        for name, strength in (("gaussian blur", 2.0), ("contrast up", severity), ("JPEG", 1.0)):
            alone = apply_operator(alone, name, strength, torch.Generator())
        torch.testing.assert_close(together[:, level], alone, atol=1e-5, rtol=0)


def test_random_operators_draw_afresh_for_every_crop_and_repeat_with_the_seed() -> None:
    views = torch.full((2, 3, 40, 40), 0.5)
    composition = Composition((AppliedOperator("white noise", (2.0, 2.0), 0.0, 0),), varying=0)
    first = distort(views, composition, torch.Generator().manual_seed(5))
    crops = first.flatten(0, 1)
    assert all(not torch.equal(crops[i], crops[j]) for i in range(4) for j in range(i))
    assert torch.equal(first, distort(views, composition, torch.Generator().manual_seed(5)))
