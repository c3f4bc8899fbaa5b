"""Sessions of ONNX Runtime: how they are opened, and what they compute (does not import torch)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from shamisa_cli.core.arrays import FeatureVector
from shamisa_cli.core.errors import GraphError, ModelError, SettingError, reason_of
from shamisa_cli.core.known_files import KnownFile

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions


def computed(
    session: InferenceSession, asked: list[str], fed: dict[str, NDArray[Any]], *, release: bool = False
) -> list[FeatureVector]:
    """These outputs of a graph.

    Args:
        session: of the graph.
        asked: names of outputs.
        fed: all inputs by their names.
        release: give back the memory that the session keeps for the next inputs.

    Raises GraphError if the graph fails on these inputs, and MemoryError.
    """
    options: RunOptions = _library().RunOptions()
    if release:
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    try:
        values: list[FeatureVector] = session.run(asked, fed, options)
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        if "allocate" in str(error):
            raise MemoryError(str(error)) from error
        raise GraphError(
            f"The model's graph fails on it ({reason_of(error)}). Verify the model, or download or copy its folder "
            "again."
        ) from error
    return values


def _library() -> Any:
    """ONNX Runtime, which reports nothing to its makers unless the user has set ORT_DISABLE_TELEMETRY otherwise.

    From release 1.32 it numbers the machine in a file of the user's cache and sends events over the network.
    Raises ImportError.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when the library is loaded
    import onnxruntime

    return onnxruntime


def open_session(
    graph: KnownFile, weights: KnownFile, *, threads: int, content: bytes | None = None
) -> InferenceSession:
    """Open a session with this number of threads per operator, of the graph's file or of other content for it.

    Raises:
        SettingError: onnxruntime is not installed.
        ModelError: the graph cannot be used, or a file was replaced since it was hashed.
    """
    try:
        onnxruntime = _library()
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime":
            wrong = "is not installed. Install it"
        else:
            wrong = f"cannot be loaded ({reason_of(error)}). Install it again"
        raise SettingError(f"ONNX Runtime {wrong} with: pip install onnxruntime.", remedy="take-torch") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as exceptions
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads sleep, since decoding needs the processors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Images differ in size, so memory plans cached per size would accumulate.
    options.enable_mem_pattern = False
    model, stored = content or graph.read_bytes(), weights.read_bytes()
    try:
        # Use the weights that were checked, with links in the Hub's cache resolved.
        options.add_external_initializers_from_files_in_memory([weights.path.name], [stored], [len(stored)])
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(
            f"{graph.path} cannot be used by ONNX Runtime ({reason_of(error)}). Download or copy the folder again."
        ) from error
