"""Options that mean something only beside others: held against one table for all commands, before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand

from shamisa_cli.cli.errors import with_exit_code
from shamisa_cli.cli.library_warnings import warnings_said
from shamisa_cli.cli.settings import was_typed
from shamisa_cli.core.errors import SettingError


@dataclass(frozen=True)
class Rule:
    """When options can be given on the command line. As settings, they are ignored where they do not apply.

    Options are named by the parameters of their command; "protocol=paper" is that value of one.

    Attributes:
        options: those that the rule is about.
        needs: options of which one must be given with them; empty: none.
        without: options that cannot be given with them.
        hint: a sentence about what to do instead, or "".
    """

    options: Sequence[str]
    needs: Sequence[str] = ()
    without: Sequence[str] = ()
    hint: str = ""


@dataclass(frozen=True)
class Mode:
    """An option that makes a command do other work, for which most of its options mean nothing.

    Attributes:
        option: the option.
        does: the rest of a sentence that says what the command does then.
        takes: the options that can be given with it.
    """

    option: str
    does: str
    takes: Sequence[str]


GROUPING = ("similarity", "burst_gap")
CACHING = Rule(["cache_dir", "cache_size"], without=["cache=False"])
FITTING = ("cross", "reference_column", "protocol=paper")
"""Options with which `evaluate` fits probes instead of testing one."""
WITH_RAY = (
    "output", "files_from", "recursive", "view_size", "max_pixels", "max_memory", "skip_unreadable", "model",
    "probe", "offline", "device", "runtime", "jobs", "quiet",
)  # fmt: skip
ON_RAY = Mode("ray", "writes a folder of Parquet files", WITH_RAY)
TRAINING = (
    "real", "real_share", "resume", "preset", "config", "ablation", "backbone", "init", "steps", "workers", "device",
    "checkpoint_every", "keep_every",
)  # fmt: skip

RULES: dict[str, Sequence[Rule]] = {
    "score": [
        Rule(GROUPING, needs=["groups"]),
        Rule(["groups"], without=["shard"], hint="Pictures of one group may be in several parts."),
        CACHING,
    ],
    "cull": [
        CACHING,
        Rule(GROUPING, needs=["best_of_groups"]),
        Rule(["print0"], needs=["list_"]),
        Rule(["format", "apply"], without=["list_"]),
        Rule(["overwrite", "adobe_names"], without=["move_to", "copy_to", "list_"]),
        Rule(["stars"], without=["move_to", "copy_to", "list_"], hint="Rate first, then move in a second run."),
    ],
    "compare": [
        Rule(["target"], needs=["ladder"], hint="A limit on versions is --min-score."),
        Rule(["format=svg"], needs=["ladder"]),
    ],
    "embed": [
        CACHING,
        Rule(["color_by", "table", "center_by", "projection", "seed"], needs=["plot"]),
        Rule(["table"], needs=["color_by", "center_by"], hint="They name its columns."),
        Rule(["image_column"], needs=["table"]),
    ],
    "fit-probe": [
        CACHING,
        Rule(["session_share"], needs=["session_column"]),
        Rule(["ordinal_weight"], needs=["ordinal"]),
        Rule(["pseudo_photos", "pseudo_weight", "pseudo_drop"], needs=["pseudo"]),
        Rule(["cache_dir", "cache_size"], without=["features"]),
        Rule(["session_column", "features", "ordinal", "pseudo", "spacing=even"], without=["protocol=paper"]),
    ],
    "evaluate": [
        CACHING,
        Rule(["every", "limit"], needs=["run"]),
        Rule(["gmad_figure", "gmad_levels"], needs=["gmad"]),
        Rule(["gmad"], without=FITTING),
        Rule(["probe"], without=FITTING, hint="There, probes are fitted anew."),
        Rule(["splits"], needs=FITTING),
        Rule(["group_column"], needs=["cross", "protocol=paper"], hint="It keeps groups together in random splits."),
        Rule(["dmos"], needs=["cross"], hint="For one table, use --lower-is-better."),
        Rule(["subset_column"], without=["cross"], hint="It breaks down the results of one table."),
        Rule(["image_column", "mos_column", "lower_is_better", "logistic", "seed"], needs=["mos", "cross"]),
    ],
    "train": [
        Rule(TRAINING, needs=["output"], hint="Name the run's folder, as -o RUN."),
    ],
    "serve": [CACHING],
    "models derive": [
        Rule(
            ["view_size", "stages", "scales"],
            without=["protocol=paper"],
            hint="The paper's protocol fixes the size, stages and scales at which pictures are read.",
        ),
    ],
}  # fmt: skip
"""Rules of each command; of those that are broken, the first is told."""

MODES: dict[str, Sequence[Mode]] = {
    "score": [ON_RAY],
    "embed": [ON_RAY],
    "cull": [Mode("undo", "takes back what was moved or copied", ["files_from", "apply", "quiet"])],
    "compare": [
        Mode(
            "ladder",
            "compares one picture with copies of it",
            ["target", "format", "output", "max_pixels", "max_memory", "model", "offline", "device", "quiet"],
        )
    ],
    "evaluate": [
        Mode(
            "run",
            "tests the checkpoints of a training run",
            ["mos", "image_column", "mos_column", "subset_column", "every", "limit", "seed", "format", "output",
             "skip_unreadable", "offline", "device", "jobs", "quiet"],
        )
    ],
}  # fmt: skip
"""Modes of each command."""


RANGES = {"int range": "whole number", "integer range": "whole number", "float range": "number"}
"""What the help and messages call the values of numbers with limits, by the name that some version of click gives."""


class RuledCommand(TyperCommand):
    """A command that begins by holding its options against the rules."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            parameter.type.name = RANGES.get(parameter.type.name, parameter.type.name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, or end with a sentence about options that do not go together."""
        with_exit_code(require_rules, debug=False)(ctx)
        with warnings_said(quiet=bool(ctx.params.get("quiet"))):
            return super().invoke(ctx)


def require_rules(context: typer.Context) -> None:
    """Raise SettingError if an option was given on the command line where it would say nothing."""
    command = context.command_path.removeprefix(context.find_root().command_path).strip()
    for mode in MODES.get(command, ()):
        if _given(context, mode.option):
            _refuse_others(context, mode)
    for rule in RULES.get(command, ()):
        for option in rule.options:
            if _typed(context, option):
                _require(context, option, rule)


def _require(context: typer.Context, option: str, rule: Rule) -> None:
    hint = f" {rule.hint}" if rule.hint else ""
    if rule.needs and not any(_given(context, other) for other in rule.needs):
        others = _either([_spelt(context, other) for other in rule.needs])
        raise SettingError(f"{_spelt(context, option)} goes with {others}.{hint}")
    for other in rule.without:
        if _given(context, other):
            raise SettingError(f"{_spelt(context, option)} does not go with {_spelt(context, other)}.{hint}")


def _refuse_others(context: typer.Context, mode: Mode) -> None:
    for each in context.command.params:
        name = each.name or ""
        if each.param_type_name == "option" and name not in (mode.option, *mode.takes) and _typed(context, name):
            raise SettingError(
                f"{_spelt(context, name)} does not go with {_spelt(context, mode.option)}, which {mode.does}."
            )


def _typed(context: typer.Context, option: str) -> bool:
    name, _, value = option.partition("=")
    return was_typed(context, name) and (not value or str(context.params[name]) == value)


def _given(context: typer.Context, option: str) -> bool:
    """Whether an option is on, or has its value, from wherever; off, such as "cache=False", only where it was typed."""
    name, _, value = option.partition("=")
    held = context.params[name]
    if value == str(False):
        return _typed(context, option)
    return str(held) == value if value else held is not None and held is not False and held not in ((), [])


def _spelt(context: typer.Context, option: str) -> str:
    """As it is typed: "--no-recursive", "--protocol paper"."""
    name, _, value = option.partition("=")
    found: Any = next(each for each in context.command.params if each.name == name)
    off = context.params[name] is False and found.secondary_opts
    spelling = max(found.secondary_opts if off else found.opts, key=len)
    return spelling if found.is_flag else f"{spelling} {value}".rstrip()


def _either(options: Sequence[str]) -> str:
    *others, last = options
    return f"{', '.join(others)} or {last}" if others else last
