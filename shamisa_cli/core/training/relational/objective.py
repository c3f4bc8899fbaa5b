"""Loss of the relational networks: dense signed targets, scores of a consensus, and orders that are certain."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from shamisa_cli.core.networks.distortion_network import NetworkOutput
from shamisa_cli.core.networks.pair_statistics import histogram_comb_difference, level_counts
from shamisa_cli.core.networks.scoring_network import RelationalModel, change_points
from shamisa_cli.core.relational.records import POINTS
from shamisa_cli.core.training.relational.batches import RelationalBatch

SMOOTH = 0.5
"""Intensity units below which the dense loss is quadratic."""

CLOSE = 0.1
"""Share of the scale of scores below which the loss on scores is quadratic."""

ORDER_SCALE = 10.0
"""Margin in points of pairs whose order is certain."""


@dataclass(frozen=True)
class RelationalCoefficients:
    """Factors of the loss's terms.

    Attributes:
        dense: maps against targets.
        score: scores against the consensus.
        amount: amount of change, whichever image is better, against the consensus with the first version.
        direction: the overall map against the sign of the damage, where an image is damaged more.
        order: pairs whose second version is certainly worse.
        ranking: each version among all of its set that are certainly worse.
    """

    dense: float = 1.0
    score: float = 3.0
    amount: float = 3.0
    direction: float = 0.5
    order: float = 0.3
    ranking: float = 0.3


def relational_loss(
    model: RelationalModel, batch: RelationalBatch, coefficients: RelationalCoefficients
) -> dict[str, Tensor]:
    """Compute all terms of a batch's loss, scalars by name, including "total", over all pairs i < j of each set.

    The amount of the overall map has no dense target: it is learned from the scores.
    """
    sets, versions = batch.worse.shape[:2]
    first, second = pair_indices(versions)
    rows = torch.arange(sets)[:, None] * versions
    device = batch.pictures.device
    left, right = ((rows + version).flatten().to(device) for version in (first, second))
    pictures = batch.pictures.flatten(0, 1)
    seen, levels = model.distortion.trunk(pictures), level_counts(pictures)
    related = model.distortion.relate(seen.take(left), seen.take(right))
    scores = model.scoring(related, histogram_comb_difference(levels[left], levels[right]))
    targets, damage, quality = batch.targets.flatten(0, 1), batch.damage.flatten(0, 1), batch.quality.flatten()
    from_best = (first == 0).repeat(sets).to(device)
    worse = batch.worse[:, first, second].flatten()
    terms = {
        "dense": dense_loss(related.maps[:, :-1], targets[right] - targets[left]),
        "score": score_loss(scores, quality[right] - quality[left]),
        "amount": score_loss(-change_points(related)[from_best], quality[right][from_best]),
        "direction": direction_loss(related, damage[right] - damage[left]),
        "order": order_loss(scores, worse),
        "ranking": ranking_loss(places(scores.view(sets, -1), versions), batch.worse.to(device)),
    }
    total = sum((getattr(coefficients, name) * term for name, term in terms.items()), start=scores.new_zeros(()))
    return {"total": total, **terms}


def dense_loss(maps: Tensor, targets: Tensor) -> Tensor:
    """Smooth L1 between predicted and true signed maps, both (N, K, h, w) in intensity units 0…4; a scalar.

    Positions with a change have together the same weight as all others, however few they are; positions with a nan
    target are ignored.
    """
    known = ~targets.isnan()
    wanted = torch.where(known, targets, maps.detach())
    errors = F.smooth_l1_loss(maps, wanted, beta=SMOOTH, reduction="none")
    changed = known & (wanted.abs() > SMOOTH / 5)
    share = (changed.sum() / known.sum().clamp_min(1)).clamp(0.02, 0.98)
    weights = torch.where(changed, 1 / share, 1 / (1 - share)) * known
    return (errors * weights).sum() / known.sum().clamp_min(1) / 2


def direction_loss(related: NetworkOutput, damage: Tensor) -> Tensor:
    """Difference of the overall map's direction, −1…1, from the sign of the damage, where there is any; a scalar, 0…2.

    `damage` (N, 1, h, w) is the intensity of all distortions in the second image less that in the first; nan: unknown.
    """
    certain = damage.abs() > SMOOTH
    better = related.directions[:, -1:]
    return ((1 - damage.nan_to_num().sign() * better) * certain).sum() / certain.sum().clamp_min(1)


def score_loss(scores: Tensor, wanted: Tensor) -> Tensor:
    """Smooth L1 between scores and differences of consensus, both (N,) in points; a scalar."""
    return F.smooth_l1_loss(scores / POINTS, wanted / POINTS, beta=CLOSE)


def order_loss(scores: Tensor, certain: Tensor) -> Tensor:
    """Logistic loss on the scores (N,) of pairs whose second image is certainly worse, which should be negative.

    `certain` (N,) marks these pairs.
    """
    return (F.softplus(scores / ORDER_SCALE) * certain).sum() / certain.sum().clamp_min(1)


def places(scores: Tensor, versions: int) -> Tensor:
    """Scores (B, V·(V − 1)/2) of all pairs → (B, V) places on the least-squares scale that `rank` gives, in points."""
    first, second = (index.to(scores.device) for index in pair_indices(versions))
    empty = scores.new_zeros(len(scores), versions)
    return (empty.index_add(1, second, scores) - empty.index_add(1, first, scores)) / versions


def ranking_loss(ranks: Tensor, worse: Tensor) -> Tensor:
    """Listwise contrastive loss: how little each version stands out from all that are certainly worse; a scalar.

    The cross-entropy of choosing the better one out of the list, as in ListMLE (F. Xia et al., ICML 2008), where only a
    part of the order is known.

    Args:
        ranks: (B, V), in points.
        worse: (B, V, V) boolean; worse[·, i, j] means that j is certainly worse than i.
    """
    scaled = ranks / ORDER_SCALE
    listed = worse | torch.eye(worse.shape[-1], dtype=torch.bool, device=worse.device)
    against = scaled[:, None, :].expand(worse.shape).masked_fill(~listed, -torch.inf)
    ranked = worse.any(dim=-1)
    return ((against.logsumexp(dim=-1) - scaled) * ranked).sum() / ranked.sum().clamp_min(1)


def pair_indices(versions: int) -> tuple[Tensor, Tensor]:
    """All pairs i < j of V versions: two index tensors of length V·(V − 1)/2."""
    first, second = torch.triu_indices(versions, versions, offset=1)
    return first, second
