"""Optional packages: what is missing, and how it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shamisa_cli.core.errors import SettingError

PYTORCH = ("torch", "torchvision", "timm")


@contextmanager
def needs_pytorch(feature: str) -> Iterator[None]:
    """The one way from light code into what imports PyTorch: import it inside this block.

    Args:
        feature: what needs it, as the subject of the sentence a person reads: "training".

    Raises:
        SettingError: PyTorch is not installed. One that is installed and broken raises its own ImportError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name in PYTORCH:
            raise SettingError(
                f"{feature[:1].upper()}{feature[1:]} needs PyTorch. Install it with: pip install 'shamisa[train]'."
            ) from error
        raise
