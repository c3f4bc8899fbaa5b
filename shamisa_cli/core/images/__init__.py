"""From what a person names to pixels: which files are meant, and what is in them."""

from __future__ import annotations

from shamisa_cli.core.images.decoding import DecodedImage, decode
from shamisa_cli.core.images.discovery import discover, read_list

__all__ = ["DecodedImage", "decode", "discover", "read_list"]
