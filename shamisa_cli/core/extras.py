"""Optional packages: errors that name a missing package and how to install it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shamisa_cli.core.errors import SettingError

PYTORCH = ("torch", "torchvision", "timm")


@contextmanager
def needs_pytorch(feature: str) -> Iterator[None]:
    """Context for all imports of PyTorch modules in other code.

    Args:
        feature: the feature that needs PyTorch, as the subject of the message: "training".

    Raises:
        SettingError: PyTorch is not installed. A broken installation raises its own ImportError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name in PYTORCH:
            raise SettingError(
                f"{feature[:1].upper()}{feature[1:]} needs PyTorch. Install it with: pip install 'shamisa[train]'."
            ) from error
        raise
