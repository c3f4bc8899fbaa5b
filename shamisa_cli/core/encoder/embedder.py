"""What an encoder is to those who only want its features, whichever library computes them (no torch here)."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.encoder.spec import EncoderConfig

Runtime = Literal["torch", "onnx"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)

Pixels = npt.NDArray[np.uint8]
FeatureVector = npt.NDArray[np.float32]
FeatureRows = npt.NDArray[np.float32]


class Embedder(Protocol):
    """A frozen encoder: pixels in, one feature vector out."""

    @property
    def config(self) -> EncoderConfig:
        """Architecture, feature spec and preprocessing."""

    @property
    def runtime(self) -> Runtime:
        """The library that computes."""

    @property
    def device(self) -> object:
        """Where it computes; its text is "cpu", "cuda:0" or the like."""

    @property
    def concurrent(self) -> bool:
        """Whether several threads may embed at once, each of them on a processor of its own."""

    @property
    def feature_length(self) -> int:
        """D, the length of an embedding."""

    def embed(self, pixels: Pixels) -> FeatureVector:
        """The feature vector (D,) of one picture, sRGB (H, W, 3) uint8, already at its view size."""

    def embed_crops(self, pixels: Pixels) -> FeatureRows:
        """The feature vector of each crop, (R, D), whose mean `embed` gives; R is 1 where the whole picture is read."""
