"""The state of PyTorch that other code in the process may have changed, as PyTorch ships it for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.process_state import WhileInside

_DRAWING = threading.Lock()


@contextmanager
def sole_random_numbers(devices: Sequence[torch.device] = ()) -> Iterator[None]:
    """Context, or decorator, of drawing from PyTorch's generators, which belong to the process, and are put back.

    Raises SettingError while another thread is in one: each would get other numbers than those of its seed.
    """
    if not _DRAWING.acquire(blocking=False):
        raise SettingError(
            "A training or fit runs in this process already, and PyTorch's random numbers belong to all of it. Wait, "
            "or start another process."
        )
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        _DRAWING.release()


@contextmanager
def as_torch_ships() -> Iterator[None]:
    """Context, or decorator, in which tensors are float32 on the CPU unless told otherwise, and gradients are computed.

    A default type or device, inference mode, disabled gradients or autocast of the caller would else change what is
    computed, or end it. The default type is that of the whole process; the others are this thread's.
    """
    cpu = torch.device("cpu")
    # In a context of a device each operation is slower, so there is none where it would change nothing.
    device = nullcontext() if _default_device() == cpu else cpu
    autocast = [torch.autocast(kind, enabled=False) for kind in ("cpu", "cuda")]
    with _float32, torch.inference_mode(False), torch.enable_grad(), autocast[0], autocast[1], device:
        yield


def _default_device() -> torch.device:
    try:
        return torch.get_default_device()
    except AttributeError:  # before PyTorch 2.7, where one was set and taken back
        return torch.device("cpu")


class _DefaultType(WhileInside):
    """Context in which the default type is float32, which is one for the whole process."""

    def __init__(self) -> None:
        super().__init__()
        self._before = torch.float32

    def put(self) -> None:
        if self._inside == 1:
            self._before = torch.get_default_dtype()
            torch.set_default_dtype(torch.float32)

    def take_back(self) -> None:
        torch.set_default_dtype(self._before)


_float32 = _DefaultType()
