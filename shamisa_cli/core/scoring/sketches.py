"""Sketches: short forms of feature vectors that keep the angles between them, to find similar images."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from shamisa_cli.core.arrays import Features, FeatureVector, Vector, as_halves
from shamisa_cli.core.probe.ridge import Probe

LENGTH = 1024
"""Numbers in a sketch. Cosines of sketches differ from those of the features by about (1 - cosine²) / √LENGTH."""
STORED = np.dtype("<f2")
LIMIT = 3.0
"""Standardised features are clipped to ±LIMIT, so that no rare channel decides alone."""
SEED = 2026


def sketch(features: FeatureVector, probe: Probe) -> bytes:
    """The sketch of one feature vector (D,): unit length, as float16.

    Features are standardised by the mean and scale of the pictures the probe was fitted on, so that unrelated pictures
    have a cosine near 0, then added with random signs in `LENGTH` places (count sketch; Charikar, Chen and
    Farach-Colton, 2002), which keeps inner products in expectation.
    """
    standardised = np.clip((features - probe.feature_mean) / probe.feature_scale, -LIMIT, LIMIT)
    places, signs = _hashes(len(standardised))
    folded = np.bincount(places, weights=signs * standardised, minlength=LENGTH)
    length = float(np.linalg.norm(folded))
    return as_halves(folded / length if length else folded).tobytes()


def read_sketches(sketches: list[bytes]) -> Features:
    """Sketches as unit rows (n, LENGTH) float32."""
    rows = np.frombuffer(b"".join(sketches), STORED).reshape(-1, LENGTH).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Features = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


@lru_cache(maxsize=2)
def _hashes(length: int) -> tuple[np.ndarray, Vector]:
    generator = np.random.default_rng(SEED)
    return generator.integers(0, LENGTH, length), generator.choice([-1.0, 1.0], length)
