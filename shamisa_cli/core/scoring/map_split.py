"""Exact split of a score over the pixels of the picture (does not import torch).

A mean over places is Σ x / n; a deviation, once it is known, is Σ ((x − mean)² + ε) / (n · deviation); the unit norm of
a block divides it by one number of the whole picture, and a regressor is linear in its features. So a score is a sum of
maps, one for each stage and scale. Networks pad pictures and maps with zeros, which they see as a frame: for maps they
repeat borders instead, and read the picture continued by reflection; the rest of its score is spread evenly.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels, Vector
from shamisa_cli.core.encoder.embedder import LazyEncoder
from shamisa_cli.core.encoder.feature_maps import FeatureMap
from shamisa_cli.core.encoder.moments import LEAST_NORM, STD_EPSILON, centred_chunks, moments_of
from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder
from shamisa_cli.core.encoder.spec import Box, FeatureSpec, Moment, box_in_picture, copy_size, feature_boxes
from shamisa_cli.core.extras import needs_pytorch
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.probe.ridge import POINTS, Probe
from shamisa_cli.core.scoring.score_map import Map, ScoreMap, spread_over
from shamisa_cli.core.scoring.scorer import require_probe

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

PADDING = 32
"""Pixels by which a picture is continued by reflection; more costs more and changes less (benchmarks/map_frame.py)."""


@dataclass(frozen=True)
class Placed:
    """The cells of a feature map that are about a part of the picture.

    Attributes:
        values: (C, h, w) float32.
        rows, columns: edges of the part's pixels, in cells: (H + 1,) and (W + 1,), in −1…h + 1 and −1…w + 1.
        box: the part's top, left, height and width in pixels of the picture.
        means, deviations: (C,) over all cells of the map.
        cells: their number.
    """

    values: NDArray[np.float32]
    rows: Vector
    columns: Vector
    box: Box
    means: NDArray[np.float32]
    deviations: NDArray[np.float32]
    cells: int


def split_model_score(model: Model, pixels: Pixels, score: float | None = None) -> ScoreMap:
    """Split the score of one picture, sRGB (H, W, 3) at its view size, over its pixels.

    Args:
        model: a model with a probe.
        pixels: the picture.
        score: its score 0…100 where it is known; one between the ends saves computing it again.

    Raises:
        ModelError: the model has no probe.
        SettingError: its graph does not list its maps, and PyTorch is not installed.
    """
    probe = require_probe(model)
    if score is None or not 0 < score < POINTS:
        score = POINTS * float(probe.predict(model.encoder.embed(pixels)[None])[0])
    spec, (height, width) = model.encoder.config.features, pixels.shape[:2]
    padding = 0 if spec.crops else PADDING
    padded = np.pad(pixels, ((padding, padding), (padding, padding), (0, 0)), mode="reflect")
    size = (padded.shape[0], padded.shape[1])
    with _blas().limit(limits=1, user_api="blas"):  # idle threads would wait for work by computing
        parts = placed(_feature_maps(model, padded), spec, size, padding)
        points = sum_of_shares(parts, slopes(probe, features_of(parts, spec)), spec, (height, width))
    return ScoreMap(points + (score - float(points.sum())) / points.size, POINTS * probe.base)


@functools.cache
def _blas() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def slopes(probe: Probe, features: Vector) -> Vector:
    """Points for each unit of these features (D,), by which the score is split; 0 for those beyond the bound."""
    weights: Vector = POINTS * probe.slopes(features)[0]
    return weights


def _feature_maps(model: Model, pixels: Pixels) -> Iterable[FeatureMap]:
    encoder = model.encoder.loaded() if isinstance(model.encoder, LazyEncoder) else model.encoder
    if isinstance(encoder, OnnxEncoder) and encoder.lists_maps:
        return encoder.feature_maps(pixels)
    with needs_pytorch("a score map of a model exported by an earlier version"):
        from shamisa_cli.core.networks.feature_maps import model_feature_maps
    return model_feature_maps(model, pixels)


def placed(
    maps: Iterable[FeatureMap], spec: FeatureSpec, size: tuple[int, int], padding: int = 0
) -> list[list[Placed]]:
    """Each of the maps, scale by scale, with its place in the picture: one for each crop, or one for the whole.

    Args:
        maps: of what was read.
        spec: the encoder's features.
        size: H and W of what was read.
        padding: pixels of it on each side that are not the picture; only where the whole picture is read.
    """
    found = []
    for index, feature_map in enumerate(maps):
        copy = copy_size(*size, spec.scales[index // len(spec.stages)])
        boxes = feature_boxes(*copy, spec)
        found.append(
            [
                _placed(values, feature_map, box, box_in_picture(box, copy, size), padding)
                for values, box in zip(feature_map.values, boxes, strict=True)
            ]
        )
    return found


def _placed(values: NDArray[np.float32], among: FeatureMap, box: Box, inside: Box, padding: int) -> Placed:
    """One map of a box of a copy, which is `inside` what was read."""
    grid = among.grid
    edges = [
        np.clip((np.linspace(0, read, side + 1) - grid.centre) / grid.stride + 0.5, -1, cells + 1)
        for read, side, cells in zip(box[2:], inside[2:], values.shape[1:], strict=True)
    ]
    (first_row, last_row, rows), (first_column, last_column, columns) = (
        _within(along[padding : len(along) - padding], cells)
        for along, cells in zip(edges, values.shape[1:], strict=True)
    )
    about = values[:, first_row:last_row, first_column:last_column]
    top, left, height, width = inside
    means, deviations = _measured(values) if among.pooled is None else _unscaled(values, among.pooled)
    return Placed(
        about, rows, columns, (top, left, height - 2 * padding, width - 2 * padding), means, deviations, values[0].size
    )


def _within(edges: Vector, cells: int) -> tuple[int, int, Vector]:
    """First and last of the cells between these edges, and the edges counted from the first."""
    first, last = max(0, int(edges[0])), min(cells, int(np.ceil(edges[-1])))
    return first, last, np.clip(edges - first, -1, last - first + 1)


def _measured(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    moments = moments_of(values)
    return moments.means.astype(np.float32), moments.deviations.astype(np.float32)


def _unscaled(
    values: NDArray[np.float32], pooled: Mapping[Moment, NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation (C,) of each channel from those of unit norm: one channel tells the norm of all."""
    if len(pooled) < 2 or not all(unit.any() for unit in pooled.values()):
        return _measured(values)
    mean, std = pooled["mean"], pooled["std"]
    channels = [int(np.argmax(np.abs(unit))) for unit in (mean, std)]
    norms = [_measured(values[channel : channel + 1])[place][0] for place, channel in enumerate(channels)]
    return mean * (norms[0] / mean[channels[0]]), std * (norms[1] / std[channels[1]])


def features_of(parts: Sequence[Sequence[Placed]], spec: FeatureSpec) -> Vector:
    """The features (D,) that the encoder pools from these maps."""
    blocks = []
    for of_crops in parts:
        for moment in spec.moments:
            rows = np.array([part.means if moment == "mean" else part.deviations for part in of_crops], np.float64)
            norms = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), LEAST_NORM)
            blocks.append((rows / norms).mean(axis=0))
    return np.concatenate(blocks)


def sum_of_shares(parts: Sequence[Sequence[Placed]], weights: Vector, spec: FeatureSpec, size: tuple[int, int]) -> Map:
    """(H, W): Σ weights · features split over the pixels; the maps of all stages and scales, added up."""
    on_grids: dict[tuple[object, ...], tuple[Placed, Map]] = {}
    start = 0
    for of_crops in parts:
        channels = len(of_crops[0].means)
        of_moments: dict[Moment, Vector] = {}
        for moment in spec.moments:
            of_moments[moment] = weights[start : start + channels] / len(of_crops)
            start += channels
        for part in of_crops:
            key = (part.values.shape[1:], part.box, part.rows[0], part.rows[-1], part.columns[0], part.columns[-1])
            shares = _shares(part, of_moments)
            on_grids[key] = (part, shares + on_grids[key][1] if key in on_grids else shares)
    total = np.zeros(size)
    for part, shares in on_grids.values():
        top, left, height, width = part.box
        total[top : top + height, left : left + width] += _drawn(shares, part)
    return total


def _drawn(shares: Map, part: Placed) -> Map:
    """(H, W): the cells over the pixels of the part; where the last cells end before its edge, they are continued."""
    return spread_over(np.pad(shares, 1, mode="edge"), part.rows + 1, part.columns + 1)


def _shares(part: Placed, weights: Mapping[Moment, Vector]) -> Map:
    """(h, w): what each cell of the map contributes to the weighted sum."""
    linear, squared = (np.zeros(len(part.means)) for _ in range(2))
    if "mean" in weights:
        linear = weights["mean"] / (_norm(part.means) * part.cells)
    if "std" in weights:
        squared = weights["std"] / (_norm(part.deviations) * part.cells * part.deviations)
    shares: Map = np.full(part.values[0].size, float(linear @ part.means) + STD_EPSILON * float(squared.sum()))
    linear, squared = linear.astype(np.float32), squared.astype(np.float32)
    for where, chunk in centred_chunks(part.values, part.means):
        shares[where] += linear @ chunk
        shares[where] += squared @ np.square(chunk, out=chunk)
    return shares.reshape(part.values.shape[1:])


def _norm(values: NDArray[np.float32]) -> float:
    return max(float(np.linalg.norm(values)), LEAST_NORM)
