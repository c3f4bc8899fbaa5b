"""The state of PyTorch that other code in the process may have changed, as PyTorch ships it for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


@contextmanager
def as_torch_ships() -> Iterator[None]:
    """Context, or decorator, in which tensors are float32 on the CPU unless told otherwise, and gradients are computed.

    A default type or device, inference mode, disabled gradients or autocast of the caller would else change what is
    computed, or end it. The default type is that of the whole process; the others are this thread's.
    """
    default, cpu = torch.get_default_dtype(), torch.device("cpu")
    torch.set_default_dtype(torch.float32)
    # In a context of a device each operation is slower, so there is none where it would change nothing.
    device = nullcontext() if torch.get_default_device() == cpu else cpu
    autocast = [torch.autocast(kind, enabled=False) for kind in ("cpu", "cuda")]
    try:
        with torch.inference_mode(False), torch.enable_grad(), autocast[0], autocast[1], device:
            yield
    finally:
        torch.set_default_dtype(default)
