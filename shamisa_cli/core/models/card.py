"""Metadata of model cards: the YAML at the top of README.md, read by the Hub and by `shamisa models`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.models.hub import require_client
from shamisa_cli.core.models.manifest import CARD, LIBRARY_NAME

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard

TASK = "image-quality-assessment"
SINGLE, RELATIONAL = "no-reference", "full-reference"
"""Tags of models that score one image and of models that compare two."""

METRIC_TYPES = {"SRCC": "spearmanr", "PLCC": "pearsonr", "KRCC": "kendalltau", "RMSE": "rmse"}
"""Names of metrics in this field → names of the Hub's metrics."""

MAX_CARD_BYTES = 1_000_000

_NO_METADATA = "---\n{}\n---\n"


@dataclass(frozen=True)
class Metric:
    """A metric in a card.

    Attributes:
        name: name of the metric, such as SRCC.
        value: its value.
        dataset: name of the data it was measured on.
    """

    name: str
    value: float
    dataset: str

    def to_json(self) -> dict[str, Any]:
        """The metric as JSON values."""
        return {"name": self.name, "value": self.value, "dataset": self.dataset}


def card_metrics(folder: Path) -> tuple[Metric, ...]:
    """Metrics in the metadata of a folder's card; none if there is no card or it cannot be read."""
    text = read_card(folder)
    if text is None:
        return ()
    try:
        data: Any = _card(text).data
    except ModelError:
        return ()
    return tuple(metric for metric in map(_metric, data.eval_results or []) if metric is not None)


def read_card(folder: Path) -> str | None:
    """Text of a folder's card; None if it is missing, not UTF-8, or over 1 MB."""
    path = folder / CARD
    try:
        if not is_file(path) or path.stat().st_size > MAX_CARD_BYTES:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return None


def add_metadata(
    text: str,
    *,
    name: str,
    license: str | None = None,
    reads: str = SINGLE,
    tags: Iterable[str] = (),
    metrics: Iterable[Metric] = (),
) -> str:
    """Complete a card's metadata: library, tags, licence and metrics; other entries are kept.

    Args:
        text: the card, with metadata or without.
        name: name of the model.
        license: as in a model folder; a licence that the card has already is kept.
        reads: `SINGLE` or `RELATIONAL`.
        tags: added to those the card has, to the task and to `reads`.
        metrics: replace those of the card, unless empty.

    Raises:
        ModelError: the card's metadata cannot be read.
    """
    card = _card(text)
    data: Any = card.data
    data.library_name = LIBRARY_NAME
    data.tags = list(dict.fromkeys([*(data.tags or []), TASK, reads, *tags]))
    if license and not data.license:
        data.license = license.lower()
    replaced = [_result(metric) for metric in metrics]
    if replaced:
        data.eval_results = replaced
    if data.eval_results:
        data.model_name = data.model_name or name
    return str(card)


def write_metadata(folder: Path, metrics: Iterable[Metric]) -> None:
    """Write metrics into the metadata of a folder's card, if it has a card.

    Raises:
        ModelError: the card's metadata cannot be read; the card is left unchanged.
    """
    text = read_card(folder)
    if text is None:
        return
    completed = add_metadata(text, name=folder.resolve().name, metrics=metrics)
    with replacing(folder / CARD) as temporary:
        temporary.write_text(completed, encoding="utf-8", newline="\n")


def _card(text: str) -> ModelCard:
    require_client()
    from huggingface_hub import ModelCard

    try:
        return ModelCard(text if text.startswith("---") else _NO_METADATA + text, ignore_metadata_errors=True)
    except Exception as error:  # YAML's errors, and those of the client's own classes
        reason = str(error).partition("\n")[0]
        raise ModelError(f"The metadata at the top of the card, {CARD}, cannot be read ({reason}). Fix it.") from error


def _metric(result: EvalResult) -> Metric | None:
    named = {kind: name for name, kind in METRIC_TYPES.items()}
    name = str(result.metric_name or named.get(result.metric_type, result.metric_type))
    dataset = str(result.dataset_name)
    try:
        value = float(result.metric_value)
    except (TypeError, ValueError):
        return None
    if not (name.isprintable() and dataset.isprintable() and math.isfinite(value)):
        return None
    return Metric(name, value, dataset)


def _result(metric: Metric) -> EvalResult:
    require_client()
    from huggingface_hub import EvalResult

    slug = "-".join(metric.dataset.lower().split())
    return EvalResult(
        task_type=TASK,
        task_name="Image quality assessment",
        dataset_type=slug,
        dataset_name=metric.dataset,
        metric_type=METRIC_TYPES.get(metric.name, metric.name.lower()),
        metric_name=metric.name,
        metric_value=metric.value,
    )


def replace_section(folder: Path, name: str, text: str) -> None:
    """Replace the section `name` of the folder's card by `text`, or append it."""
    path = folder / CARD
    card = path.read_text(encoding="utf-8") if is_file(path) else ""
    with replacing(path) as temporary:
        temporary.write_text(with_section(card, name, text), encoding="utf-8", newline="\n")


def with_section(card: str, name: str, text: str) -> str:
    """The card (Markdown) with its section of that name replaced, or appended."""
    begin, end = f"<!-- shamisa {name} -->", f"<!-- /shamisa {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    before, found, rest = card.partition(begin)
    _, closed, after = rest.partition(end)
    if found and closed:
        return before + section + after
    return f"{card.rstrip()}\n\n{section}\n" if card.strip() else f"{section}\n"
