"""Ridge regression of human scores from several rating sessions or studies (ours).

Sessions differ in what people were shown and so in what a mark means: at equal quality one session's marks are lower
than another's. One part of the regressor learns quality, from differences inside sessions; the other learns which
session an image looks like, from the sessions' offsets. The second part is bounded by the offsets there were, and
counted in part. Which session an image is most like, of which marks agree more in some, also decides its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from shamisa_cli.core.arguments import AtLeast, Share, check_fields
from shamisa_cli.core.arrays import AnyFeatures, Features, Matrix, Vector
from shamisa_cli.core.probe.pseudo import PseudoLabels
from shamisa_cli.core.probe.ridge import Ridge
from shamisa_cli.core.probe.scaling import Scaling
from shamisa_cli.core.probe.session_parts import SessionLikeness, SessionOffset

SHARE = 0.85
PENALTY = 1.0
OFFSET_PENALTY = 0.2
CHUNK = 1000

_LEAST = 1e-9
_Penalty = Annotated[float, AtLeast(_LEAST, most=1 / _LEAST)]

INVARIANCE = 0.1
"""Weight of the pseudo-labels in the fit of the offset, which degradation must not change."""


@dataclass(frozen=True)
class SessionSettings:
    """How the two parts are fitted and joined.

    Attributes:
        share: 0…1, how much of the session's offset counts. 1 predicts best within the sessions, less predicts other
            data better.
        penalty, offset_penalty: of the two parts, as multiples of the mean squared norm of the rows; above 0.

    Raises SettingError for numbers out of their range.
    """

    share: Share = SHARE
    penalty: _Penalty = PENALTY
    offset_penalty: _Penalty = OFFSET_PENALTY

    def __post_init__(self) -> None:
        check_fields(self)


def fit_by_session(
    features: AnyFeatures,
    quality: Vector,
    sessions: Sequence[str],
    settings: SessionSettings,
    pseudo: PseudoLabels | None = None,
) -> Ridge:
    """Fit quality with an intercept per session, then the intercepts themselves.

    Quality minimises Σ(y − b_session − w·x)² + λΣ(target − w·(x_version − x_original))² + α‖w‖²; the offset minimises
    Σ(b_session − c − v·x)² + μΣ(v·(x_version − x_original))² + β‖v‖², and so does the likeness to each session, with
    1 for its own images and 0 for others in place of b. All in the dual form, from one Gram matrix.

    Args:
        features, quality: (n, D) and (n,); higher is better.
        sessions: (n,) names.
        settings: see `SessionSettings`.
        pseudo: versions of photographs.
    """
    scaling = Scaling.standard(features)
    system = _system(features, scaling, pseudo)
    gram = (system @ system.T).astype(np.float64)
    count = len(quality)
    norm = float(np.diag(gram)[:count].mean())
    names, members = np.unique(np.asarray(sessions), return_inverse=True)
    changes = np.zeros(0) if pseudo is None else pseudo.targets
    weight = 0.0 if pseudo is None else pseudo.settings.weight

    alpha = settings.penalty * norm
    centred = quality - _means(quality, members)[members]
    weights = _solve(system, gram, members, np.concatenate([centred, changes])[:, None], weight, alpha)[:, 0]
    inside = system[:count] @ weights
    intercepts = _means(quality - inside, members) - quality.mean()

    everyone = np.zeros(count, dtype=np.int64)
    offsets = intercepts[members]
    own = np.eye(len(names))[members]
    likely = (own - own.mean(axis=0)) / np.maximum(own.std(axis=0), _LEAST)
    targets = np.column_stack([offsets - offsets.mean(), likely])
    targets = np.concatenate([targets, np.zeros((len(changes), targets.shape[1]))])
    directions = _solve(
        system, gram, everyone, targets, INVARIANCE if len(changes) else 0.0, settings.offset_penalty * norm
    )
    middle = system[:count].mean(axis=0, dtype=np.float64) @ directions
    bias = float(np.mean(offsets)) - float(middle[0])
    return Ridge(
        weights=weights * scaling.balance,
        bias=float(quality.mean()),
        feature_mean=scaling.mean,
        feature_scale=scaling.scale,
        clip=scaling.clip,
        alpha=alpha,
        offset=SessionOffset(
            weights=directions[:, 0] * scaling.balance,
            bias=bias,
            low=float(intercepts.min()),
            high=float(intercepts.max()),
            share=settings.share,
        ),
        likeness=SessionLikeness(
            names=tuple(str(name) for name in names),
            weights=(directions[:, 1:].T * scaling.balance).astype(np.float32),
            bias=-middle[1:],
        ),
    )


def _system(features: AnyFeatures, scaling: Scaling, pseudo: PseudoLabels | None) -> Features:
    """The rows of scores, then those of versions, in the precision of features: they may need gigabytes."""
    count, length = features.shape
    system = np.empty((count + (0 if pseudo is None else len(pseudo)), length), np.float32)
    for start in range(0, count, CHUNK):
        system[start : min(start + CHUNK, count)] = scaling.rows(features[start : start + CHUNK])
    if pseudo is not None:
        system[count:] = pseudo.rows(scaling)
    return system


def _means(values: Vector, members: np.ndarray) -> Vector:
    return np.bincount(members, values) / np.bincount(members)


def _solve(system: Features, gram: Matrix, members: np.ndarray, targets: Matrix, weight: float, alpha: float) -> Matrix:
    """Weights (D, t) for targets (m, t); rows are centred within their groups, those beyond `members` are weighted."""
    from scipy.linalg import cho_factor, cho_solve

    count = len(members)
    inner = gram.copy()
    _centre(inner, members)
    _centre(inner.T, members)
    root = np.ones(len(targets))
    root[count:] = np.sqrt(weight)
    inner *= root
    inner *= root[:, None]
    inner[np.diag_indices_from(inner)] += alpha
    root = root[:, None]
    coefficients = root * cho_solve(cho_factor(inner, lower=True, overwrite_a=True), root * targets)
    _centre(coefficients, members)
    solution: Matrix = (system.T @ coefficients.astype(np.float32)).astype(np.float64)
    return solution


def _centre(matrix: Matrix, members: np.ndarray) -> None:
    """Subtract from the first rows of a matrix the means of their groups, in place."""
    for group in range(int(members.max()) + 1):
        chosen = np.flatnonzero(members == group)
        matrix[chosen] -= matrix[chosen].mean(axis=0)
