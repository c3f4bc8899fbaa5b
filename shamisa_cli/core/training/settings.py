"""Settings of all tasks: defaults, presets and changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.training.ablations import ABLATIONS, ablation
from shamisa_cli.core.training.pretraining import config
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.relational import config as relational_config
from shamisa_cli.core.training.relational.config import RelationalTrainingConfig

Settings = TrainingConfig | RelationalTrainingConfig
"""Settings of a run, of any task."""

_PRESETS: dict[str, Mapping[str, Settings]] = {"shamisa": config.PRESETS, "relational": relational_config.PRESETS}


def defaults(task: str) -> Settings:
    """Default settings of a task. Raises SettingError for an unknown task."""
    return type(preset(task, "paper"))()


def preset(task: str, name: str) -> Settings:
    """Return a preset of a task. Raises SettingError if there is no such preset or task."""
    if task not in _PRESETS:
        raise SettingError(f"There is no task {task!r}; there are {', '.join(_PRESETS)}. Upgrade shamisa if it is new.")
    if name not in _PRESETS[task]:
        raise SettingError(f"There is no preset {name!r} of {task}; there are {', '.join(_PRESETS[task])}.")
    return _PRESETS[task][name]


def with_settings(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Change some of the `settings`, given as in a TOML or JSON table.

    Raises SettingError on unknown names, wrong types or values that cannot be used.
    """
    if isinstance(settings, TrainingConfig):
        return config.with_settings(settings, changes)
    if "architecture" in changes:
        raise SettingError(f"The backbones are of the task shamisa; {settings.task} has networks of its own.")
    return relational_config.with_settings(settings, changes)


def with_ablation(settings: Settings, name: str) -> Settings:
    """Apply the published ablation of that name to `settings`.

    Raises SettingError if there is none, or the task has no ablations.
    """
    if not isinstance(settings, TrainingConfig):
        raise SettingError(f"The ablations are of the task shamisa; {settings.task} has none.")
    return config.with_settings(settings, ablation(name).settings)


def shown_ablations(settings: Settings) -> tuple[str, ...]:
    """The published ablations that settings show: they have their changes, and the defaults do not."""
    if not isinstance(settings, TrainingConfig):
        return ()
    usual = defaults(settings.task)
    return tuple(
        name for name in ABLATIONS if with_ablation(settings, name) == settings and with_ablation(usual, name) != usual
    )
