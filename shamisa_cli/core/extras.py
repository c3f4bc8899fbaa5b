"""Optional packages: what is missing, and how it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

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
            raise SettingError(_missing(feature, "PyTorch", "train")) from error
        raise


def require_pytorch(feature: str) -> None:
    """Refuse before any work what needs PyTorch. Raises SettingError where it is not installed."""
    if find_spec("torch") is None:
        raise SettingError(_missing(feature, "PyTorch", "train"))


def require_pyarrow(feature: str = "a Parquet file") -> None:
    """Refuse before any work what needs the package pyarrow. Raises SettingError where it is not installed."""
    if find_spec("pyarrow") is None:
        raise SettingError(_missing(feature, "pyarrow", "parquet"))


def missing_figure(figure: str) -> str | None:
    """The sentence on a figure that cannot be drawn without matplotlib; None where it can."""
    return None if find_spec("matplotlib") else _missing(figure, "matplotlib", "train")


def _missing(feature: str, package: str, extra: str) -> str:
    return f"{feature[:1].upper()}{feature[1:]} needs {package}. Install it with: pip install 'shamisa[{extra}]'."
