"""Which library computes a model's features, and the model's encoder in it (torch is imported where it computes)."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import Literal

from shamisa_cli.core.encoder.embedder import RUNTIMES, Embedder, Runtime
from shamisa_cli.core.encoder.on_demand import EncoderOnDemand
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models.devices import device_name
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.manifest import MODEL_GRAPH

RuntimeChoice = Literal["auto"] | Runtime
CPU = "cpu"


def load_embedder(
    folder: ModelFolder, runtime: RuntimeChoice = "auto", device: str = "auto", *, on_demand: bool = False
) -> Embedder:
    """The encoder of a model folder, ready to embed.

    Args:
        folder: the model.
        runtime: "auto" takes torch on CUDA and MPS and for models without a graph, and else ONNX Runtime, which
            is the fastest on a CPU (docs/performance.md).
        device: auto (CUDA, else MPS, else CPU), cpu, cuda, cuda:N or mps; ONNX Runtime takes the CPU.
        on_demand: load it with the first picture that needs it; what is wrong with it is only found then.

    Raises:
        SettingError: the runtime is not known, not installed, or not for the device.
        ModelError: the device is not there, or the model cannot be read.
    """
    if runtime not in ("auto", *RUNTIMES):
        raise SettingError(f"The runtime is {runtime!r}; it can be auto, {', '.join(RUNTIMES)}.")
    name = CPU if device == "auto" and runtime not in ("auto", "torch") else device_name(device)
    if runtime == "auto":
        runtime = "onnx" if name == CPU and folder.graph is not None and find_spec("onnxruntime") else "torch"
    if runtime == "onnx" and name != CPU:
        raise SettingError(f"ONNX Runtime computes on the CPU. For {name}, take --runtime torch.")
    load = partial(_from_graph, folder) if runtime == "onnx" else partial(folder.load_encoder, name)
    if on_demand:
        return EncoderOnDemand(folder.encoder, runtime, name, load, concurrent=runtime == "onnx")
    return load()


def _from_graph(folder: ModelFolder) -> Embedder:
    from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder

    if folder.graph is None:
        raise ModelError(
            f"The model {folder.name} has no {MODEL_GRAPH}, which ONNX Runtime reads. Make one with: "
            f"shamisa models export {folder.path}, or take --runtime torch."
        )
    return OnnxEncoder.load(folder.encoder, folder.graph, folder.weights, folder.fingerprint)
