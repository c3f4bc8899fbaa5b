"""Curves: a picture of every number, and a smoothing that bends nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.training.curves import draw_curves, smoothed
from shamisa_cli.core.training.metrics import MetricsLog, read_metrics
from shamisa_cli.core.training.pretraining.step import StepMetrics


def step_metrics(step: int, **changes: float | None) -> StepMetrics:
    numbers: dict[str, float | None] = {
        "total": 100 / (step + 1),
        "variance": 0.5,
        "invariance": -0.1 * step,
        "covariance": 2.0,
        "alignment": 1.5,
        "retention": 0.0,
        "z_std": 0.9,
        "h_std": 0.4,
        "grad_norm": 3.0 + step,
        "encoder_lr": 1e-4,
        "head_lr": 1e-3,
        "crops_per_s": 25.0,
        "wait_share": 0.1,
    }
    return StepMetrics(step=step, crops=14, **{**numbers, **changes})  # type: ignore[arg-type]


def write(path: Path, steps: int) -> None:
    with MetricsLog(path, 0) as log:
        for step in range(steps):
            log.append(step_metrics(step, grad_norm=None if step == 3 else 1.0))


def test_a_run_is_drawn_also_with_a_missing_value(tmp_path: Path) -> None:
    write(tmp_path / "metrics.jsonl", 40)
    draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert (0x2F, 0x6F, 0x9F) in colours


@pytest.mark.parametrize("steps", [0, 1])
def test_nothing_is_drawn_of_next_to_nothing(tmp_path: Path, steps: int) -> None:
    write(tmp_path / "metrics.jsonl", steps)
    draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def test_smoothing_is_the_weighted_mean_over_values_that_are_there() -> None:
    values = np.array([1.0, 4.0, np.nan, 2.0, 8.0, 5.0])
    offsets = np.arange(6)[:, None] - np.arange(6)[None]
    weights = np.exp(-0.5 * (offsets / 1.5) ** 2) * np.isfinite(values)
    expected = (weights * np.nan_to_num(values)).sum(1) / weights.sum(1)
    np.testing.assert_allclose(smoothed(values, 1.5), expected, rtol=2e-3)


def test_a_constant_stays_what_it_is() -> None:
    np.testing.assert_allclose(smoothed(np.full(30, 7.0), 3), 7.0)


def test_opening_the_log_for_a_step_drops_that_step_and_later_ones(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, 6)
    with path.open("a") as file:
        file.write('{"step": 6, "tot')
    with MetricsLog(path, 4) as log:
        log.append(step_metrics(4))
    assert [line["step"] for line in read_metrics(path)] == [0, 1, 2, 3, 4]
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [0, 1, 2, 3, 4]
