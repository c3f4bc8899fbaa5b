"""Export of the distortion network as three ONNX graphs: of one image, of a pair, and the head, which runs twice.

What makes the network odd (`DistortionNetwork.relate`) is computed between the graphs, so that no optimisation of a
runtime can treat the two orders of a pair differently: swapping the images flips every sign exactly there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from shamisa_cli.core.encoder.spec import FeatureSpec, Preprocessing
from shamisa_cli.core.networks.distortion_network import BLOCK_PLACES, DEVIATION_FLOOR, ODD_SCALE, TWO_POSITIONS
from shamisa_cli.core.networks.export.encoder_graph import TracedBackbone, normalised, unit_range
from shamisa_cli.core.networks.export.graph_builder import GraphBuilder
from shamisa_cli.core.networks.pair_statistics import COLOUR_FLOOR, GRADIENT_FLOOR, LIGHTNESS_FLOOR
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.relational.onnx_networks import HALO
from shamisa_cli.core.relational.records import HEAD_GRAPH, MAPS, PAIR_GRAPH, SQUARED_FLOOR, STRIDE, TRUNK_GRAPH

OPPONENT = ((0.299, 0.587, 0.114), (1.0, -1.0, 0.0), (0.5, 0.5, -1.0))
"""Lightness and two colours from red, green and blue, as in `picture_channels`."""
SCHARR = np.array([[3.0, 0.0, -3.0], [10.0, 0.0, -10.0], [3.0, 0.0, -3.0]]) / 16
END = 2**31 - 1
"""Where a slice ends that takes the rest."""
PROBE_SIDE = 64
"""Side of the image that tells how large the maps are."""

_GRID = ("rows", "columns")


def export_relational_graphs(model: RelationalModel, weights: Path, metadata: Mapping[str, str]) -> dict[str, bytes]:
    """Export the distortion network; the scoring network is small enough to be computed from its weights.

    Args:
        model: as read from `weights`.
        weights: the safetensors file of the model, which the graphs refer to.
        metadata: stored in each graph.

    Returns:
        The graphs by the names of their files.

    Raises:
        SettingError: the package onnx is not installed, or the trunk has an unsupported layer.
    """
    trunk = model.distortion.trunk
    with torch.inference_mode():
        maps = trunk.backbone.chosen_stages(torch.zeros(1, 3, PROBE_SIDE, PROBE_SIDE), trunk.stages, trunk.layer)
        shapes = [tuple(feature_map.shape[1:3]) for _, feature_map in maps]
    factors = [side / (PROBE_SIDE // STRIDE) for _, side in shapes]
    channels = [count for count, _ in shapes]
    halo = {**metadata, HALO: str(model.distortion.halo)}
    return {
        TRUNK_GRAPH: _trunk(model, GraphBuilder(weights), factors, channels, halo),
        PAIR_GRAPH: _pair(model, GraphBuilder(weights), factors, channels, metadata),
        HEAD_GRAPH: _head(model, GraphBuilder(weights), metadata),
    }


def _trunk(
    model: RelationalModel,
    graph: GraphBuilder,
    factors: list[float],
    counts: list[int],
    metadata: Mapping[str, str],
) -> bytes:
    """From the pixels of an image to its maps, channels, deviations, and its share of the head's first layer."""
    trunk = model.distortion.trunk
    spec = FeatureSpec(stages=trunk.stages, layer=trunk.layer)
    traced = TracedBackbone(trunk.backbone, spec, prefix="distortion.trunk.backbone.")
    picture = unit_range(graph)
    maps = traced.added_to(graph, normalised(graph, picture, Preprocessing()))
    channels = _channels(graph, picture)
    means, deviations = [], []
    for value, factor in zip((*maps, *channels), (*factors, *_CHANNEL_FACTORS), strict=True):
        mean = _on_grid(graph, value, factor)
        means.append(mean)
        deviations.append(_root(graph, _spread(graph, value, mean, factor)))
    spread_of_all = graph.add("Concat", *deviations, axis=1)
    moments = graph.add("Concat", *means, spread_of_all, axis=1)
    scaled = graph.add("Mul", moments, graph.weight("distortion.one_scale"))
    entries = graph.add("Conv", scaled, graph.weight("distortion.head.one.weight"))
    width = model.config.width
    outputs: dict[str, tuple[str, list[int | str]]] = {
        f"map_{place}": (value, [1, count, f"h{place}", f"w{place}"])
        for place, (value, count) in enumerate(zip(maps, counts, strict=True))
    }
    sizes = zip(channels, _CHANNEL_COUNTS, strict=True)
    outputs |= {
        f"channels_{place}": (value, [1, count, f"y{place}", f"x{place}"]) for place, (value, count) in enumerate(sizes)
    }
    outputs |= {
        "deviations": (spread_of_all, [1, sum(counts) + sum(_CHANNEL_COUNTS), *_GRID]),
        "first": (_channel_part(graph, entries, 0, width), [1, width, *_GRID]),
        "second": (_channel_part(graph, entries, width, 2 * width), [1, width, *_GRID]),
    }
    return graph.serialised(outputs, metadata, name="relational trunk")


def _pair(
    model: RelationalModel,
    graph: GraphBuilder,
    factors: list[float],
    counts: list[int],
    metadata: Mapping[str, str],
) -> bytes:
    """From the trunk's values of two images to the projections of their change, of which one is odd in the order."""
    names = [f"map_{place}" for place in range(len(counts))]
    named = [f"channels_{place}" for place in range(len(_CHANNEL_COUNTS))]
    squares = []
    for name, factor in zip((*names, *named), (*factors, *_CHANNEL_FACTORS), strict=True):
        apart = graph.add("Sub", f"a_{name}", f"b_{name}")
        squares.append(_on_grid(graph, graph.add("Mul", apart, apart), factor))
    roots = _root(graph, graph.add("Concat", *squares, axis=1))
    change = graph.add("Concat", roots, _root(graph, _dissimilarity(graph)), axis=1)
    even = graph.add(
        "Conv",
        graph.add("Mul", change, graph.weight("distortion.both_scale")),
        graph.weight("distortion.head.both.weight"),
        graph.weight("distortion.head.both.bias"),
    )
    apart = graph.add("Sub", "b_deviations", "a_deviations")
    both = graph.add("Add", graph.add("Add", "b_deviations", "a_deviations"), graph.constant(DEVIATION_FLOOR))
    relative = graph.add("Mul", graph.add("Div", apart, both), graph.constant(ODD_SCALE))
    odd = graph.add("Conv", relative, graph.weight("distortion.head.odd.weight"))
    inputs: dict[str, tuple[str, list[int | str]]] = {}
    for side in ("a", "b"):
        for place, count in enumerate(counts):
            inputs[f"{side}_map_{place}"] = ("FLOAT", [1, count, f"h{place}", f"w{place}"])
        for place, count in enumerate(_CHANNEL_COUNTS):
            inputs[f"{side}_channels_{place}"] = ("FLOAT", [1, count, f"y{place}", f"x{place}"])
        inputs[f"{side}_deviations"] = ("FLOAT", [1, sum(counts) + sum(_CHANNEL_COUNTS), *_GRID])
    shape: list[int | str] = [1, model.config.width, *_GRID]
    return graph.serialised({"change": (even, shape), "odd": (odd, shape)}, metadata, inputs, "relational pair")


def _head(model: RelationalModel, graph: GraphBuilder, metadata: Mapping[str, str]) -> bytes:
    """`Head.forward`: from three projections to maps that are not odd yet."""
    x = graph.add("Relu", graph.add("Add", graph.add("Add", "first", "second"), "change"))
    for place in range(model.config.blocks):
        name = f"distortion.head.blocks.{place}"
        weight = [(graph.weight(f"{name}.{layer}.weight"), graph.weight(f"{name}.{layer}.bias")) for layer in (0, 1, 3)]
        pads = [BLOCK_PLACES // 2] * 4
        y = graph.add("Conv", x, *weight[0], pads=pads, group=model.config.width)
        y = graph.add("Relu", graph.add("Conv", y, *weight[1]))
        x = graph.add("Add", x, graph.add("Conv", y, *weight[2]))
    leave = graph.weight("distortion.head.leave.weight"), graph.weight("distortion.head.leave.bias")
    shape: list[int | str] = [1, model.config.width, *_GRID]
    inputs = dict.fromkeys(("first", "second", "change"), ("FLOAT", shape))
    outputs: dict[str, tuple[str, list[int | str]]] = {
        "entries": (graph.add("Conv", x, *leave), [1, len(MAPS) + 2, *_GRID])
    }
    return graph.serialised(outputs, metadata, inputs, "relational head")


_CHANNEL_COUNTS = (4, 3, 1)
"""Channels at full, half and quarter size, as `picture_channels` returns them."""
_CHANNEL_FACTORS = (float(STRIDE), STRIDE / 2, STRIDE / 4)


def _channels(graph: GraphBuilder, picture: str) -> list[str]:
    """`pair_statistics.picture_channels`."""
    opponent = graph.add("Conv", picture, graph.constant(np.array(OPPONENT).reshape(3, 3, 1, 1)))
    half = _averaged(graph, opponent, 2)
    quarter = _averaged(graph, _channel_part(graph, half, 0, 1), 2)
    edges = _gradient(graph, _channel_part(graph, opponent, 0, 1), 1)
    full = graph.add("Concat", opponent, edges, axis=1)
    return [full, _gradient(graph, half, 3), _gradient(graph, quarter, 1)]


def _gradient(graph: GraphBuilder, value: str, count: int) -> str:
    padded = graph.add("Pad", value, graph.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64), mode="edge")
    squares = []
    for kernel in (SCHARR, SCHARR.T):
        weight = graph.constant(np.repeat(kernel[None, None], count, axis=0))
        slope = graph.add("Conv", padded, weight, group=count)
        squares.append(graph.add("Mul", slope, slope))
    return graph.add("Sqrt", graph.add("Add", graph.add("Add", *squares), graph.constant(1e-8)))


def _dissimilarity(graph: GraphBuilder) -> str:
    """`pair_statistics.dissimilarity` of the channels of both images."""

    def part(place: int, start: int, stop: int) -> tuple[str, str]:
        first, second = (_channel_part(graph, f"{side}_channels_{place}", start, stop) for side in ("a", "b"))
        return first, second

    def mean(value: str) -> str:
        return graph.add("ReduceMean", value, graph.constant([1], np.int64), keepdims=1)

    maps = [
        (_unlike(graph, *part(0, 3, 4), GRADIENT_FLOOR), STRIDE),
        (_unlike(graph, *part(1, 0, 1), GRADIENT_FLOOR), STRIDE // 2),
        (_unlike(graph, "a_channels_2", "b_channels_2", GRADIENT_FLOOR), STRIDE // 4),
        (mean(_unlike(graph, *part(0, 1, 3), COLOUR_FLOOR)), STRIDE),
        (mean(_unlike(graph, *part(1, 1, 3), GRADIENT_FLOOR)), STRIDE // 2),
        (_unlike(graph, *part(0, 0, 1), LIGHTNESS_FLOOR), STRIDE),
    ]
    return graph.add("Concat", *(_averaged(graph, value, factor) for value, factor in maps), axis=1)


def _unlike(graph: GraphBuilder, x: str, y: str, floor: float) -> str:
    apart = graph.add("Sub", x, y)
    squares = graph.add("Add", graph.add("Mul", x, x), graph.add("Mul", y, y))
    return graph.add("Div", graph.add("Mul", apart, apart), graph.add("Add", squares, graph.constant(floor)))


def _root(graph: GraphBuilder, value: str) -> str:
    return graph.add("Sqrt", graph.add("Add", value, graph.constant(SQUARED_FLOOR)))


def _averaged(graph: GraphBuilder, value: str, factor: int) -> str:
    return graph.add("AveragePool", value, kernel_shape=[factor] * 2, strides=[factor] * 2) if factor > 1 else value


def _on_grid(graph: GraphBuilder, value: str, factor: float) -> str:
    """Finer maps averaged, coarser ones interpolated, by a factor of their sides to those of the grid."""
    return (
        _averaged(graph, value, round(factor)) if factor >= 1 else _interpolated(graph, value, 1 / factor, 1 / factor)
    )


def _interpolated(graph: GraphBuilder, value: str, down: float, right: float) -> str:
    scales = graph.constant([1, 1, down, right])
    return graph.add("Resize", value, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")


def _repeated(graph: GraphBuilder, value: str, down: float, right: float) -> str:
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.add("Resize", value, "", graph.constant([1, 1, down, right]), **nearest)


def _spread(graph: GraphBuilder, value: str, mean: str, factor: float) -> str:
    """Local variance on the grid, as `distortion_network._spread` computes it."""
    if factor > 1:
        apart = graph.add("Sub", value, _repeated(graph, mean, factor, factor))
        return _averaged(graph, graph.add("Mul", apart, apart), round(factor))
    if factor == 1:
        return graph.add("Sub", mean, mean)
    rows = _interpolated(graph, value, 2, 1)
    between_rows = _interpolated(graph, _between(graph, value, axis=2), 1, 2)
    return graph.add("Add", between_rows, _between(graph, rows, axis=3))


def _between(graph: GraphBuilder, value: str, axis: int) -> str:
    """`distortion_network._between`."""
    sides = [_slice(graph, value, start, stop, axis) for start, stop in ((1, END), (0, -1))]
    apart = graph.add("Sub", *sides)
    squares = graph.add("Mul", graph.add("Mul", apart, apart), graph.constant(TWO_POSITIONS))
    ends = [int(place == axis) for place in range(4)]
    padded = graph.add("Pad", squares, graph.constant([*ends, *ends], np.int64))
    return _slice(graph, _repeated(graph, padded, *(1 + end for end in ends[2:])), 1, -1, axis)


def _channel_part(graph: GraphBuilder, value: str, start: int, stop: int) -> str:
    return _slice(graph, value, start, stop, 1)


def _slice(graph: GraphBuilder, value: str, start: int, stop: int, axis: int) -> str:
    return graph.add("Slice", value, *(graph.constant([number], np.int64) for number in (start, stop, axis)))
