"""New models from the encoder of another one, with different features or view size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from shamisa_cli.core.atomic import is_free
from shamisa_cli.core.encoder.spec import PAPER_FEATURES, EncoderConfig, FeatureSpec, Preprocessing
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import exists, is_dir
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.networks.features import feature_length
from shamisa_cli.core.networks.model_folders import load_encoder, save_encoder
from shamisa_cli.core.sole_writer import writes


@writes("folder")
def derive(
    source: Path,
    folder: Path,
    *,
    view_size: int | Literal["model"] | None = "model",
    stages: tuple[int, ...] | None = None,
    scales: tuple[float, ...] | None = None,
    paper: bool = False,
) -> ModelFolder[EncoderConfig]:
    """Write a model with the weights of another model's encoder, and a different view size or feature spec.

    It has no probe, since its features differ; fit one to them.

    Args:
        source: a model folder.
        folder: where to; created with its parents.
        view_size: long side in pixels to which larger images are reduced; None keeps every pixel.
        stages: stages that are read; None keeps those of the source.
        scales: relative sizes at which an image is read; None keeps those of the source.
        paper: use the features of the paper's test protocol, `PAPER_FEATURES` at native size.

    Raises:
        ModelError: the source is not a model, or the new configuration is impossible.
        SettingError: the source has no such stage; `paper` is combined with a setting that it determines; `folder`
            is a file, or not empty.
    """
    if paper and (view_size, stages, scales) != ("model", None, None):
        raise SettingError("The paper's protocol fixes the size, stages and scales at which pictures are read.")
    if exists(folder) and not (is_dir(folder) and is_free(folder)):
        raise SettingError(f"{folder} is not an empty folder, and nothing is overwritten. Name a new one.")
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
        origin=f"The encoder of {model.name}, with different features. {model.origin}",
        license=model.license,
    )


def _card(name: str, source: str, features: FeatureSpec, preprocessing: Preprocessing, length: int) -> str:
    size = "every pixel" if preprocessing.view_size is None else f"at most {preprocessing.view_size} pixels"
    size += " on the long side" if preprocessing.view_size else ""
    if features.crops:
        size = f"{features.crops} crops of {features.crop_size} pixels at each scale; scale 1 is {size}"
    return f"""# {name}

The encoder of {source}, with different features.

| | |
|---|---|
| picture | {size} |
| stages | {", ".join(map(str, features.stages))} |
| scales | {", ".join(f"{scale:g}" for scale in features.scales)} |
| features | {length} per picture |
"""
