"""Which library computes a model's features, and the model's encoder in it (torch is imported where it computes)."""

from __future__ import annotations

import ctypes
import platform
import re
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from shamisa_cli.core.encoder.embedder import RUNTIMES, Embedder, LazyEncoder, Runtime
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.manifest import MODEL_GRAPH

if TYPE_CHECKING:
    import torch

RuntimeChoice = Literal["auto"] | Runtime
CPU = "cpu"

_DEVICE = re.compile(r"cpu|mps|cuda(:[0-9]{1,3})?")


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
        return LazyEncoder(folder.encoder, runtime, name, load, concurrent=runtime == "onnx")
    return load()


def _from_graph(folder: ModelFolder) -> Embedder:
    from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder

    if folder.graph is None:
        raise ModelError(
            f"The model {folder.name} has no {MODEL_GRAPH}, which ONNX Runtime reads. Make one with: "
            f"shamisa models export {folder.path}, or take --runtime torch."
        )
    return OnnxEncoder.load(folder.encoder, folder.graph, folder.weights, folder.fingerprint)


def device_name(name: str = "auto") -> str:
    """What `choose_device` chooses, by name; torch is not imported where that can only be the CPU."""
    return "cpu" if name == "cpu" or (name == "auto" and not _may_have_accelerator()) else str(choose_device(name))


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" takes CUDA where there is one, else Apple's MPS, else the CPU.

    Raises:
        ModelError: the name is none of auto, cpu, cuda, cuda:N and mps, or this machine has no such device.
    """
    import torch

    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if _count(kind))
    if _DEVICE.fullmatch(name) is None:
        raise ModelError(f"{name!r} is not a device. Use auto, cpu, cuda, cuda:N or mps.")
    kind, _, index = name.partition(":")
    if int(index or 0) >= _count(kind):
        raise ModelError(
            f"This machine has no device {name!r} that PyTorch {torch.__version__} can use. Use auto or cpu."
        )
    return torch.device(name)


def _count(kind: str) -> int:
    import torch

    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    return 1 if kind == "cpu" or torch.backends.mps.is_available() else 0


def _may_have_accelerator() -> bool:
    """Whether there is the driver of something torch may compute on; asking torch itself takes seconds."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Path("/dev/kfd").exists()  # of AMD's ROCm, which torch calls CUDA too
    return True
