"""Faults beyond the engine: every one changes a picture, the more the stronger, and repeats with its seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shamisa_cli.core.training.relational.extra_faults import EXTRA_FAULTS, add_fault


def picture() -> torch.Tensor:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:96, 0:120] / 96
    planes = [0.5 + 0.3 * np.sin(9 * x * (k + 1) + 5 * y) + 0.08 * rng.normal(size=y.shape) for k in range(3)]
    return torch.from_numpy(np.clip(planes, 0, 1)).float()


def error(name: str, severity: float, seed: int) -> float:
    changed = add_fault(picture(), np.random.default_rng(seed), name=name, severity=severity)
    return float((changed - picture()).square().mean())


@pytest.mark.parametrize("name", EXTRA_FAULTS)
def test_a_disturbed_picture_is_a_picture_of_the_same_shape(name: str) -> None:
    for seed in range(6):
        changed = add_fault(picture(), np.random.default_rng(seed), name=name)
        assert changed.shape == picture().shape
        assert changed.dtype == torch.float32
        assert float(changed.min()) >= 0
        assert float(changed.max()) <= 1
        assert bool(changed.isfinite().all())


@pytest.mark.parametrize("name", EXTRA_FAULTS)
def test_the_same_seed_disturbs_alike(name: str) -> None:
    first, second = (add_fault(picture(), np.random.default_rng(5), name=name) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", EXTRA_FAULTS)
def test_more_severity_changes_more(name: str) -> None:
    mild = np.mean([error(name, 0.2, seed) for seed in range(8)])
    strong = np.mean([error(name, 3.8, seed) for seed in range(8)])
    assert 0 < mild < strong


def test_all_kinds_are_drawn() -> None:
    rng = np.random.default_rng(1)
    errors = {float((add_fault(picture(), rng) - picture()).square().mean()) for _ in range(30)}
    assert len(errors) > 25
