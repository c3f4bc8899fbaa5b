"""The settings of every task: which there are, their presets, and how to change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.training.ablations import ablation
from shamisa_cli.core.training.pretraining import config
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.relational import config as relational_config
from shamisa_cli.core.training.relational.config import RelationalTrainingConfig

Settings = TrainingConfig | RelationalTrainingConfig
"""Settings of a run, of any task."""

_PRESETS: dict[str, Mapping[str, Settings]] = {"shamisa": config.PRESETS, "relational": relational_config.PRESETS}


def defaults(task: str) -> Settings:
    """The settings of a task before anything is changed. Raises SettingError for an unknown task."""
    return type(preset(task, "paper"))()


def preset(task: str, name: str) -> Settings:
    """A task's preset of that name. Raises SettingError if there is none, or no such task."""
    if task not in _PRESETS:
        raise SettingError(f"There is no task {task!r}; there are {', '.join(_PRESETS)}. Upgrade shamisa if it is new.")
    if name not in _PRESETS[task]:
        raise SettingError(f"There is no preset {name!r} of {task}; there are {', '.join(_PRESETS[task])}.")
    return _PRESETS[task][name]


def with_settings(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """`settings` with some of them changed, as a TOML or JSON table gives them.

    Raises SettingError on unknown names, wrong types or values that cannot be used.
    """
    if isinstance(settings, TrainingConfig):
        return config.with_settings(settings, changes)
    if "architecture" in changes:
        raise SettingError(f"The backbones are of the task shamisa; {settings.task} has networks of its own.")
    return relational_config.with_settings(settings, changes)


def with_ablation(settings: Settings, name: str) -> Settings:
    """`settings` changed as the published ablation of that name says.

    Raises SettingError if there is none, or the task has no ablations.
    """
    if not isinstance(settings, TrainingConfig):
        raise SettingError(f"The ablations are of the task shamisa; {settings.task} has none.")
    return config.with_settings(settings, ablation(name).settings)
