"""Interface of a frozen encoder, independent of the library that computes it (does not import torch)."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.encoder.spec import SMALLEST_VIEW, EncoderConfig, copy_size
from shamisa_cli.core.errors import ImageError

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


def embedded(encoder: Embedder, path: Path | str, pixels: Pixels) -> FeatureVector:
    """The feature vector (D,) of a picture from a file or an address, where some networks cannot take a small one.

    Raises:
        ImageError: "unsupported", where the encoder fails on a picture that it reads at less than 32 pixels.
    """
    try:
        return encoder.embed(pixels)
    except MemoryError:
        raise
    except Exception as error:  # the libraries have no error of their own for this
        height, width = pixels.shape[:2]
        smallest = min(encoder.config.features.scales)
        if min(copy_size(height, width, smallest)) >= SMALLEST_VIEW:
            raise
        raise ImageError(
            path,
            "unsupported",
            f"{path} is read at {width} × {height} pixels, too small for the network {encoder.config.architecture}: "
            f"it takes pictures from {math.ceil(SMALLEST_VIEW / smallest)} pixels on. Enlarge the picture, or leave "
            "it out.",
        ) from error


@dataclass(frozen=True)
class CropEmbedder:
    """An encoder whose vector is what it reads of all crops, one after another, for what handles vectors only.

    Attributes:
        encoder: what reads the R crops.
    """

    encoder: Embedder

    @property
    def config(self) -> EncoderConfig:
        """Of the encoder."""
        return self.encoder.config

    @property
    def runtime(self) -> Runtime:
        """Of the encoder."""
        return self.encoder.runtime

    @property
    def device(self) -> object:
        """Of the encoder."""
        return self.encoder.device

    @property
    def concurrent(self) -> bool:
        """Of the encoder."""
        return self.encoder.concurrent

    @property
    def feature_length(self) -> int:
        """R·D."""
        return (self.config.features.crops or 1) * self.encoder.feature_length

    def embed(self, pixels: Pixels) -> FeatureVector:
        """The rows of `embed_crops` as one vector (R·D,)."""
        return self.embed_crops(pixels).reshape(-1)

    def embed_crops(self, pixels: Pixels) -> FeatureRows:
        """The feature vector of each crop, (R, D)."""
        return self.encoder.embed_crops(pixels)


class LazyEncoder:
    """An encoder that is loaded when it first embeds: never, where earlier runs knew all the pictures.

    Args:
        config: architecture, feature spec and preprocessing.
        runtime, device, concurrent: of the encoder that `load` will give.
        load: gives the encoder; what it raises, `embed` and `feature_length` raise.
    """

    def __init__(
        self, config: EncoderConfig, runtime: Runtime, device: str, load: Callable[[], Embedder], *, concurrent: bool
    ) -> None:
        self.config = config
        self.runtime: Runtime = runtime
        self.device: object = device
        self.concurrent = concurrent
        self._load = load
        self._loading = threading.Lock()
        self._encoder: Embedder | None = None

    @property
    def feature_length(self) -> int:
        """D, the length of an embedding."""
        return self.loaded().feature_length

    def embed(self, pixels: Pixels) -> FeatureVector:
        """The feature vector (D,) of one picture, sRGB (H, W, 3) uint8, already at its view size."""
        return self.loaded().embed(pixels)

    def embed_crops(self, pixels: Pixels) -> FeatureRows:
        """The feature vector of each crop, (R, D)."""
        return self.loaded().embed_crops(pixels)

    def loaded(self) -> Embedder:
        """The encoder itself; several threads may ask at once."""
        with self._loading:
            if self._encoder is None:
                self._encoder = self._load()
            return self._encoder
