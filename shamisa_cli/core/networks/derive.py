"""A model from another one: the same encoder, read in another way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from shamisa_cli.core.encoder.spec import PAPER_FEATURES, EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.features import feature_length
from shamisa_cli.core.networks.model_folders import load_encoder, save_encoder


def derive(
    source: Path,
    folder: Path,
    *,
    view_size: int | Literal["model"] | None = "model",
    stages: tuple[int, ...] | None = None,
    scales: tuple[float, ...] | None = None,
    paper: bool = False,
) -> ModelFolder[EncoderConfig]:
    """Write a model whose encoder has the weights of another, and reads pictures smaller, or at other places.

    It has no probe: features are others, so that one has to be fitted on them.

    Args:
        source: a model folder.
        folder: where to; created with its parents.
        view_size: long side in pixels at which a picture is judged; None judges every pixel.
        stages: which stages are read; None: as in the source, likewise for the next.
        scales: at which sizes, relative to the view.
        paper: read pictures as the paper's test protocol does, `PAPER_FEATURES` at their native size.

    Raises:
        ModelError: the source is no model, or what is asked for cannot be read at all.
        SettingError: the source does not have such a stage; `paper` comes with what it decides itself; `folder` is
            a file, or has something in it.
    """
    if paper and (view_size, stages, scales) != ("model", None, None):
        raise SettingError("The paper's protocol says itself at what size, stages and scales pictures are read.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingError(f"{folder} is not an empty folder, and what is there stays as it is. Name a new one.")
    model = ModelFolder.open(source, EncoderConfig)
    encoder = load_encoder(model)
    before = model.config
    count = len(encoder.backbone.stage_channels)
    for stage in stages or ():
        if not -count <= stage < count:
            raise SettingError(f"{model.name} has no stage {stage}; its stages are 0 to {count - 1}.")
    features = replace(
        before.features,
        stages=before.features.stages if stages is None else stages,
        scales=before.features.scales if scales is None else scales,
    )
    pixels = before.preprocessing if view_size == "model" else replace(before.preprocessing, view_size=view_size)
    if paper:
        features, pixels = PAPER_FEATURES, replace(before.preprocessing, view_size=None)
    config = replace(before, features=features, preprocessing=pixels)
    name = folder.resolve().name
    return save_encoder(
        folder,
        config,
        encoder.state(),
        name=name,
        card=_card(name, model.name, features, pixels, feature_length(encoder.backbone, features)),
        origin=f"The encoder of {model.name}, read in another way. {model.origin}",
        license=model.license,
    )


def _card(name: str, source: str, features: FeatureSpec, preprocessing: Preprocessing, length: int) -> str:
    size = "every pixel" if preprocessing.view_size is None else f"at most {preprocessing.view_size} pixels"
    size += " on the long side" if preprocessing.view_size else ""
    if features.crops:
        size = f"{features.crops} crops of {features.crop_size} pixels at each scale; scale 1 is {size}"
    return f"""# {name}

The encoder of {source}, read in another way.

| | |
|---|---|
| picture | {size} |
| stages | {", ".join(map(str, features.stages))} |
| scales | {", ".join(f"{scale:g}" for scale in features.scales)} |
| features | {length} a picture |
"""
