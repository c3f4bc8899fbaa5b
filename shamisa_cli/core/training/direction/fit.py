"""Fit of the direction to pairs of versions whose order is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shamisa_cli.core.arrays import AnyFeatures
from shamisa_cli.core.relational.direction.head import LIMIT, SMALL, DirectionHead

SHARED_PARTS, APART_PARTS = 48, 64
HIDDEN = 64
CALIBRATED_SHARE = 1 / 5
"""Share of the photographs that the network never learns from: its chances are calibrated on them."""
EPOCHS, BATCH, RATE, DECAY, DROPPED = 60, 512, 2e-3, 2e-2, 0.1
DOUBT = 0.02
"""Chance, in the objective, that an order that is called certain is not."""
SLOPES = np.geomspace(0.1, 3, 60)


@dataclass(frozen=True)
class DirectionPairs:
    """m pairs of n versions of photographs.

    Attributes:
        features: (n, D) of the encoder.
        statistics: (n, S), `image_statistics`.
        first, second: (m,), places of the two versions.
        better: (m,), 1 where the second version is better, −1 where it is worse.
        weight: (m,), of the pair in the objective.
        photo: (m,), index of the photograph.
        odd, even: (m, N), `pair_statistics`.
    """

    features: AnyFeatures
    statistics: NDArray[np.float32]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    better: NDArray[np.float32]
    weight: NDArray[np.float32]
    photo: NDArray[np.int64]
    odd: NDArray[np.float32]
    even: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.better)


def fit_direction(
    pairs: DirectionPairs,
    encoder_fingerprint: str,
    score_weights: NDArray[np.floating] | None = None,
    *,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _epochs: None,
) -> tuple[DirectionHead, NDArray[np.bool_], NDArray[np.float64]]:
    """Fit the odd network, and calibrate its chances on photographs that it did not learn from.

    Args:
        pairs: of at least five photographs.
        encoder_fingerprint: fingerprint of the encoder that embedded them.
        score_weights: (D,), of a no-reference score, per unit of a feature; one more input.
        seed: of the parts and the first weights.
        advance: called with 1 after each epoch.

    Returns:
        The head; (m,) which pairs were left out of the fit; (m,) p of each pair.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    photos = rng.permutation(np.unique(pairs.photo))
    held = np.isin(pairs.photo, photos[: max(1, round(CALIBRATED_SHARE * len(photos)))])
    head = _prepared(pairs, ~held, encoder_fingerprint, score_weights)
    even, odd = _inputs(head, pairs)
    even_mean, even_scale = even[~held].mean(axis=0), even[~held].std(axis=0) + 1e-3
    odd_scale = np.sqrt((odd[~held] ** 2).mean(axis=0)) + 1e-3
    shared = torch.from_numpy(np.clip((even - even_mean) / even_scale, -LIMIT, LIMIT).astype(np.float32))
    told = torch.from_numpy(np.clip(odd / odd_scale, -LIMIT, LIMIT).astype(np.float32))
    layers = _trained(shared, told, pairs, np.flatnonzero(~held), rng, advance)
    with torch.no_grad():
        evidence = _evidence(shared, told, layers).numpy().astype(np.float64)
    slope = _slope(evidence[held], pairs.better[held], pairs.weight[held])
    even_weights, odd_weights, bias, out = (layer.detach().numpy().astype(np.float64) for layer in layers)
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
    return fitted, held, np.tanh(evidence * slope / 2)


def _prepared(
    pairs: DirectionPairs, used: NDArray[np.bool_], fingerprint: str, score_weights: NDArray[np.floating] | None
) -> DirectionHead:
    """A head with its principal parts, and no layers yet."""
    rows = np.unique(np.concatenate([pairs.first[used], pairs.second[used]]))
    mean, scale = _spread(pairs.features[rows])
    own_mean, own_scale = _spread(pairs.statistics[rows])
    inside = np.clip((pairs.features - mean) / scale, -LIMIT, LIMIT).astype(np.float32)
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
        shared=shared.astype(np.float16).astype(np.float64),
        apart=towards.astype(np.float16).astype(np.float64),
        statistic_mean=own_mean,
        statistic_scale=own_scale,
        even_mean=one(even),
        even_scale=one(even),
        odd_scale=one(odd),
        even_weights=one((even, HIDDEN)),
        odd_weights=one((odd, HIDDEN)),
        bias=one(HIDDEN),
        out=one(HIDDEN),
        slope=one(1),
        encoder_fingerprint=fingerprint,
    )


def _spread(values: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column, the latter at least half of the usual one."""
    spread = values.std(axis=0, dtype=np.float64)
    least = 0.5 * np.median(spread) if len(spread) > 1000 else 1e-3
    return values.mean(axis=0, dtype=np.float64), np.maximum(spread, max(least, 1e-9))


def _principal(rows: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """(D, K): the principal parts of rows (n, D)."""
    most = min(count, *rows.shape)
    _, _, parts = torch.svd_lowrank(torch.from_numpy(rows), q=most, niter=3)
    found: NDArray[np.float64] = parts.numpy().astype(np.float64)
    return found


def _inputs(head: DirectionHead, pairs: DirectionPairs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`DirectionHead.inputs` of every pair, (m, M) and (m, N)."""
    inside = np.clip((pairs.features - head.feature_mean) / head.feature_scale, -LIMIT, LIMIT).astype(np.float32)
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


def _slope(evidence: NDArray[np.float64], better: NDArray[np.float32], weight: NDArray[np.float32]) -> float:
    """The factor of the evidence by which held-out orders are likeliest."""
    losses = [float((np.logaddexp(0, -slope * evidence * better) * weight).sum()) for slope in SLOPES]
    return float(SLOPES[int(np.argmin(losses))])
