"""Models for a person: a table of those there are, and the facts of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.fitted_table import Column, fitted_table
from shamisa_cli.cli.output import print_block, rich_on

if TYPE_CHECKING:
    from shamisa_cli.core.models.card import Metric
    from shamisa_cli.core.models.catalogue import ModelDescription, ModelEntry

SHORT_HASH = 12
WIDEST_NAME = 28
"""Width up to which a name is not shortened."""
LEAST_METRICS = 24


def write_models(entries: Sequence[ModelEntry], stream: TextIO) -> None:
    """Write a table of models, one in each row."""
    console = rich_on(stream)
    figures = ["damaged" if entry.error else "; ".join(_figures(entry.metrics)) for entry in entries]
    columns = (
        Column(" Model", [f" {printable(entry.name)}" for entry in entries], least=WIDEST_NAME),
        Column("Revision", [entry.revision[:SHORT_HASH] for entry in entries], importance=3),
        Column("What", [_parts(entry) for entry in entries], importance=2),
        Column("Size", [megabytes(entry.size) for entry in entries], justify="right"),
        Column("Metrics", figures, least=LEAST_METRICS, wraps=True, importance=1),
    )
    print_block(console, fitted_table(columns, console.width))


def model_facts(described: ModelDescription) -> list[tuple[str, str]]:
    """The essentials of a model as rows for `write_facts`."""
    entry, probe = described.entry, described.probe
    rows = [("model", entry.name), ("revision", entry.revision), ("what", _parts(entry))]
    if described.encoder is not None:
        features = described.encoder["features"]
        rows += [
            ("licence", described.license or ""),
            ("origin", described.origin or ""),
            ("architecture", described.encoder["architecture"]),
            ("features", _listing(features if features["crops"] else _without_crops(features))),
            ("preprocessing", _listing(_named_view(described.encoder["preprocessing"]))),
            ("fingerprint", (described.fingerprint or "")[:SHORT_HASH]),
        ]
    if described.networks is not None:
        rows += [
            ("licence", described.license or ""),
            ("origin", described.origin or ""),
            ("networks", _listing(described.networks)),
            ("fingerprint", (described.fingerprint or "")[:SHORT_HASH]),
        ]
    if probe is not None:
        interval = f", intervals for {probe.interval_level:.0%}" if probe.interval_level else ""
        rows += [
            ("probe", f"{probe.features:,} features, alpha {probe.alpha:.4g}{interval}"),
            ("human scale", f"{probe.worst:g} (worst) … {probe.best:g} (best)"),
            ("fitted on", probe.trained_on),
            ("for encoder", probe.encoder_fingerprint[:SHORT_HASH]),
        ]
    if described.defects is not None:
        rows += [("defects", ", ".join(described.defects.groups)), ("fitted on", described.defects.trained_on)]
    rows += as_rows("metrics", _figures(entry.metrics))
    rows += as_rows("files", [f"{file.sha256}  {megabytes(file.size):>8}  {file.name}" for file in described.files])
    return [*rows, ("folder", str(entry.folder))]


def as_rows(name: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """One row per value; only the first is labelled."""
    return [(name if index == 0 else "", value) for index, value in enumerate(values)]


def _figures(metrics: Sequence[Metric]) -> list[str]:
    """One line of figures per data set."""
    datasets: dict[str, list[str]] = {}
    for metric in metrics:
        datasets.setdefault(metric.dataset, []).append(f"{metric.name} {metric.value:.3g}")
    return [f"{dataset}: {', '.join(figures)}" for dataset, figures in datasets.items()]


def _listing(record: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in record.items())


def _named_view(preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the view size in the form that --view-size accepts."""
    return {**preprocessing, "view_size": preprocessing["view_size"] or "native"}


def _without_crops(features: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in features.items() if not key.startswith("crop")}


def _value(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return f"{value}"
    if len(value) > 3 and list(value) == list(range(value[0], value[-1] + 1)):
        return f"{value[0]}–{value[-1]}"
    return " ".join(f"{each}" for each in value)


def _parts(entry: ModelEntry) -> str:
    parts = {"encoder": entry.has_encoder, "probe": entry.has_probe, "relational": entry.has_relational}
    return " + ".join(part for part, there in parts.items() if there)


def megabytes(count: int) -> str:
    """A number of bytes for a person: "9.4 MB", or "12.3 kB" below a tenth of a megabyte."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
