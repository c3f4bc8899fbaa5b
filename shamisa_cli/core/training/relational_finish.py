"""The folder that a finished relational run leaves: the model, a card, and the log of its training."""

from __future__ import annotations

import shutil
from pathlib import Path

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.models.relational_files import RelationalFolder, save_relational
from shamisa_cli.core.relational.network import RelationalModel
from shamisa_cli.core.training.finish import start_named
from shamisa_cli.core.training.metrics import read_metrics
from shamisa_cli.core.training.relational_config import RelationalTrainingConfig
from shamisa_cli.core.training.runs import RunFolder, RunRecord


def save_trained(run: RunFolder, record: RunRecord, model: RelationalModel, *, seconds: float) -> RelationalFolder:
    """Write RUN/model, with run.json, metrics.jsonl and the curves beside the weights.

    Args:
        run: where the run is.
        record: what decided it.
        model: the trained one.
        seconds: time spent in steps, over all resumptions.
    """
    for log in (run.record, run.metrics, run.curves):
        if log.is_file():
            _copy(log, run.model / log.name)
    return save_relational(
        run.model,
        model.config,
        model.state_dict(),
        name=run.path.resolve().name,
        card=model_card(run, record, seconds=seconds),
        origin=_origin(record),
    )


def model_card(run: RunFolder, record: RunRecord, *, seconds: float) -> str:
    """The card, Markdown: what was trained, on what, for how long, and what the last step showed."""
    config, photos = _settings(record), record.photographs
    batch, lines = config.batch, read_metrics(run.metrics)
    crops = sum(line["crops"] for line in lines)
    trunk = f"{config.trunk_lr:g}" if config.trunk_lr else "frozen"
    rows = {
        "Trunk": f"MobileNetV2, from {start_named(config.init)}",
        "Photographs": f"{photos.pristine_count} pristine, {photos.real_count} real",
        "Batch": f"{batch.sets} sets of {batch.versions} versions, {batch.crop} px",
        "Operators left out": ", ".join(batch.left_out) or "none",
        "Steps": f"{config.steps} ({crops:,} crops)",
        "Processes": record.processes,
        "Time": f"{seconds / 3600:.2f} h",
        "Optimiser": f"AdamW, trunk {trunk}, head {config.head_lr:g}, cosine",
        "Seed": config.seed,
    }
    if lines:
        rows["Last step"] = f"loss {lines[-1]['total']:.3f}"
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    curves = "\n![Loss, its terms and learning rates over the steps](curves.png)\n" if run.curves.is_file() else ""
    return f"""# {run.path.resolve().name}

Tells what changed between two versions of one picture, where, and which is better: signed maps by kind of
distortion, and one signed score. Trained without human scores on distortions that were made on purpose
(arXiv 2605.02863; see docs/relational.md).

| | |
|---|---|
{table}

Made with:

```
{record.command}
```

All settings are in `run.json`, and every step's numbers in `metrics.jsonl`.
{curves}"""


def _settings(record: RunRecord) -> RelationalTrainingConfig:
    assert isinstance(record.config, RelationalTrainingConfig)
    return record.config


def _origin(record: RunRecord) -> str:
    config, photos = _settings(record), record.photographs
    count = photos.pristine_count + photos.real_count
    return f"Relational training of {config.steps} steps on {count} photographs, from {start_named(config.init)}"


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
