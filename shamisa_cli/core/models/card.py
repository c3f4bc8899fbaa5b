"""The model card's metadata: what the Hub, and `shamisa models`, read from the top of README.md."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models.manifest import CARD, LIBRARY_NAME

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard

TASK = "image-quality-assessment"
SINGLE, RELATIONAL = "no-reference", "full-reference"
"""What tells models that read one picture from those that compare two."""

METRIC_TYPES = {"SRCC": "spearmanr", "PLCC": "pearsonr", "KRCC": "kendalltau", "RMSE": "rmse"}
"""The names of this field, and those by which the Hub's metrics go."""

MAX_CARD_BYTES = 1_000_000

_NO_METADATA = "---\n{}\n---\n"


@dataclass(frozen=True)
class Metric:
    """A figure that a card states.

    Attributes:
        name: such as SRCC.
        value: the figure.
        dataset: what it was measured on.
    """

    name: str
    value: float
    dataset: str

    def to_json(self) -> dict[str, Any]:
        """The metric as JSON values."""
        return {"name": self.name, "value": self.value, "dataset": self.dataset}


def card_metrics(folder: Path) -> tuple[Metric, ...]:
    """The figures in the metadata of a folder's card; none where there is no card, or nothing readable in it."""
    text = read_card(folder)
    if text is None:
        return ()
    try:
        data: Any = _card(text).data
    except ModelError:
        return ()
    return tuple(metric for metric in map(_metric, data.eval_results or []) if metric is not None)


def read_card(folder: Path) -> str | None:
    """The text of a folder's card; None where there is none, or no UTF-8 text of at most 1 MB."""
    path = folder / CARD
    try:
        if not path.is_file() or path.stat().st_size > MAX_CARD_BYTES:
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
    """The card with its metadata complete: library, tags, licence and figures; what it says besides stays.

    Args:
        text: the card, with metadata or without.
        name: what the model is called.
        license: as a model folder has it; one that the card states already stays.
        reads: `SINGLE` or `RELATIONAL`.
        tags: added to those the card has, to the task and to `reads`.
        metrics: replace those of the card; none leaves them.

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
    """State the figures in the metadata of a folder's card; a folder without a card stays without one.

    Raises:
        ModelError: the card's metadata cannot be read; the card stays as it was.
    """
    text = read_card(folder)
    if text is None:
        return
    completed = add_metadata(text, name=folder.resolve().name, metrics=metrics)
    with replacing(folder / CARD) as temporary:
        temporary.write_text(completed, encoding="utf-8", newline="\n")


def _card(text: str) -> ModelCard:
    from huggingface_hub import ModelCard

    try:
        return ModelCard(text if text.startswith("---") else _NO_METADATA + text, ignore_metadata_errors=True)
    except Exception as error:  # YAML's errors, and those of the client's own classes
        reason = str(error).partition("\n")[0]
        raise ModelError(f"The metadata at the top of the card, {CARD}, cannot be read ({reason}). Mend it.") from error


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
    """Put `text` into the section `name` of the folder's card; a card without it gets it at its end."""
    path = folder / CARD
    card = path.read_text(encoding="utf-8") if path.is_file() else ""
    with replacing(path) as temporary:
        temporary.write_text(with_section(card, name, text), encoding="utf-8", newline="\n")


def with_section(card: str, name: str, text: str) -> str:
    """The card, Markdown, with its section of that name replaced, or added at the end."""
    begin, end = f"<!-- shamisa {name} -->", f"<!-- /shamisa {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    before, found, rest = card.partition(begin)
    _, closed, after = rest.partition(end)
    if found and closed:
        return before + section + after
    return f"{card.rstrip()}\n\n{section}\n" if card.strip() else f"{section}\n"
