"""An encoder that nobody waits for until a picture needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from shamisa_cli.core.encoder.embedder import Embedder, FeatureRows, FeatureVector, Pixels, Runtime
from shamisa_cli.core.encoder.spec import EncoderConfig


class EncoderOnDemand:
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
