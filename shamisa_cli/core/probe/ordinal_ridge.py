"""Ridge regression on human scores and ordinal facts together (ours)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shamisa_cli.core.probe.ordinal import OrdinalFacts
from shamisa_cli.core.probe.ridge import Features, Matrix, Ridge, Vector, standardised

MARGIN = 0.04
"""How much worse a version must score for each unit of severity more, as a share of the range of those fitted."""
MAX_ROUNDS = 30


@dataclass(frozen=True)
class OrdinalSettings:
    """How much the facts weigh beside the scores.

    Attributes:
        weight: the facts together weigh this many times as much as the human scores together, ≥ 0.
        margin: see `MARGIN`.
    """

    weight: float = 1.0
    margin: float = MARGIN


def fit_with_facts(
    features: Features, quality: Vector, alpha: float, facts: OrdinalFacts, settings: OrdinalSettings
) -> Ridge:
    """Minimise Σ(y − b − w·x)² + λ·Σ max(0, margin·gap − w·(x_milder − x_stronger))² + α·‖w‖².

    x are standardised by the pictures with scores; λ = weight · n / m. The squared hinge asks only for facts
    that do not hold yet; its minimum is found by Newton steps over the set of those (finite, as for L2 support
    vector machines: Keerthi and DeCoste, JMLR 2005), each a linear system in the dual.

    Args:
        features, quality: (n, D) and (n,), as for `fit_ridge`; higher is better.
        alpha: penalty on the squared norm of the weights, above 0.
        facts: m pairs.
    """
    mean, scale, rows = standardised(features)
    bias = float(quality.mean())
    strength = np.sqrt(settings.weight * len(rows) / len(facts))
    differences = strength * (facts.milder - facts.stronger) / scale
    wanted = strength * settings.margin * float(np.ptp(quality)) * facts.gap
    system = np.concatenate([rows, differences])
    targets = np.concatenate([quality - bias, wanted])
    coefficients = _active_set(system @ system.T, targets, len(rows), alpha)
    return Ridge(system.T @ coefficients, bias, mean, scale, float(alpha))


def _active_set(gram: Matrix, targets: Vector, scores: int, alpha: float) -> Vector:
    """Dual coefficients, 0 for facts that hold; the first `scores` rows always count."""
    from scipy.linalg import cho_factor, cho_solve

    active = np.ones(len(targets), dtype=bool)
    active[scores:] = False
    for _ in range(MAX_ROUNDS):
        chosen = np.flatnonzero(active)
        inner = gram[np.ix_(chosen, chosen)]
        inner[np.diag_indices_from(inner)] += alpha
        coefficients = np.zeros(len(targets))
        coefficients[chosen] = cho_solve(cho_factor(inner, overwrite_a=True), targets[chosen])
        violated = gram @ coefficients < targets
        violated[:scores] = True
        if (violated == active).all():
            break
        active = violated
    return coefficients
