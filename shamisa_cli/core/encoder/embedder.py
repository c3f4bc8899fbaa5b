"""Interface of a frozen encoder, independent of the library that computes it (does not import torch)."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from shamisa_cli.core.arrays import Features, FeatureVector, Pixels
from shamisa_cli.core.encoder.spec import SMALLEST_VIEW, EncoderConfig, copy_size
from shamisa_cli.core.errors import LESS_MEMORY, ImageError
from shamisa_cli.core.images.budget import DECODING

Runtime = Literal["torch", "onnx"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)


_BYTES_PER_PIXEL_OF_MORE = 45
"""Memory beyond that of the network, where the score is also split over the pixels and drawn; measured: 43."""
LARGE = 2_000_000
"""Pixels above which an image is computed alone on all processors: several at once would need gigabytes."""
BYTES_PER_PIXEL = 320
"""Memory of a network for each pixel it reads, most of it in the first stages; 24 megapixels took 7.6 GB."""


class Embedder(Protocol):
    """A frozen encoder: pixels in, one feature vector out."""

    @property
    def config(self) -> EncoderConfig:
        """Architecture, feature spec and preprocessing."""

    @property
    def runtime(self) -> Runtime:
        """Name of the library that computes: "torch" or "onnx"."""

    @property
    def device(self) -> object:
        """The device; its text is "cpu", "cuda:0" or the like."""

    @property
    def concurrent(self) -> bool:
        """Whether several threads may embed at once, each on one processor."""

    @property
    def feature_length(self) -> int:
        """D, the length of an embedding."""

    def memory_needed(self, height: int, width: int) -> int:
        """Bytes that a picture of this size takes to embed, roughly."""

    def embed(self, pixels: Pixels) -> FeatureVector:
        """The feature vector (D,) of one picture, sRGB (H, W, 3) uint8, already at its view size."""

    def embed_crops(self, pixels: Pixels) -> Features:
        """The feature vector of each crop, (R, D), whose mean `embed` gives; R is 1 where the whole picture is read."""


def embedded(
    encoder: Embedder, path: Path | str, pixels: Pixels, embed: Callable[[Pixels], FeatureVector] | None = None
) -> FeatureVector:
    """Embed an image and convert a network's failure on a very small one to an ImageError.

    Args:
        encoder: computes the features.
        path: file or address of the image, for messages.
        pixels: (H, W, 3) uint8, sRGB at the view size.
        embed: computes them with the encoder, and something else with them; None: the encoder's `embed`.

    Returns:
        (D,) float32.

    Raises:
        ImageError: "unsupported", if the encoder fails on an image that it reads at less than 32 pixels; "too-large",
            if the network would need more memory than it may take.
    """
    _require_memory(encoder, path, pixels, more=_BYTES_PER_PIXEL_OF_MORE if embed is not None else 0)
    try:
        return (embed or encoder.embed)(pixels)
    except MemoryError:
        raise
    except Exception as error:  # the libraries raise different errors here
        height, width = pixels.shape[:2]
        smallest = min(encoder.config.features.scales)
        large = min(copy_size(height, width, smallest)) >= SMALLEST_VIEW
        if large or (embed is not None and _embeds(encoder, pixels)):
            raise
        raise ImageError(
            path,
            "unsupported",
            f"{path} is read at {width} × {height} pixels, too small for the network {encoder.config.architecture}: "
            f"it takes pictures from {math.ceil(SMALLEST_VIEW / smallest)} pixels on. Enlarge the picture, or leave "
            "it out.",
        ) from error


def _embeds(encoder: Embedder, pixels: Pixels) -> bool:
    try:
        encoder.embed(pixels)
    except Exception:  # as above
        return False
    return True


def _require_memory(encoder: Embedder, path: Path | str, pixels: Pixels, *, more: int) -> None:
    height, width = pixels.shape[:2]
    if height * width <= LARGE:
        return
    needed = encoder.memory_needed(height, width) + more * height * width
    DECODING.require_alone(path, needed, pixels.shape, doing="compute", remedy=LESS_MEMORY)


@dataclass(frozen=True)
class CropEmbedder:
    """An encoder whose vector is the concatenation of its crops' features, for code that handles vectors only.

    Attributes:
        encoder: computes the features of the R crops.
    """

    encoder: Embedder

    @property
    def config(self) -> EncoderConfig:
        """See `Embedder`."""
        return self.encoder.config

    @property
    def runtime(self) -> Runtime:
        """See `Embedder`."""
        return self.encoder.runtime

    @property
    def device(self) -> object:
        """See `Embedder`."""
        return self.encoder.device

    @property
    def concurrent(self) -> bool:
        """See `Embedder`."""
        return self.encoder.concurrent

    @property
    def feature_length(self) -> int:
        """R·D."""
        return (self.config.features.crops or 1) * self.encoder.feature_length

    def memory_needed(self, height: int, width: int) -> int:
        """See `Embedder`."""
        return self.encoder.memory_needed(height, width)

    def embed(self, pixels: Pixels) -> FeatureVector:
        """The rows of `embed_crops` as one vector (R·D,)."""
        return self.embed_crops(pixels).reshape(-1)

    def embed_crops(self, pixels: Pixels) -> Features:
        """The feature vector of each crop, (R, D)."""
        return self.encoder.embed_crops(pixels)


class LazyEncoder:
    """An encoder that is loaded with the first image it embeds: never, if all results are cached.

    Args:
        config: architecture, feature spec and preprocessing.
        runtime, device, concurrent: of the encoder that `load` returns.
        load: returns the encoder; `embed` and `feature_length` raise what it raises.
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

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, also in another process, loads the encoder itself."""
        made = partial(type(self), concurrent=self.concurrent)
        return made, (self.config, self.runtime, str(self.device), self._load)

    @property
    def feature_length(self) -> int:
        """D, the length of an embedding."""
        return self.loaded().feature_length

    def memory_needed(self, height: int, width: int) -> int:
        """Bytes that a picture of this size takes to embed, roughly."""
        return self.loaded().memory_needed(height, width)

    def embed(self, pixels: Pixels) -> FeatureVector:
        """The feature vector (D,) of one picture, sRGB (H, W, 3) uint8, already at its view size."""
        return self.loaded().embed(pixels)

    def embed_crops(self, pixels: Pixels) -> Features:
        """The feature vector of each crop, (R, D)."""
        return self.loaded().embed_crops(pixels)

    def loaded(self) -> Embedder:
        """The encoder, loaded on first use; safe for several threads."""
        with self._loading:
            if self._encoder is None:
                self._encoder = self._load()
            return self._encoder
