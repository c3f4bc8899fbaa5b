"""Choice of runtime and device, and a model's encoder in it (torch is imported only if it is the runtime)."""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from shamisa_cli.core.encoder.embedder import RUNTIMES, Embedder, LazyEncoder, Runtime
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.existence import exists
from shamisa_cli.core.extras import needs_pytorch
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.manifest import MODEL_GRAPH

RuntimeChoice = Literal["auto"] | Runtime
CPU = "cpu"


def load_embedder(
    folder: ModelFolder[EncoderConfig],
    runtime: RuntimeChoice = "auto",
    device: str = "auto",
    *,
    on_demand: bool = False,
) -> Embedder:
    """Load the encoder of a model folder.

    Args:
        folder: the model.
        runtime: "auto" takes torch on CUDA and MPS and for models without a graph, and otherwise ONNX Runtime, which
            is the fastest on a CPU (docs/performance.md).
        device: auto (CUDA, else MPS, else CPU), cpu, cuda, cuda:N or mps; ONNX Runtime runs on the CPU.
        on_demand: load it with the first image that needs it; errors in its files are found only then.

    Raises:
        SettingError: the runtime is unknown, not installed, or not available for the device.
        ModelError: the device does not exist, or the model cannot be read.
    """
    chosen, name = choose_runtime(runtime, device, exported=folder.exported)
    load = partial(_from_graph, folder) if chosen == "onnx" else partial(_from_weights, folder, name)
    if on_demand:
        return LazyEncoder(folder.config, chosen, name, load, concurrent=chosen == "onnx")
    return load()


def choose_runtime(runtime: RuntimeChoice, device: str, *, exported: bool) -> tuple[Runtime, str]:
    """The library that computes, and the name of the device.

    Args:
        runtime, device: as `load_embedder` takes them.
        exported: whether the model has graphs for ONNX Runtime.

    Raises:
        SettingError: the runtime is not known, or not for the device.
        ModelError: the device is not there.
    """
    if runtime not in ("auto", *RUNTIMES):
        raise SettingError(f"The runtime is {runtime!r}; it can be auto, {', '.join(RUNTIMES)}.")
    name = CPU if device == "auto" and runtime not in ("auto", "torch") else device_name(device)
    if runtime == "auto":
        return ("onnx" if name == CPU and exported and find_spec("onnxruntime") else "torch"), name
    if runtime == "onnx" and name != CPU:
        raise SettingError("ONNX Runtime runs on the CPU only.", remedy="take-torch-on", device=name)
    return runtime, name


def _from_graph(folder: ModelFolder[EncoderConfig]) -> Embedder:
    from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder

    graph = folder.graphs.get(MODEL_GRAPH)
    if graph is None:
        raise ModelError(
            f"The model {folder.name} has no {MODEL_GRAPH}, which ONNX Runtime needs. Make one with: "
            f"shamisa models export {folder.path}.",
            remedy="take-torch",
        )
    return OnnxEncoder.load(folder.config, graph, folder.weights, folder.fingerprint)


def _from_weights(folder: ModelFolder[EncoderConfig], device: str) -> Embedder:
    with needs_pytorch("the runtime torch"):
        from shamisa_cli.core.networks.model_folders import load_encoder
    return load_encoder(folder, device)


def device_name(name: str = "auto") -> str:
    """Name of the device that `choose_device` returns; does not import torch where that can only be the CPU.

    Raises:
        ModelError: as `choose_device` does.
        SettingError: a device other than the CPU is requested, and PyTorch is not installed.
    """
    name = str(name)  # an enum would show its class in messages
    if name == CPU or (name == "auto" and not _may_have_accelerator()):
        return CPU
    if name == "auto" and find_spec("torch") is None:
        return CPU
    with needs_pytorch(f"the device {name}"):
        from shamisa_cli.core.networks.model_folders import choose_device
    return str(choose_device(name))


def _may_have_accelerator() -> bool:
    """Whether the driver of an accelerator is present; importing torch to ask would take seconds."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return exists(Path("/dev/kfd"))  # of AMD's ROCm, which torch calls CUDA too
    return True
