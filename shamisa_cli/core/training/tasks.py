"""All tasks."""

from __future__ import annotations

from typing import Any

from shamisa_cli.core.training.pretraining.task import ShamisaTask
from shamisa_cli.core.training.relational.task import RelationalTask
from shamisa_cli.core.training.settings import Settings
from shamisa_cli.core.training.task import Task

TASKS: dict[str, Task[Any, Any]] = {"shamisa": ShamisaTask(), "relational": RelationalTask()}


def task_of(settings: Settings) -> Task[Any, Any]:
    """The task of these settings."""
    return TASKS[settings.task]
