"""Records of an encoder's preprocessing and features, stored with its weights (does not import torch)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from shamisa_cli.core.errors import ModelError

ARCHITECTURES = ("mobilenet_v2", "efficientnet_lite2", "efficientnet_lite0", "resnet18", "resnet50")
"""Names of the built-in backbones; the efficientnets are timm's `tf_efficientnet_lite…`, the others torchvision's."""
TIMM_PREFIX = "timm:"
"""Prefix of timm's names: any convolutional network of timm that offers a list of feature maps."""
_TIMM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

Moment = Literal["mean", "std"]
Layer = Literal["output", "hidden"]
"""Where a stage is read: its output, or the wider map after a rectifier that is the input of its last convolution
(in an inverted residual, the depthwise convolution's output). A stage that is one convolution has only one map."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
PREPROCESSING_VERSION = 1
SMALLEST_VIEW = 32
"""Pixels; the backbones reduce a picture 32 times."""

MOST_NORMAL = 1e6
"""Largest mean and deviation that pictures are normalised by; 1 over it is the least deviation."""
MOST_ENTRIES = {"stages": 100, "moments": 2, "scales": 8}
"""Limits on the lists of a feature spec: a model's folder must not make one picture take minutes."""

Box = tuple[int, int, int, int]
"""A part of a picture in pixels: top, left, height, width."""


def is_architecture(name: object) -> bool:
    """Whether this names a backbone; of a name after "timm:" only the form is checked."""
    if not isinstance(name, str):
        return False
    return name in ARCHITECTURES or bool(
        name.startswith(TIMM_PREFIX) and _TIMM_NAME.fullmatch(name.removeprefix(TIMM_PREFIX))
    )


def unknown_architecture(name: object) -> str:
    """Error message for an unknown backbone, with the known ones."""
    return f"The architecture {name!r} is not known; known are {', '.join(ARCHITECTURES)} and {TIMM_PREFIX}NAME."


def _is_whole(value: object, at_least: float = -math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _are_three_numbers(values: tuple[float, ...]) -> bool:
    return len(values) == 3 and all(isinstance(value, int | float) and abs(value) <= MOST_NORMAL for value in values)


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of a decoded image into the encoder's input.

    Attributes:
        view_size: long side in pixels to which larger images are reduced (antialiased bicubic); smaller
            ones are never enlarged, and those beyond 4:1 are reduced less. None keeps every pixel.
        mean, std: per-channel normalisation of sRGB values in 0…1.
        version: increased whenever the same settings would give different pixels.
    """

    view_size: int | None = 512
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    version: int = PREPROCESSING_VERSION

    def __post_init__(self) -> None:
        if self.version != PREPROCESSING_VERSION:
            raise ModelError(
                f"This model needs preprocessing version {self.version}, but this program supports version "
                f"{PREPROCESSING_VERSION}. Install the shamisa release the model was made with, or a newer one."
            )
        if self.view_size is not None and not _is_whole(self.view_size, at_least=SMALLEST_VIEW):
            raise ModelError(f"The view size is {self.view_size!r}; it must be a whole number from {SMALLEST_VIEW}.")
        if not (_are_three_numbers(self.mean) and _are_three_numbers(self.std) and min(self.std) >= 1 / MOST_NORMAL):
            raise ModelError(
                f"Normalisation by mean {self.mean} and std {self.std} needs three numbers each, at "
                f"most {MOST_NORMAL:.0e}, std at least {1 / MOST_NORMAL:.0e}."
            )


@dataclass(frozen=True)
class FeatureSpec:
    """Which numbers are pooled from the encoder's stages into one vector.

    Attributes:
        stages: indices into the backbone's stages; negative ones count from the last (paper: the last).
        moments: pooled over positions for each channel: "mean" and / or "std".
        scales: relative sizes at which the picture is read (paper: full and half), each antialiased.
        layer: where in each stage (paper: its output).
        crops: None reads the whole picture; 5 reads the four corner crops and the centre crop of
            `crop_size` pixels from the picture's copy at each scale, and averages over the five (paper section
            on evaluation). Averaging features is the same as averaging the predictions of a linear regressor.
        crop_size: side of a crop in pixels, at every scale; of a smaller copy, its full extent.

    Each (scale, stage, moment) block has unit L2 norm in the vector (per crop where there are crops).
    """

    stages: tuple[int, ...] = (-1,)
    moments: tuple[Moment, ...] = ("mean",)
    scales: tuple[float, ...] = (1.0, 0.5)
    crops: Literal[5] | None = None
    crop_size: int = 224
    layer: Layer = "output"

    def __post_init__(self) -> None:
        if not self.stages or not self.moments or not self.scales:
            raise ModelError("A feature spec needs at least one stage, one moment and one scale.")
        if not all(_is_whole(stage) for stage in self.stages):
            raise ModelError(f"A feature spec has stages {self.stages}; they must be whole numbers.")
        lists = {"stages": self.stages, "moments": self.moments, "scales": self.scales}
        for name, values in lists.items():
            if len(values) > MOST_ENTRIES[name]:
                raise ModelError(f"A feature spec has {len(values)} {name}; at most {MOST_ENTRIES[name]} are allowed.")
            if any(value in values[:place] for place, value in enumerate(values)):
                raise ModelError(f"A feature spec names one of its {name} twice: {values}. Name each once.")
        if any(moment not in get_args(Moment) for moment in self.moments):
            raise ModelError(f"A feature spec has moments {self.moments}; known are {get_args(Moment)}.")
        if self.layer not in get_args(Layer):
            raise ModelError(f"A feature spec reads the layer {self.layer!r}; known are {get_args(Layer)}.")
        if any(not isinstance(scale, int | float) or not 0 < scale <= 1 for scale in self.scales):
            raise ModelError(f"A feature spec has scales {self.scales}; each must be above 0 and at most 1.")
        if self.crops not in (None, 5):
            raise ModelError(f"A feature spec asks for {self.crops} crops; it can be 5, or none at all.")
        if not _is_whole(self.crop_size, at_least=SMALLEST_VIEW):
            raise ModelError(f"A feature spec has crops of {self.crop_size!r} pixels; {SMALLEST_VIEW} is the least.")


PAPER_FEATURES = FeatureSpec(stages=(-1,), moments=("mean",), scales=(1.0, 0.5), crops=5, crop_size=224)
"""Features of the paper's test protocol: five crops of an image at native size and five of its half-size copy."""


@dataclass(frozen=True)
class EncoderConfig:
    """Configuration of an encoder without its weights: architecture, feature spec and preprocessing."""

    architecture: str = "mobilenet_v2"
    features: FeatureSpec = FeatureSpec()
    preprocessing: Preprocessing = Preprocessing()

    def __post_init__(self) -> None:
        if not is_architecture(self.architecture):
            raise ModelError(unknown_architecture(self.architecture))

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values; `from_json` restores it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EncoderConfig:
        """Read what `to_json` wrote. Raises ModelError on unknown, missing or impossible entries."""
        try:
            features = {**data["features"]}
            preprocessing = {**data["preprocessing"]}
            for key in ("stages", "moments", "scales"):
                features[key] = tuple(features[key])
            for key in ("mean", "std"):
                preprocessing[key] = tuple(preprocessing[key])
            return cls(data["architecture"], FeatureSpec(**features), Preprocessing(**preprocessing))
        except (KeyError, TypeError, OverflowError) as error:  # the last: an integer that is no float
            raise ModelError(f"The encoder's configuration is not complete or has unknown entries: {error}.") from error


def five_crop_boxes(height: int, width: int, size: int) -> list[Box]:
    """The four corner crops and the centre crop of a picture, `size` square or as large as the picture allows."""
    crop_height, crop_width = min(size, height), min(size, width)
    bottom, right = height - crop_height, width - crop_width
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    return [(top, left, crop_height, crop_width) for top, left in corners]


def feature_boxes(height: int, width: int, spec: FeatureSpec) -> list[Box]:
    """Boxes that are read from an image's copy at one scale, in pixels of the copy: the whole, or five crops."""
    return [(0, 0, height, width)] if spec.crops is None else five_crop_boxes(height, width, spec.crop_size)


def copy_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Height and width in pixels of a picture's copy at `scale`, above 0 and at most 1; at least one pixel each."""
    return max(1, round(height * scale)), max(1, round(width * scale))


def box_in_picture(box: Box, copy: tuple[int, int], picture: tuple[int, int]) -> Box:
    """Convert a box of a reduced copy to the image's pixels, rounded to the nearest.

    Args:
        box: in pixels of the copy.
        copy, picture: height and width of both.
    """
    top, left, height, width = box
    rows, columns = picture[0] / copy[0], picture[1] / copy[1]
    first_row, first_column = round(top * rows), round(left * columns)
    return (
        first_row,
        first_column,
        round((top + height) * rows) - first_row,
        round((left + width) * columns) - first_column,
    )
