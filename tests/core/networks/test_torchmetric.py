"""ShamisaScore behaves as torchmetrics wants its metrics to: clone, pickle, reset, batches, several processes."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import metric_worker
from helpers.program import imported_anew
from helpers.ranks import run_together
from torch import Tensor

from shamisa_cli import ShamisaScore, TensorScorer
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.models.loading import Model

BATCHES, PER_BATCH = 4, 2

Reference = Callable[[Tensor], Tensor]


def batches() -> Tensor:
    """Pictures (batch, n, 3, 48, 40), each smoother than the one before."""
    noise = torch.rand(BATCHES * PER_BATCH, 3, 48, 40, generator=torch.Generator().manual_seed(3))
    share = torch.linspace(0, 1, len(noise)).view(-1, 1, 1, 1)
    return ((1 - share) * noise + share * 0.5).view(BATCHES, PER_BATCH, 3, 48, 40)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return batches()


@pytest.fixture(scope="module")
def reference(model: Model) -> Reference:
    """The mean score of pictures, from the scorer alone."""
    scorer = TensorScorer(model)
    return lambda images: scorer(images).mean()


def test_the_mean_over_batches_is_the_mean_over_all_pictures(
    images: Tensor, model: Model, reference: Reference
) -> None:
    metric = ShamisaScore(model)
    for batch in images:
        assert metric(batch).item() == pytest.approx(reference(batch).item(), abs=1e-3)
    assert metric.compute().item() == pytest.approx(reference(images.flatten(0, 1)).item(), abs=1e-3)
    metric.reset()
    metric.update(images[0])
    assert metric.compute().item() == pytest.approx(reference(images[0]).item(), abs=1e-3)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_million_pictures_lose_nothing_to_rounding(model: Model, images: Tensor, reduction: str) -> None:
    metric = ShamisaScore(model, reduction=reduction)
    metric.update(images[0])  # of the dtype and device that it computes with
    metric.reset()
    amount = torch.tensor(50.3)
    for _ in range(300_000):
        metric._add(amount)
    metric.count += 300_000
    wanted = 50.3 if reduction == "mean" else 50.3 * 300_000
    assert metric.compute().item() == pytest.approx(wanted, rel=1e-6)


def test_batches_of_different_sizes_and_single_pictures_weigh_by_their_pictures(
    images: Tensor, model: Model, reference: Reference
) -> None:
    metric, total = ShamisaScore(model), ShamisaScore(model, reduction="sum")
    for part in (images[0], images[1, 0], images[2, :1]):
        metric.update(part)
        total.update(part)
    every = torch.cat([images[0], images[1, :1], images[2, :1]])
    assert metric.compute().item() == pytest.approx(reference(every).item(), abs=1e-3)
    assert total.compute().item() == pytest.approx(4 * reference(every).item(), abs=4e-3)


def test_clones_copies_and_pickles_go_on_where_the_metric_was(
    images: Tensor, model: Model, reference: Reference
) -> None:
    metric = ShamisaScore(model)
    metric.update(images[0])
    expected = reference(images[:2].flatten(0, 1)).item()
    for twin in (metric.clone(), copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        twin.update(images[1])
        assert twin.compute().item() == pytest.approx(expected, abs=1e-3)
        assert hash(twin) != hash(metric)
    assert metric.compute().item() == pytest.approx(reference(images[0]).item(), abs=1e-3)


def test_a_checkpoint_around_it_carries_no_weights_and_training_mode_does_not_reach_it(
    images: Tensor, model: Model, reference: Reference
) -> None:
    around = torch.nn.ModuleDict({"quality": ShamisaScore(model)}).train()
    assert around.state_dict() == {}
    assert list(around.parameters()) == []
    around["quality"].update(images[0])
    assert around["quality"].compute().item() == pytest.approx(reference(images[0]).item(), abs=1e-3)


def test_it_is_differentiable_and_says_so(images: Tensor, model: Model) -> None:
    metric = ShamisaScore(model)
    batch = images[0].clone().requires_grad_()
    value = metric(batch)
    assert (metric.is_differentiable, metric.higher_is_better) == (True, True)
    assert value.requires_grad
    value.backward()
    assert batch.grad is not None
    assert not metric.total.requires_grad


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(SettingError, match="'median'; it can be mean or sum"):
        ShamisaScore(reduction="median")


class TwoArguments(ShamisaScore):
    """The tester gives every metric a target."""

    def update(self, images: Tensor, target: Tensor) -> None:  # noqa: ARG002
        super().update(images)


@pytest.mark.slow
def test_two_processes_agree_on_the_mean_of_all_pictures(
    images: Tensor, model: Model, reference: Reference, tmp_path: Path
) -> None:
    run_together(metric_worker.compute, (2, str(tmp_path), pickle.dumps((model, images))), 2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first == second
    steps = [reference(images[start : start + 2].flatten(0, 1)).item() for start in (0, 2)]
    assert first == pytest.approx([reference(images.flatten(0, 1)).item(), *steps], abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("sync_on_step", [False, True])
def test_torchmetrics_own_tester_passes(images: Tensor, model: Model, reference: Reference, sync_on_step: bool) -> None:
    """Runs where torchmetrics' tests folder is on the path; it is in its repository and not in its package."""
    testers = pytest.importorskip("unittests._helpers.testers")

    tester = testers.MetricTester()
    tester.run_class_metric_test(
        ddp=False,
        preds=images,
        target=images,
        metric_class=TwoArguments,
        reference_metric=lambda images, target: reference(images),  # noqa: ARG005
        dist_sync_on_step=sync_on_step,
        metric_args={"model": model},
        check_scriptable=False,
        atol=1e-3,
    )
    tester.run_differentiability_test(images.clone(), images, TwoArguments, metric_args={"model": model})
    tester.run_precision_test_cpu(images, images, TwoArguments, metric_args={"model": model})


def test_without_torchmetrics_the_name_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with imported_anew("shamisa_cli"):
        import shamisa_cli

        assert shamisa_cli.TensorScorer
        with pytest.raises(ImportError, match=r"pip install 'shamisa\[torchmetrics\]'"):
            _ = shamisa_cli.ShamisaScore
