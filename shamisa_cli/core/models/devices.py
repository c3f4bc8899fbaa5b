"""Where an encoder computes."""

from __future__ import annotations

import ctypes
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli.core.errors import ModelError

if TYPE_CHECKING:
    import torch

_DEVICE = re.compile(r"cpu|mps|cuda(:[0-9]{1,3})?")


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
