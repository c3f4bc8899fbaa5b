"""Exact split of a score over the pixels of the picture (does not import torch).

A mean over places is Σ x / n; a deviation, once it is known, is Σ ((x − mean)² + ε) / (n · deviation); the unit norm of
a block divides it by one number of the whole picture, and a regressor is linear in its features. So a score is a sum of
maps, one for each stage and scale. Networks pad pictures and maps with zeros, which they see as a frame: for maps the
later stages repeat borders instead, and the outermost cells of the earlier ones count as their neighbours do; the rest
of the score is spread evenly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import FeatureVector, Pixels, Vector
from shamisa_cli.core.encoder.embedder import Embedder, LazyEncoder
from shamisa_cli.core.encoder.feature_maps import FAR_SEEING, FeatureMap, MapPart
from shamisa_cli.core.encoder.moments import (
    LEAST_NORM,
    STD_EPSILON,
    Moments,
    centred_chunks,
    moments_of,
    pooled_features,
)
from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder
from shamisa_cli.core.encoder.spec import Box, FeatureSpec, Moment, box_in_picture, copy_size, feature_boxes
from shamisa_cli.core.encoder.tiles import Tile
from shamisa_cli.core.extras import needs_pytorch
from shamisa_cli.core.machine import ONE_BLAS_THREAD
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.probe.ridge import POINTS, Probe
from shamisa_cli.core.scoring.score_map import Map, ScoreMap, spread_over
from shamisa_cli.core.scoring.scorer import require_probe

FRAMED = 1
"""Cells at the border of maps of a stride below `FAR_SEEING` that show zeros beside the picture most."""


@dataclass(frozen=True)
class Placed:
    """The cells of a feature map that are about a part of the picture.

    Attributes:
        values: (C, h, w) float32.
        rows, columns: edges of the part's pixels, in cells: (H + 1,) and (W + 1,), in −1…h + 1 and −1…w + 1.
        box: the part's top, left, height and width in pixels of the picture.
        means, deviations: (C,) over all cells of the map.
        cells: their number.
        framed: cells at the beginning and end, of rows and of columns, that show what is beside the picture.
    """

    values: NDArray[np.float32]
    rows: Vector
    columns: Vector
    box: Box
    means: NDArray[np.float32]
    deviations: NDArray[np.float32]
    cells: int
    framed: tuple[tuple[int, int], tuple[int, int]]


def split_model_score(model: Model, pixels: Pixels) -> ScoreMap:
    """Split the score of one picture, sRGB (H, W, 3) at its view size, over its pixels.

    Raises as `embed_and_split` does.
    """
    return embed_and_split(model, pixels)[1]


def embed_and_split(model: Model, pixels: Pixels) -> tuple[FeatureVector, ScoreMap]:
    """The features (D,) of one picture, as the model's encoder embeds it, and the split of its score over its pixels.

    Several threads may do so at once if the encoder is `concurrent`.

    Args:
        model: a model with a probe.
        pixels: the picture, sRGB (H, W, 3) at its view size.

    Raises:
        ModelError: the model has no probe.
        SettingError: its graph does not list its maps, and PyTorch is not installed.
    """
    probe = require_probe(model)
    spec, size = model.encoder.config.features, (pixels.shape[0], pixels.shape[1])
    encoder = model.encoder.loaded() if isinstance(model.encoder, LazyEncoder) else model.encoder
    if isinstance(encoder, OnnxEncoder) and encoder.reads_by_tiles(*size):
        features, points = _split_by_tiles(encoder, probe, pixels)
    else:
        features, maps = _features_and_maps(model, encoder, pixels)
        with ONE_BLAS_THREAD:  # idle threads would wait for work by computing
            parts = placed(maps, spec, size)
            points = sum_of_shares(parts, slopes(probe, features_of(parts, spec)), spec, size)
    score = POINTS * float(probe.predict(features[None])[0])
    points += (score - float(points.sum())) / points.size
    return features, ScoreMap(points, POINTS * probe.base)


def slopes(probe: Probe, features: Vector) -> Vector:
    """Points for each unit of these features (D,), by which the score is split; 0 for those beyond the bound."""
    weights: Vector = POINTS * probe.slopes(features)[0]
    return weights


def _split_by_tiles(encoder: OnnxEncoder, probe: Probe, pixels: Pixels) -> tuple[FeatureVector, Map]:
    """The features (D,) of a large picture, and the shares of its pixels (H, W), in the memory that a tile takes."""
    features, moments, tiles = encoder.features_and_tiles(pixels)
    spec = encoder.config.features
    weights = slopes(probe, pooled_features(moments, spec.moments).astype(np.float64))
    total = np.zeros(pixels.shape[:2])
    for tile, parts in tiles:
        about = [[_of_tile(tile, part, of_map)] for part, of_map in zip(parts, moments, strict=True)]
        own = tuple(slice(first, end) for _, _, first, end in (tile.rows, tile.columns))
        with ONE_BLAS_THREAD:
            total[own] = sum_of_shares(about, weights, spec, total[own].shape)
    return features, total


def _of_tile(tile: Tile, part: MapPart, moments: Moments) -> Placed:
    """Part of a map in its place in a tile, of which only the sides that are the picture's can show a frame."""
    grid, edges, framed = part.grid, [], []
    for span, side, before, cells in zip(
        (tile.rows, tile.columns), tile.size, part.first, part.values.shape[1:], strict=True
    ):
        start, _, first, end = span
        along = (np.arange(first - start, end - start + 1) * part.scale - grid.centre) / grid.stride + 0.5
        edges.append(np.clip(along - before, -1, cells + 1))
        depth = FRAMED if grid.stride < FAR_SEEING else 0
        framed.append((depth if first == 0 else 0, depth if end == side else 0))
    box = (0, 0, len(edges[0]) - 1, len(edges[1]) - 1)
    means, deviations = moments.means.astype(np.float32), moments.deviations.astype(np.float32)
    return Placed(part.values, edges[0], edges[1], box, means, deviations, moments.cells, (framed[0], framed[1]))


def _features_and_maps(model: Model, encoder: Embedder, pixels: Pixels) -> tuple[FeatureVector, Iterable[FeatureMap]]:
    if isinstance(encoder, OnnxEncoder) and encoder.lists_maps:
        return encoder.features_and_maps(pixels)
    with needs_pytorch("a score map of a model exported by an earlier version"):
        from shamisa_cli.core.networks.feature_maps import model_feature_maps
    return encoder.embed(pixels), model_feature_maps(model, pixels)


def placed(maps: Iterable[FeatureMap], spec: FeatureSpec, size: tuple[int, int]) -> list[list[Placed]]:
    """Each of the maps, scale by scale, with its place in the picture: one for each crop, or one for the whole.

    Args:
        maps: of the picture.
        spec: the encoder's features.
        size: H and W of the picture.
    """
    found = []
    for index, feature_map in enumerate(maps):
        copy = copy_size(*size, spec.scales[index // len(spec.stages)])
        boxes = feature_boxes(*copy, spec)
        found.append(
            [
                _placed(values, feature_map, box, box_in_picture(box, copy, size))
                for values, box in zip(feature_map.values, boxes, strict=True)
            ]
        )
    return found


def _placed(values: NDArray[np.float32], among: FeatureMap, box: Box, inside: Box) -> Placed:
    """One map of a box of a copy, which is `inside` the picture."""
    grid = among.grid
    rows, columns = (
        np.clip((np.linspace(0, read, side + 1) - grid.centre) / grid.stride + 0.5, -1, cells + 1)
        for read, side, cells in zip(box[2:], inside[2:], values.shape[1:], strict=True)
    )
    means, deviations = _measured(values) if among.pooled is None else _unscaled(values, among.pooled)
    framed = (FRAMED, FRAMED) if grid.stride < FAR_SEEING else (0, 0)
    return Placed(values, rows, columns, inside, means, deviations, values[0].size, (framed, framed))


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
    return _without_frame(shares.reshape(part.values.shape[1:]), part.framed)


def _without_frame(shares: Map, framed: Sequence[tuple[int, int]]) -> Map:
    """These shares (h, w), with those of the cells at the border, never all, replaced by their neighbours' inside."""
    inside = []
    for side, depths in zip(shares.shape, framed, strict=True):
        first, last = (min(depth, (side - 1) // 2) for depth in depths)
        inside.append(np.arange(side).clip(first, side - 1 - last))
    without: Map = shares[np.ix_(*inside)]
    return without


def _norm(values: NDArray[np.float32]) -> float:
    return max(float(np.linalg.norm(values)), LEAST_NORM)
