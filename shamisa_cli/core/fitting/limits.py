"""How far a probe can be trusted: the interval around its scores, and the pictures and kind of picture it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import AnyFeatures, Vector
from shamisa_cli.core.fitting.recipe import ProbeSettings
from shamisa_cli.core.probe.familiarity import fit_familiarity
from shamisa_cli.core.probe.intervals import Interval, calibrate, calibrate_sessions, least_held_out
from shamisa_cli.core.probe.protocol import ProtocolResult
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.same_pictures import numbered, same_pictures


def interval_unknown(probe: Probe, level: float, *, grouped: bool) -> tuple[str, ...]:
    """A sentence where too few pictures, or groups of a table that names them, were held out for such an interval."""
    if probe.interval is not None:
        return ()
    few, more = ("groups", "pictures of more groups") if grouped else ("pictures", "more pictures")
    return (
        f"Too few {few} were held out for intervals that hold {100 * level:g} % of ratings, which take "
        f"{least_held_out(level):,}: scores have none. Rate {more}, or ask for a smaller share.",
    )


def with_limits(
    probe: Probe,
    rows: AnyFeatures,
    pictures: NDArray[np.int64],
    together: Sequence[str] | None,
    positions: Vector,
    result: ProtocolResult,
    sessions: Sequence[str] | None,
    settings: ProbeSettings,
    grey: AnyFeatures | None = None,
) -> Probe:
    """The probe with intervals from held-out predictions, what is usual among the pictures fitted on, and their scores.

    Args:
        probe: fitted on the whole table.
        rows: (n, R, D), features of the R crops of each picture; what is usual is kept of whole pictures alone.
        pictures: (n,), from `same_pictures`; each is learned from once.
        together: (n,) from `join_groups`.
        positions: (n,) of the human scores.
        result: of the splits.
        sessions: (n,) names of the rating sessions, or None.
        settings: the level of the intervals, and the seed.
        grey: features (m, D) of pictures of the table in black and white, or None.
    """
    units = numbered(together, len(rows))
    own: tuple[Interval, ...] = ()
    if sessions is not None and probe.likeness is not None:
        numbers = np.unique(np.asarray(sessions), return_inverse=True)[1]
        own = calibrate_sessions(result.all_held_out, positions, numbers, settings.interval, units)
    known = None
    whole = rows.shape[1] == 1
    each = rows[:, 0] if whole else rows.mean(axis=1)
    each = each if len(seen := np.unique(pictures)) == len(rows) else each[seen]
    if whole:
        grey = None if grey is None else grey[np.unique(same_pictures(grey))]
        known = fit_familiarity(each, probe.feature_mean, probe.feature_scale, grey=grey, seed=settings.seed)
    return replace(
        probe,
        interval=calibrate(*result.held_out_pairs(positions), settings.interval, units[result.held_out[0]]),
        session_intervals=own,
        familiarity=known,
        fitted=np.sort(probe.scale.mos(np.clip(probe.predict(each), 0, 1))),
    )
