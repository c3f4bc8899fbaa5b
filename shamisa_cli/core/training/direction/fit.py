"""Fit of the direction to pairs of versions whose order is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shamisa_cli.core.arrays import as_halves
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.relational.direction.head import LIMIT, SMALL, DirectionHead
from shamisa_cli.core.torch_state import as_torch_ships, sole_random_numbers
from shamisa_cli.core.training.direction.pairs import DirectionPairs

SHARED_PARTS, APART_PARTS = 48, 64
HIDDEN = 64
MEMBERS = 4
"""Networks that are fitted from different first weights; their mean is one network of as many times more units."""
CALIBRATED_SHARE, REPORTED_SHARE = 0.15, 0.15
FEWEST = 5
"""Photographs."""
"""Shares of the photographs that the network never learns from: its chances are calibrated on the first, and how well
it orders pairs is told of the second."""
EPOCHS, BATCH, RATE, DECAY, DROPPED = 45, 512, 2e-3, 2e-2, 0.1
COLUMNS = 4096
"""Features whose spread is computed at once."""
DOUBT = 0.02
"""Chance, in the objective, that an order that is called certain is not."""
SLOPES = np.geomspace(0.1, 3, 60)
DRAWS, CAUTION = 400, 0.1
"""Draws of the photographs for the calibration, and the quantile of their factors that is taken."""


@dataclass(frozen=True)
class Fitted:
    """A head, and the evidence for how good it is.

    Attributes:
        head: calibrated.
        fitted, calibrated, reported: (m,), which pairs were used for what; photographs are in one of the three.
        chances: (m,), p of each pair.
    """

    head: DirectionHead
    fitted: NDArray[np.bool_]
    calibrated: NDArray[np.bool_]
    reported: NDArray[np.bool_]
    chances: NDArray[np.float64]


@sole_random_numbers()
@as_torch_ships()
def fit_direction(
    pairs: DirectionPairs,
    encoder_fingerprint: str,
    score_weights: NDArray[np.floating] | None = None,
    *,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _epochs: None,
) -> Fitted:
    """Fit the odd network, calibrate its chances on other photographs, and judge pairs of a third set.

    Args:
        pairs: of at least `FEWEST` photographs.
        encoder_fingerprint: fingerprint of the encoder that embedded them.
        score_weights: (D,), of a no-reference score, per unit of a feature; one more input.
        seed: of the split, the parts and the first weights.
        advance: called with 1 after each epoch; there are `MEMBERS` times `EPOCHS`.

    Raises SettingError for fewer photographs, and while this process trains.
    """
    photos = len(np.unique(pairs.photo))
    if photos < FEWEST:
        raise SettingError(
            f"{photos} different photographs can be read, and a direction needs at least {FEWEST}; name more."
        )
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    calibrated, reported = _left_out(pairs.photo, rng)
    used = ~(calibrated | reported)
    head = _prepared(pairs, used, encoder_fingerprint, score_weights)
    even, odd = _inputs(head, pairs)
    even_mean, even_scale = even[used].mean(axis=0), even[used].std(axis=0) + 1e-3
    odd_scale = np.sqrt((odd[used] ** 2).mean(axis=0)) + 1e-3
    shared = torch.from_numpy(np.clip((even - even_mean) / even_scale, -LIMIT, LIMIT).astype(np.float32))
    told = torch.from_numpy(np.clip(odd / odd_scale, -LIMIT, LIMIT).astype(np.float32))
    members = [_trained(shared, told, pairs, np.flatnonzero(used), rng, advance) for _ in range(MEMBERS)]
    layers = _mean_network(members)
    with torch.no_grad():
        evidence = _evidence(shared, told, layers).numpy().astype(np.float64)
    slope = _slope(pairs, evidence, calibrated)
    even_weights, odd_weights, bias, out = (layer.numpy().astype(np.float64) for layer in layers)
    fitted = replace(
        head,
        even_mean=even_mean,
        even_scale=even_scale,
        odd_scale=odd_scale,
        even_weights=even_weights,
        odd_weights=odd_weights,
        bias=bias,
        out=out,
        slope=np.array([slope]),
    )
    return Fitted(fitted, used, calibrated, reported, np.tanh(evidence * slope / 2))


def chances(head: DirectionHead, pairs: DirectionPairs) -> NDArray[np.float64]:
    """`DirectionHead.better` of each pair, (m,)."""
    even, odd = _inputs(head, pairs)
    common = np.clip((even - head.even_mean) / head.even_scale, -LIMIT, LIMIT) @ head.even_weights + head.bias
    apart = np.clip(odd / head.odd_scale, -LIMIT, LIMIT) @ head.odd_weights
    evidence: NDArray[np.float64] = (np.tanh(common + apart) - np.tanh(common - apart)) @ head.out
    found: NDArray[np.float64] = np.tanh(evidence * head.slope[0] / 2)
    return found


def _left_out(photo: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pairs are for the calibration, and which for the report: whole photographs, at least one each."""
    photos = rng.permutation(np.unique(photo))
    ends = np.cumsum([max(1, round(share * len(photos))) for share in (CALIBRATED_SHARE, REPORTED_SHARE)])
    calibrated, reported, _ = np.split(photos, ends)
    return np.isin(photo, calibrated), np.isin(photo, reported)


def _mean_network(members: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """The layers of one network whose evidence is the mean of that of the members."""
    even, odd, bias, out = (
        torch.cat([layer.detach() for layer in layers], dim=-1) for layers in zip(*members, strict=True)
    )
    return [even, odd, bias, out / len(members)]


def _prepared(
    pairs: DirectionPairs, used: NDArray[np.bool_], fingerprint: str, score_weights: NDArray[np.floating] | None
) -> DirectionHead:
    """A head with its principal parts, and no layers yet."""
    rows = np.unique(np.concatenate([pairs.first[used], pairs.second[used]]))
    mean, scale = _spread(pairs.features[rows])
    own_mean, own_scale = _spread(pairs.statistics[rows])
    inside = _standardised(pairs.features, mean, scale)
    shared = _principal(inside[rows] - inside[rows].mean(axis=0), SHARED_PARTS)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(used))[:6000]
    apart = inside[pairs.second[chosen]] - inside[pairs.first[chosen]]
    # Mild changes count as much as strong ones.
    apart /= np.linalg.norm(apart, axis=1, keepdims=True) + SMALL * np.sqrt(apart.shape[1]) / 4
    columns = [_principal(apart, APART_PARTS)]
    if score_weights is not None:
        direction = score_weights * scale
        columns.append((direction / np.linalg.norm(direction))[:, None])
    towards = np.concatenate(columns, axis=1)
    even, odd = shared.shape[1] + len(own_mean) + pairs.even.shape[1], 2 * (towards.shape[1] + len(own_mean))
    odd += pairs.odd.shape[1]
    one = np.ones
    return DirectionHead(
        feature_mean=mean.astype(np.float32).astype(np.float64),
        feature_scale=scale.astype(np.float32).astype(np.float64),
        shared=as_halves(shared).astype(np.float64),
        apart=as_halves(towards).astype(np.float64),
        statistic_mean=own_mean,
        statistic_scale=own_scale,
        even_mean=one(even),
        even_scale=one(even),
        odd_scale=one(odd),
        even_weights=one((even, 1)),
        odd_weights=one((odd, 1)),
        bias=one(1),
        out=one(1),
        slope=one(1),
        encoder_fingerprint=fingerprint,
    )


def _spread(values: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column, the latter at least half of the usual one."""
    blocks = [values[:, start : start + COLUMNS].astype(np.float64) for start in range(0, values.shape[1], COLUMNS)]
    mean, spread = (np.concatenate([getattr(block, name)(axis=0) for block in blocks]) for name in ("mean", "std"))
    least = 0.5 * np.median(spread) if len(spread) > 1000 else 1e-3
    return mean, np.maximum(spread, max(least, 1e-9))


def _standardised(
    values: NDArray[np.floating], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Values less their mean in units of their spread, clipped at `LIMIT`."""
    inside = values.astype(np.float32)
    inside -= mean.astype(np.float32)
    inside /= scale.astype(np.float32)
    return np.clip(inside, -LIMIT, LIMIT, out=inside)


def _principal(rows: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """(D, K): the principal parts of rows (n, D)."""
    most = min(count, *rows.shape)
    _, _, parts = torch.svd_lowrank(torch.from_numpy(rows), q=most, niter=3)
    found: NDArray[np.float64] = parts.numpy().astype(np.float64)
    return found


def _inputs(head: DirectionHead, pairs: DirectionPairs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`DirectionHead.inputs` of every pair, (m, M) and (m, N)."""
    inside = _standardised(pairs.features, head.feature_mean, head.feature_scale)
    shared, apart = inside @ head.shared.astype(np.float32), inside @ head.apart.astype(np.float32)
    own = np.clip((pairs.statistics - head.statistic_mean) / head.statistic_scale, -LIMIT, LIMIT)
    a, b = pairs.first, pairs.second
    told = np.concatenate([apart[b] - apart[a], own[b] - own[a]], axis=1)
    even = np.concatenate([(shared[a] + shared[b]) / 2, (own[a] + own[b]) / 2, pairs.even], axis=1)
    odd = np.concatenate([told, told / (np.abs(told) + SMALL), pairs.odd], axis=1)
    return even.astype(np.float64), odd.astype(np.float64)


def _trained(
    shared: Tensor,
    told: Tensor,
    pairs: DirectionPairs,
    used: NDArray[np.int64],
    rng: np.random.Generator,
    advance: Callable[[int], None],
) -> list[Tensor]:
    """Weights of the even and odd inputs, bias, and output weights of the hidden units."""
    sizes = [(shared.shape[1], HIDDEN), (told.shape[1], HIDDEN), (HIDDEN,), (HIDDEN,)]
    layers = [
        (torch.randn(size) * (0.5 / np.sqrt(size[0])) if len(size) > 1 else torch.randn(size) * 0.1).requires_grad_()
        for size in sizes
    ]
    better, weight = torch.from_numpy(pairs.better), torch.from_numpy(pairs.weight)
    optimiser = torch.optim.AdamW(layers, lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(used), max(1, len(used) // BATCH)):
            place = torch.from_numpy(batch)
            seen, apart = (torch.nn.functional.dropout(values[place], DROPPED) for values in (shared, told))
            evidence = _evidence(seen, apart, layers) * better[place]
            softplus = torch.nn.functional.softplus
            loss = ((1 - DOUBT) * softplus(-evidence) + DOUBT * softplus(evidence)) * weight[place]
            optimiser.zero_grad()
            loss.mean().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        schedule.step()
        advance(1)
    return layers


def _evidence(shared: Tensor, told: Tensor, layers: Sequence[Tensor]) -> Tensor:
    even_weights, odd_weights, bias, out = layers
    common, apart = shared @ even_weights + bias, told @ odd_weights
    return (torch.tanh(common + apart) - torch.tanh(common - apart)) @ out


def _slope(pairs: DirectionPairs, evidence: NDArray[np.float64], used: NDArray[np.bool_]) -> float:
    """The factor of the evidence by which the orders of the photographs used are likeliest, with caution.

    Photographs are drawn with replacement, and of the factors of all draws a low one is taken: with few photographs it
    is not known well, and to be too sure is the worse error.
    """
    losses = np.logaddexp(0, -np.outer(SLOPES, evidence[used] * pairs.better[used])) * pairs.weight[used]
    photos, place = np.unique(pairs.photo[used], return_inverse=True)
    of_photos = np.stack([np.bincount(place, row, len(photos)) for row in losses])
    drawn = np.random.default_rng(0).multinomial(len(photos), np.full(len(photos), 1 / len(photos)), DRAWS)
    return float(np.quantile(SLOPES[np.argmin(of_photos @ drawn.T, axis=0)], CAUTION))
