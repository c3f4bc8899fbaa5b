"""Culling in one call: score, group, decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.core.culling.decisions import CullRule, Decision, decide
from shamisa_cli.core.culling.groups import GroupSettings, group_records
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS
from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring.pipeline import score_files
from shamisa_cli.core.scoring.scorer import ViewSize

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.scoring.cache import Cache


def cull_files(
    model: Model,
    files: Iterable[Path],
    rule: CullRule,
    *,
    groups: GroupSettings | None = None,
    jobs: int | None = None,
    view_size: ViewSize = "model",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    cache: Cache | None = None,
    advance: Callable[[int], None] = lambda _images: None,
) -> list[Decision]:
    """Score files, find groups among them where the rule asks for it, and decide on each, in the order given.

    Nothing is changed on disk: see `write_mark` and `transfer_files`.

    Args:
        model: a model with a probe.
        files: the images.
        rule: conditions for keeping an image.
        groups: conditions for a group; None: the default ones, and groups are only found if the rule needs them.
        jobs, view_size, max_pixels, cache: as in `score_files`.
        advance: called with the number of images that were scored.

    Raises:
        ModelError, SettingError: as `score_files` does. An image that cannot be read raises nothing: see `Decision`.
    """
    grouped = rule.best_of_groups or groups is not None
    records: list[ImageRecord] = []
    for record in score_files(
        model, files, jobs=jobs, view_size=view_size, max_pixels=max_pixels, cache=cache, sketches=grouped
    ):
        records.append(record)
        advance(1)
    return decide(group_records(records, groups) if grouped else records, rule)
