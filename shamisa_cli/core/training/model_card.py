"""Model folders of finished runs, with cards that describe the training."""

from __future__ import annotations

import shutil
from pathlib import Path

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec
from shamisa_cli.core.existence import is_file
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.backbones import Backbone
from shamisa_cli.core.networks.model_folders import save_encoder, save_networks
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.relational.config import RelationalConfig
from shamisa_cli.core.training.metrics import read_metrics
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.relational.config import RelationalTrainingConfig
from shamisa_cli.core.training.run_folder import NOT_RECORDED, RunFolder, RunRecord


def save_trained_encoder(
    run: RunFolder, record: RunRecord, backbone: Backbone, *, seconds: float
) -> ModelFolder[EncoderConfig]:
    """Write RUN/model: the encoder without projector and without a probe.

    Args:
        run: folder of the run.
        record: its settings and photographs.
        backbone: the trained one.
        seconds: total time spent in steps, over all resumptions.
    """
    config = _settings(record)
    return save_encoder(
        run.model,
        EncoderConfig(config.architecture, feature_spec(config, backbone), backbone.preprocessing),
        {name: value.detach().cpu().contiguous() for name, value in backbone.state_dict().items()},
        name=run.path.resolve().name,
        card=encoder_card(run, record, seconds=seconds),
        origin=_origin(record),
    )


def feature_spec(config: TrainingConfig, backbone: Backbone) -> FeatureSpec:
    """Feature spec of the trained model: as set, or mean and deviation of every stage's hidden map at two scales."""
    every_stage = tuple(range(len(backbone.stage_channels)))
    return config.features or FeatureSpec(stages=every_stage, moments=("mean", "std"), layer="hidden")


def encoder_card(run: RunFolder, record: RunRecord, *, seconds: float) -> str:
    """The card (Markdown): the model, its data, the duration of training, and the last step's metrics."""
    config, photos = _settings(record), record.photographs
    lines = read_metrics(run.metrics)
    crops = sum(line["crops"] for line in lines)
    rows = {
        "Architecture": config.architecture,
        "Started from": start_named(config.init),
        "Photographs": f"{photos.pristine_count} pristine, {photos.real_count} real",
        "Steps": f"{config.steps} ({crops:,} crops)",
        "Processes": record.processes,
        "Time": f"{seconds / 3600:.2f} h",
        "Optimiser": f"{config.optimiser}, encoder {config.encoder_lr:g}, heads {config.head_lr:g}, {config.schedule}",
        "Retention": f"{config.retention:g}",
        "Seed": config.seed,
        "Software": "; then ".join(record.software) or NOT_RECORDED,
    }
    if lines:
        spreads = {"z deviation": lines[-1].get("z_std"), "h spread": lines[-1].get("h_std")}
        told = [f"{name} {value:.2f}" for name, value in spreads.items() if value is not None]
        rows["Last step"] = ", ".join([f"loss {lines[-1]['total']:.3f}", *told])
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""# {run.path.resolve().name}

A frozen encoder for image quality, trained without human scores by SHAMISA (arXiv 2603.13669). It has no
probe: fit one on human scores before scoring with it (`shamisa fit-probe --model … --mos …`).

| | |
|---|---|
{table}

Made with:

```
{record.command}
```

All settings are in `run.json` of the run, and every step's numbers in `metrics.jsonl`.
"""


def _settings(record: RunRecord) -> TrainingConfig:
    assert isinstance(record.config, TrainingConfig)
    return record.config


def start_named(init: str) -> str:
    """Describe a run's `init` setting in words."""
    named = {"imagenet": "ImageNet weights (torchvision)", "none": "random weights"}
    return named.get(init, f"the weights in {init}")


def _origin(record: RunRecord) -> str:
    count = record.photographs.pristine_count + record.photographs.real_count
    config = _settings(record)
    start = start_named(config.init)
    return f"Self-supervised pretraining (SHAMISA) of {config.steps} steps on {count} photographs, from {start}"


def save_trained_networks(
    run: RunFolder, record: RunRecord, model: RelationalModel, *, seconds: float
) -> ModelFolder[RelationalConfig]:
    """Write RUN/model, with run.json, metrics.jsonl and the curves beside the weights.

    Args:
        run: folder of the run.
        record: its settings and photographs.
        model: the trained one.
        seconds: total time spent in steps, over all resumptions.
    """
    for log in (run.record, run.metrics, run.curves):
        if is_file(log):
            _copy(log, run.model / log.name)
    return save_networks(
        run.model,
        model.config,
        model.state_dict(),
        name=run.path.resolve().name,
        card=networks_card(run, record, seconds=seconds),
        origin=_relational_origin(record),
    )


def networks_card(run: RunFolder, record: RunRecord, *, seconds: float) -> str:
    """The card (Markdown): the model, its data, the duration of training, and the last step's metrics."""
    config, photos = _relational_settings(record), record.photographs
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
        "Software": "; then ".join(record.software) or NOT_RECORDED,
    }
    if lines:
        rows["Last step"] = f"loss {lines[-1]['total']:.3f}"
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    curves = "\n![Loss, its terms and learning rates over the steps](curves.png)\n" if is_file(run.curves) else ""
    return f"""# {run.path.resolve().name}

Predicts what changed between two versions of one picture, where, and which is better: signed maps by kind of
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


def _relational_settings(record: RunRecord) -> RelationalTrainingConfig:
    assert isinstance(record.config, RelationalTrainingConfig)
    return record.config


def _relational_origin(record: RunRecord) -> str:
    config, photos = _relational_settings(record), record.photographs
    count = photos.pristine_count + photos.real_count
    return f"Relational training of {config.steps} steps on {count} photographs, from {start_named(config.init)}"


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
