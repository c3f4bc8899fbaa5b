"""Pictures of a table in black and white: a kind that a probe should know, though nobody has rated it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from shamisa_cli.core.arrays import AnyFeatures, FeatureVector, Pixels
from shamisa_cli.core.encoder.embedder import embedded
from shamisa_cli.core.errors import item_error
from shamisa_cli.core.fitting.progress import Progress
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.probe.familiarity import enough
from shamisa_cli.core.probe.scaling import block_widths

if TYPE_CHECKING:
    from shamisa_cli.core.encoder.embedder import Embedder
    from shamisa_cli.core.probe.mos_table import MosTable
    from shamisa_cli.core.probe.ridge import Probe

PICTURES = 800
"""Pictures that are turned to black and white, at most."""

UNKNOWN = (
    "Too few pictures of the table could be read again to turn them to black and white: the probe will mark scores of "
    "black-and-white photographs as unreliable. Keep the pictures where the table names them while the probe is fitted."
)


def grey_unknown(probe: Probe) -> tuple[str, ...]:
    """A sentence where a probe tells what is usual in colour alone."""
    return (UNKNOWN,) if probe.familiarity is not None and probe.familiarity.grey is None else ()


def in_grey(pixels: Pixels) -> Pixels:
    """An image (H, W, 3) in black and white: its luma in every channel."""
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


def grey_features(
    encoder: Embedder, table: MosTable, features: AnyFeatures, *, seed: int, progress: Progress
) -> AnyFeatures | None:
    """Features (m, D) of up to `PICTURES` of a table's pictures in black and white, without those that cannot be read.

    Args:
        encoder: made the features.
        table: names the pictures.
        features: (n, D), of the pictures as they are.
        seed: decides which are drawn.
        progress: told of embedding.

    Returns:
        None, and nothing is embedded, where there are too few pictures to tell what is usual, or features are
        differences from references.
    """
    if table.references is not None or not enough(len(table), len(block_widths(features))):
        return None
    drawn = np.random.default_rng(seed).permutation(len(table))[:PICTURES].tolist()
    found = []
    with progress("Black and white", len(drawn)) as advance:
        for place in drawn:
            found += _embedded(encoder, table.paths[place])
            advance(1)
    return np.stack(found) if found else features[:0]


def _embedded(encoder: Embedder, path: Path) -> list[FeatureVector]:
    """The features of one picture in black and white; none if it cannot be read."""
    try:
        pixels = decode(path, view_size=encoder.config.preprocessing.view_size).pixels
        return [embedded(encoder, path, in_grey(pixels))]
    except Exception as error:
        item_error(path, error)  # raises what is about the whole run
        return []
