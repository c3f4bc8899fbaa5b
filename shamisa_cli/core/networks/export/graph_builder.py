"""Building an ONNX graph whose weights stay in a safetensors file in the same folder."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.errors import SettingError

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET = 18
"""First opset with an antialiased Resize."""
IR_VERSION = 8
"""Version of the file format that came with the opset; older runtimes read it too."""


PIXELS: Mapping[str, tuple[str, Sequence[int | str]]] = {"pixels": ("UINT8", ("height", "width", 3))}
"""The input of a graph that reads an image."""

_ONNX_DTYPES = {"F32": "FLOAT", "F16": "FLOAT16"}


@dataclass(frozen=True)
class StoredTensor:
    """Position of a tensor in a safetensors file.

    Attributes:
        dtype: the format's name of its type, such as F32.
        shape: shape of the tensor.
        offset, length: position from the beginning of the file, and size, in bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """Positions of the tensors of a safetensors file: 8 bytes with the header's length, the header, the numbers."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    return {
        name: StoredTensor(
            entry["dtype"],
            tuple(entry["shape"]),
            8 + length + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


class GraphBuilder:
    """Collects nodes; each method returns the name of the value it adds.

    Args:
        weights: a safetensors file. The graph names it without its folder, so it must be in the graph's folder.

    Raises SettingError where the package onnx is not installed.
    """

    def __init__(self, weights: Path) -> None:
        try:
            import onnx
        except ImportError as error:
            raise SettingError(
                "Exporting needs the package onnx. Install it with: pip install 'shamisa[train]'"
            ) from error
        self._onnx = onnx
        self._location = weights.name
        self._stored = stored_tensors(weights)
        self._nodes: list[NodeProto] = []
        self._outputs: dict[str, str] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: dict[str, TensorProto] = {}

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node unless an equal one exists, and return the name of its output; "" omits an optional input."""
        call = repr((kind, inputs, sorted(attributes.items())))
        if call not in self._outputs:
            self._outputs[call] = f"{kind}_{len(self._nodes)}"
            self._nodes.append(self._onnx.helper.make_node(kind, inputs, [self._outputs[call]], **attributes))
        return self._outputs[call]

    def cast(self, value: str, dtype: str) -> str:
        """Cast the value to another type, named as in `onnx.TensorProto`."""
        return self.add("Cast", value, to=self._onnx.TensorProto.DataType.Value(dtype))

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a small constant, stored once in the graph itself."""
        array = np.asarray(values, dtype=dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self._constants[key] = f"constant_{len(self._constants)}"
            self._initializers[name] = self._onnx.numpy_helper.from_array(array, name)
        return self._constants[key]

    def weight(self, name: str) -> str:
        """Add a tensor of the weights file, as float32."""
        stored = self._stored[name]
        if name not in self._initializers:
            kind = self._onnx.TensorProto.DataType.Value(_ONNX_DTYPES[stored.dtype])
            tensor = self._onnx.TensorProto(name=name, data_type=kind, dims=stored.shape)
            tensor.data_location = self._onnx.TensorProto.EXTERNAL
            for key, value in (("location", self._location), ("offset", stored.offset), ("length", stored.length)):
                tensor.external_data.add(key=key, value=str(value))
            self._initializers[name] = tensor
        return name if stored.dtype == "F32" else self.cast(name, "FLOAT")

    def serialised(
        self,
        outputs: Mapping[str, tuple[str, Sequence[int | str]]],
        metadata: Mapping[str, str],
        inputs: Mapping[str, tuple[str, Sequence[int | str]]] = PIXELS,
        name: str = "encoder",
    ) -> bytes:
        """Serialise the graph from its inputs to named float32 outputs, as protobuf.

        Args:
            outputs: name of the output → its value and shape.
            metadata: stored in the file.
            inputs: name of the input → its type, named as in `onnx.TensorProto`, and shape; a name stands for a side of
                any length.
            name: of the graph.
        """
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        self._nodes += [helper.make_node("Identity", [value], [name]) for name, (value, _) in outputs.items()]
        graph = helper.make_graph(
            self._nodes,
            name,
            [
                helper.make_tensor_value_info(each, kinds.DataType.Value(kind), list(shape))
                for each, (kind, shape) in inputs.items()
            ],
            [helper.make_tensor_value_info(each, kinds.FLOAT, list(shape)) for each, (_, shape) in outputs.items()],
            list(self._initializers.values()),
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="shamisa"
        )
        helper.set_model_props(model, dict(metadata))
        return bytes(model.SerializeToString(deterministic=True))
