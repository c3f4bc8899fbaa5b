"""The gate of a command: its options, rules from the project's settings, and the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.cli.console import Console
from shamisa_cli.cli.options import GATE
from shamisa_cli.cli.run_tally import RunTally
from shamisa_cli.cli.settings import configuration_of
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.scoring.baseline import Baseline, ScoreSource, read_baseline
from shamisa_cli.core.scoring.gate import Gate, gate_summary
from shamisa_cli.core.sole_writer import sole_writer

if TYPE_CHECKING:
    from shamisa_cli.core.images.discovery import Discovery
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.records import Run
    from shamisa_cli.core.scoring.toolchain import Toolchain

MinScore = Annotated[
    float | None,
    typer.Option(
        "--min-score",
        min=0,
        max=100,
        envvar="SHAMISA_MIN_SCORE",
        rich_help_panel=GATE,
        show_default="none",
        help="Minimum score; exit code 1 if a picture scores lower. Rules for single files take precedence.",
    ),
]
BaselineFile = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="FILE",
        envvar="SHAMISA_BASELINE",
        rich_help_panel=GATE,
        show_default="none",
        help="JSON file of earlier scores to compare with; keep it with the pictures.",
    ),
]
MaxDrop = Annotated[
    float | None,
    typer.Option(
        "--max-drop",
        min=0,
        metavar="POINTS",
        envvar="SHAMISA_MAX_DROP",
        rich_help_panel=GATE,
        show_default="none",
        help="Largest allowed drop, in points, from the baseline; exit code 1 if exceeded.",
    ),
]
MaxFaults = Annotated[
    list[str] | None,
    typer.Option(
        "--max-fault",
        metavar="FAULT=SEVERITY",
        rich_help_panel=GATE,
        show_default="none",
        help="Worst focus, noise or compression allowed at 100 %, from 0 to 4, such as focus=2; may be repeated.",
    ),
]
Forbidden = Annotated[
    list[str] | None,
    typer.Option(
        "--forbid",
        metavar="REMARK",
        rich_help_panel=GATE,
        show_default="none",
        help="Fail pictures with this remark, such as underexposed or 'motion blur'; may be repeated.",
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        envvar="SHAMISA_STRICT",
        rich_help_panel=GATE,
        show_default="off",
        help="Do not judge pictures with an unreliable score (small, narrow, no photograph); they count as unreadable.",
    ),
]
UpdateBaseline = Annotated[
    bool,
    typer.Option(
        "--update-baseline",
        rich_help_panel=GATE,
        show_default="off",
        help="Write the scores to the baseline instead of comparing with it.",
    ),
]


@dataclass(frozen=True)
class RunGate:
    """The gate of one run, and its baseline.

    Attributes:
        gate: the conditions that images must meet.
        baseline: the baseline before the run; None if none is named.
        updates: whether the baseline is written after the run instead of compared with.
    """

    gate: Gate
    baseline: Baseline | None
    updates: bool

    @property
    def goes_by_names(self) -> bool:
        """Whether a picture with two names is two pictures to the gate."""
        return bool(self.gate.rules) or self.baseline is not None

    def judged(self, found: Discovery) -> Discovery:
        """The pictures under names that rules judge apart; a baseline has an entry for each, as links change."""
        if not self.gate.rules or self.baseline is not None:
            return found
        from shamisa_cli.core.scoring.gate_names import judged_names

        return replace(found, paths=judged_names(self.gate, found.paths))

    def require_same(self, run: Run, model: Model, console: Console) -> None:
        """Say what makes the baseline's scores doubtful; raise ModelError if a different model or version made them."""
        if self.baseline is None or self.updates:
            return
        made_with = _made_with(model)
        self.baseline.require(_scorer(run, model), made_with)
        file, changes = self.baseline.file, self.baseline.changes_to(made_with)
        if changes:
            console.warn(
                f"The scores in {file} were made with other versions of packages ({changes}), so small differences may "
                "be theirs. Write it again with --update-baseline, over all its pictures, where it matters."
            )
        if self.baseline.made_with is None:
            console.hint(
                f"{file} does not say which version made its scores. Write it again with --update-baseline, over all "
                "its pictures, to have that checked."
            )

    def conclude(self, tally: RunTally, run: Run, model: Model, console: Console, *, said: bool) -> None:
        """Keep the baseline, and say what the gate found unless a reporter has said it."""
        self._keep(tally.scores, run, model, console)
        self._tell_changed_names(tally.scores, console)
        if run.gated and not said:
            console.hint(f"{gate_summary(tally.statuses, gated=True)}.")

    def _tell_changed_names(self, scores: Mapping[str, float], console: Console) -> None:
        """Say how many images (path → 0…100) the baseline does not have, and how many of its own are gone."""
        if self.baseline is None or self.updates:
            return
        new, gone = self.baseline.changed_names(scores)
        if new or gone:
            console.hint(
                f"Against {self.baseline.file}: {new:,} new, {gone:,} gone. New or renamed pictures have no earlier "
                "score and cannot fail by a drop; --update-baseline writes them."
            )

    def _keep(self, scores: Mapping[str, float], run: Run, model: Model, console: Console) -> None:
        """Write the scores (path → 0…100) into the baseline and report it, if requested."""
        if self.baseline is None or not self.updates:
            return
        if not scores and self.baseline.scorer is not None:
            console.hint(f"{self.baseline.file} stays as it is, since no picture was scored.")
            return
        updated = self.baseline.updated(scores, _scorer(run, model), _made_with(model))
        updated.write()
        dropped = len(self.baseline.scores.keys() - updated.scores.keys())
        entries = "entry" if dropped == 1 else "entries"
        why = "files deleted, or scored by another model or version"
        gone = f"; removed {dropped:,} {entries} ({why})" if dropped else ""
        console.hint(
            f"{updated.file} now holds {len(updated.scores):,} scores, {len(scores):,} of them from this run{gone}."
        )


def open_gate(
    context: typer.Context,
    *,
    min_score: float | None,
    max_drop: float | None,
    max_faults: list[str] | None,
    forbid: list[str] | None,
    baseline: Path | None,
    update: bool,
    skip_unreadable: bool,
    strict: bool = False,
) -> RunGate:
    """Combine options, the project's rules and the current baseline into a gate.

    A baseline that is to be updated belongs to this run until the command ends: what another run added to it meanwhile
    would be lost.

    Raises:
        SettingError: options contradict each other, the baseline is missing or damaged, or another run updates it.
    """
    configuration = configuration_of(context)
    if update:
        context.with_resource(sole_writer(baseline))
    before = None if baseline is None else read_baseline(baseline)
    gate = Gate(
        min_score=min_score,
        max_drop=max_drop,
        max_faults=_fault_limits(max_faults or ()),
        forbid=tuple(forbid or ()),
        rules=configuration.rules,
        folder=configuration.rules_folder,
        baseline=None if update else before,
        skip_unreadable=skip_unreadable,
        strict=strict,
    )
    if before is None and update:
        raise SettingError("--update-baseline needs a file to write. Name it with --baseline.")
    if before is None and gate.limits_drops:
        raise SettingError("A limit on drops needs earlier scores to compare with. Name their file with --baseline.")
    if before is not None and not update:
        _require_usable(before, gate)
    return RunGate(gate, before, update)


def _fault_limits(texts: Sequence[str]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for name, worst in map(_fault_limit, texts):
        if name in limits:
            raise SettingError(f"--max-fault names {name} twice. Give one limit of each fault.")
        limits[name] = worst
    return limits


def _fault_limit(text: str) -> tuple[str, float]:
    name, _, worst = text.partition("=")
    try:
        return name, float(worst)
    except ValueError:
        raise SettingError(f"--max-fault is {text!r}; it takes FAULT=SEVERITY, such as focus=2.") from None


def _require_usable(baseline: Baseline, gate: Gate) -> None:
    if not gate.limits_drops:
        raise SettingError("A baseline needs a limit on drops. Set with --max-drop how many points a score may fall.")
    if baseline.scorer is None:
        raise SettingError(f"There is no baseline {baseline.file} yet. Write it with --update-baseline.")


def _made_with(model: Model) -> Toolchain:
    from shamisa_cli.core.scoring.provenance import toolchain

    return toolchain(model.encoder)


def _scorer(run: Run, model: Model) -> ScoreSource:
    assert model.probe is not None
    return ScoreSource.of_model(run.model, model.encoder_digest, model.probe)
