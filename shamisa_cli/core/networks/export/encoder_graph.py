"""Export of an encoder as an ONNX graph, from the pixels of an image to its feature vector.

The backbone is traced, so that any backbone of known layers can be exported; the steps before and after it
(core/networks/features.py) are written in ONNX's operators.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from shamisa_cli.core.encoder.feature_maps import Grid
from shamisa_cli.core.encoder.onnx_encoder import CROPS, FEATURES, FINGERPRINT, MAPS
from shamisa_cli.core.encoder.spec import FeatureSpec, Preprocessing
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.networks.backbones import Backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.export.graph_builder import GraphBuilder
from shamisa_cli.core.networks.features import STD_EPSILON, wanted_stages
from shamisa_cli.core.networks.layers import NormAct, PaddedConv2d

_CUBIC = -0.5  # parameter of torch's antialiased bicubic filter


def export_graph(encoder: TorchEncoder, weights: Path, fingerprint: str) -> bytes:
    """Export the graph from one image, sRGB (H, W, 3) uint8 of any size, to its features (D,) and those of its crops.

    Args:
        encoder: the encoder to export.
        weights: the safetensors file that the encoder was read from; the graph refers to its weights.
        fingerprint: of the encoder.

    Raises:
        SettingError: the package onnx is not installed, or the backbone has an unsupported layer.
    """
    spec = encoder.config.features
    graph = GraphBuilder(weights)
    traced = TracedBackbone(encoder.backbone, spec)
    wanted = wanted_stages(encoder.backbone, spec)
    picture = unit_range(graph)
    grids = dict(zip(sorted(set(wanted)), traced.grids(), strict=True))
    blocks, listed = [], []
    for scale in spec.scales:
        view = normalised(graph, _rescaled(graph, picture, scale), encoder.config.preprocessing)
        if spec.crops:
            view = _five_crops(graph, view, spec.crop_size)
        maps = dict(zip(sorted(set(wanted)), traced.added_to(graph, view), strict=True))
        blocks += [_MOMENTS[moment](graph, maps[stage]) for stage in wanted for moment in spec.moments]
        listed += [[maps[stage], grids[stage].stride, grids[stage].centre] for stage in wanted]
    vector = graph.add("Concat", *(_unit_norm(graph, block) for block in blocks), axis=1)
    length, metadata = encoder.feature_length, {FINGERPRINT: fingerprint, MAPS: json.dumps(listed)}
    if spec.crops is None:
        flat = graph.add("Reshape", vector, graph.constant([-1], np.int64))
        return graph.serialised({FEATURES: (flat, [length])}, metadata)
    rows = graph.add("Reshape", vector, graph.constant([spec.crops, length], np.int64))
    average = graph.add("ReduceMean", rows, graph.constant([0], np.int64), keepdims=0)
    return graph.serialised({FEATURES: (average, [length]), CROPS: (rows, [spec.crops, length])}, metadata)


class TracedBackbone(nn.Module):
    """The backbone's layers in the order they are called to compute the maps that are read.

    Args:
        backbone: the network.
        spec: its stages and layer say which maps are read.
        prefix: of the names of the backbone's weights in their file.
    """

    def __init__(self, backbone: Backbone, spec: FeatureSpec, prefix: str = "") -> None:
        super().__init__()
        self.backbone, self._spec, self._prefix = backbone, spec, prefix
        try:
            self._calls = _LayerTracer().trace(self)
        except (fx.proxy.TraceError, TypeError) as error:  # its control flow depends on its arguments
            raise _not_exportable(type(backbone).__name__) from error

    def forward(self, view: Tensor) -> list[Tensor]:
        """The maps of the wanted stages, first stage first."""
        spec = self._spec
        return [feature_map for _, feature_map in self.backbone.chosen_stages(view, spec.stages, spec.layer)]

    def added_to(self, graph: GraphBuilder, view: str) -> list[str]:
        """Add the layers to the graph, with the value `view` as input, and return the names of the maps."""
        values: dict[Any, str] = {}
        for call in self._calls.nodes:
            if call.op == "output":
                return [values[feature_map] for feature_map in call.args[0]]
            values[call] = view if call.op == "placeholder" else self._added(graph, call, values)
        raise AssertionError("a traced graph ends in its output")

    def grids(self) -> list[Grid]:
        """Where the cells of the maps lie, in the order of `added_to`; where paths meet, by the first of them."""
        places: dict[Any, Grid] = {}
        for call in self._calls.nodes:
            if call.op == "output":
                return [places[feature_map] for feature_map in call.args[0]]
            before = next((places[argument] for argument in call.args if argument in places), Grid())
            layer = self.get_submodule(call.target) if call.op == "call_module" else None
            places[call] = before if layer is None else _grid_after(layer, before)
        raise AssertionError("a traced graph ends in its output")

    def _added(self, graph: GraphBuilder, call: fx.Node, values: dict[Any, str]) -> str:
        inputs = [values.get(argument) for argument in call.args if isinstance(argument, fx.Node)]
        known = [value for value in inputs if value is not None]
        if call.kwargs or not known or len(known) < len(call.args):
            raise _not_exportable(call.target)
        if call.op == "call_function" and call.target in (operator.add, operator.iadd, torch.add):
            return graph.add("Add", *known)
        if call.op != "call_module" or not isinstance(call.target, str):
            raise _not_exportable(call.target)
        return _converted(
            graph, self.get_submodule(call.target), self._prefix + call.target.removeprefix("backbone."), known[0]
        )


def _grid_after(layer: nn.Module, grid: Grid) -> Grid:
    if not hasattr(layer, "kernel_size"):
        return grid
    kernel, stride, dilation, padding = (
        int(np.broadcast_to(getattr(layer, name), 2)[0]) for name in ("kernel_size", "stride", "dilation", "padding")
    )
    return grid.after(kernel, stride, layer.sides[0] if isinstance(layer, PaddedConv2d) else padding, dilation)


def _converted(graph: GraphBuilder, layer: Any, name: str, value: str) -> str:
    convert = _LAYERS.get(type(layer))
    if convert is None:
        raise _not_exportable(layer)
    return convert(graph, layer, name, value)


def _not_exportable(layer: Any) -> SettingError:
    name = layer if isinstance(layer, str | nn.Module) else getattr(layer, "__name__", layer)
    return SettingError(f"The encoder has a layer that cannot be exported: {name}.", remedy="score-with-torch")


class _LayerTracer(fx.Tracer):
    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        # Slices of a sequence are modules without a name: descend into all containers, and record the layers.
        whole = type(m) in _LAYERS or not list(m.children())
        return forward(*args, **kwargs) if not whole else super().call_module(m, forward, args, kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        return True


def _convolution(graph: GraphBuilder, layer: nn.Conv2d, name: str, value: str) -> str:
    bias = [] if layer.bias is None else [graph.weight(f"{name}.bias")]
    before, after = [[side, side] for side in layer.sides] if isinstance(layer, PaddedConv2d) else [layer.padding] * 2
    return graph.add(
        "Conv",
        value,
        graph.weight(f"{name}.weight"),
        *bias,
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.stride),
        pads=[int(side) for side in (*before, *after)],
        dilations=list(layer.dilation),
        group=layer.groups,
    )


def _batch_norm(graph: GraphBuilder, layer: nn.BatchNorm2d, name: str, value: str) -> str:
    parts = [graph.weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
    return graph.add("BatchNormalization", value, *parts, epsilon=layer.eps)


def _norm_act(graph: GraphBuilder, layer: NormAct, name: str, value: str) -> str:
    return _converted(graph, layer.act, f"{name}.act", _batch_norm(graph, layer, name, value))


def _identity(_graph: GraphBuilder, _layer: nn.Identity, _name: str, value: str) -> str:
    return value


def _relu6(graph: GraphBuilder, _layer: nn.ReLU6, _name: str, value: str) -> str:
    return graph.add("Clip", value, graph.constant(0), graph.constant(6))


def _relu(graph: GraphBuilder, _layer: nn.ReLU, _name: str, value: str) -> str:
    return graph.add("Relu", value)


def _max_pool(graph: GraphBuilder, layer: nn.MaxPool2d, _name: str, value: str) -> str:
    kernel, stride, padding = (np.broadcast_to(each, 2) for each in (layer.kernel_size, layer.stride, layer.padding))
    return graph.add("MaxPool", value, kernel_shape=kernel.tolist(), strides=stride.tolist(), pads=padding.tolist() * 2)


_LAYERS: dict[type, Callable[[GraphBuilder, Any, str, str], str]] = {
    nn.Conv2d: _convolution,
    PaddedConv2d: _convolution,
    nn.BatchNorm2d: _batch_norm,
    NormAct: _norm_act,
    nn.Identity: _identity,
    nn.ReLU6: _relu6,
    nn.ReLU: _relu,
    nn.MaxPool2d: _max_pool,
}


def unit_range(graph: GraphBuilder) -> str:
    """The graph's pixels as (1, 3, H, W) in 0…1."""
    planes = graph.add("Transpose", "pixels", perm=[2, 0, 1])
    batch = graph.cast(graph.add("Unsqueeze", planes, graph.constant([0], np.int64)), "FLOAT")
    return graph.add("Div", batch, graph.constant(255))


def _rescaled(graph: GraphBuilder, picture: str, scale: float) -> str:
    if scale == 1:
        return picture
    # ONNX rounds halves to even, as Python does.
    sides = graph.cast(graph.add("Shape", picture, start=2), "DOUBLE")
    scaled = graph.cast(graph.add("Round", graph.add("Mul", sides, graph.constant(scale, np.float64))), "INT64")
    size = graph.add("Max", scaled, graph.constant([1], np.int64))
    reduced = graph.add(
        "Resize",
        picture,
        "",
        "",
        graph.add("Concat", graph.constant([1, 3], np.int64), size, axis=0),
        mode="cubic",
        antialias=1,
        cubic_coeff_a=_CUBIC,
        coordinate_transformation_mode="half_pixel",
        exclude_outside=1,
    )
    return graph.add("Clip", reduced, graph.constant(0), graph.constant(1))


def _five_crops(graph: GraphBuilder, view: str, size: int) -> str:
    """The crops (5, 3, h, w) of (1, 3, H, W) that `five_crop_boxes` names."""
    sides = graph.add("Shape", view, start=2)
    extent = graph.add("Min", sides, graph.constant([size], np.int64))
    room = graph.add("Sub", sides, extent)
    middle = graph.add("Div", room, graph.constant([2], np.int64))
    corners = [graph.add("Mul", room, graph.constant(at, np.int64)) for at in ([0, 0], [0, 1], [1, 0], [1, 1])]
    axes = graph.constant([2, 3], np.int64)
    crops = [graph.add("Slice", view, at, graph.add("Add", at, extent), axes) for at in (*corners, middle)]
    return graph.add("Concat", *crops, axis=0)


def normalised(graph: GraphBuilder, picture: str, preprocessing: Preprocessing) -> str:
    mean, std = (np.array(values).reshape(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    return graph.add("Div", graph.add("Sub", picture, graph.constant(mean)), graph.constant(std))


def _mean(graph: GraphBuilder, value: str) -> str:
    return graph.add("ReduceMean", value, graph.constant([2, 3], np.int64), keepdims=1)


def _deviation(graph: GraphBuilder, value: str) -> str:
    # Not E[x²] − E[x]², whose float32 error is a hundredth for nearly flat maps.
    centred = graph.add("Sub", value, _mean(graph, value))
    variance = _mean(graph, graph.add("Mul", centred, centred))
    return graph.add("Sqrt", graph.add("Add", variance, graph.constant(STD_EPSILON)))


_MOMENTS = {"mean": _mean, "std": _deviation}


def _unit_norm(graph: GraphBuilder, block: str) -> str:
    # As torch.nn.functional.normalize, which leaves a block of zeros as it is.
    return graph.add("LpNormalization", block, axis=1, p=2)
