"""Mean quality of generated or restored pictures as a metric of torchmetrics (an optional dependency)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.networks.tensors import TensorScorer
from shamisa_cli.core.scoring.scorer import ViewSize

try:
    from torchmetrics import Metric
except ImportError as error:
    raise ImportError(
        "ShamisaScore needs torchmetrics. Install it with: pip install 'shamisa[torchmetrics]'"
    ) from error

REDUCTIONS = ("mean", "sum")


class ShamisaScore(Metric):
    """The mean (or sum) of no-reference scores 0…100 over all pictures seen, on all processes; higher is better.

    The frozen model is not a submodule: checkpoints of an enclosing module do not contain its weights, and
    `train()` does not affect it. `to` still moves it.

    Args:
        model, view_size: as for `TensorScorer`.
        reduction: "mean" or "sum".
        **settings: of `torchmetrics.Metric`, such as `dist_sync_on_step`.

    Raises:
        ModelError: the model is missing, damaged, or has no probe.
        SettingError: an unknown reduction, or a view size that is too small.
    """

    is_differentiable = True
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 100.0

    total: Tensor
    lost: Tensor
    count: Tensor

    def __init__(
        self,
        model: str | Model | None = None,
        *,
        view_size: ViewSize = "model",
        reduction: str = "mean",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if reduction not in REDUCTIONS:
            raise SettingError(f"The reduction is {reduction!r}; it can be {' or '.join(REDUCTIONS)}.")
        self.reduction = reduction
        self._held = (TensorScorer(model, view_size=view_size),)  # a tuple hides the module from torch
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("lost", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, images: Tensor) -> None:
        """Add images: sRGB (N, 3, H, W) or (3, H, W) in 0…1. Raises SettingError as `TensorScorer` does."""
        scores = self._held[0](images).to(self.total.device)
        self._add(scores.sum())
        self.count = self.count + scores.numel()

    def _add(self, amount: Tensor) -> None:
        """Add to the total, and to `lost` what rounding takes from it (Knuth's TwoSum): some devices have no doubles.

        A single float32 would lose whole scores after a million pictures.
        """
        total = self.total + amount
        added = total - self.total
        self.lost = self.lost + ((self.total - (total - added)) + (amount - added))
        self.total = total

    def compute(self) -> Tensor:
        """The mean or sum () of the scores of all images added."""
        total = self.total + self.lost
        return total / self.count if self.reduction == "mean" else total

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw one or several values of the metric on 0…100, as `torchmetrics.Metric.plot` says; needs matplotlib."""
        return self._plot(val, ax)

    def _apply(self, fn: Callable[[Tensor], Tensor], *arguments: Any, **settings: Any) -> Self:
        self._held[0]._apply(fn)
        super()._apply(fn, *arguments, **settings)
        return self
