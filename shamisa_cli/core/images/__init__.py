"""From paths and patterns to pixels: finding and decoding image files."""

from __future__ import annotations

from shamisa_cli.core.images.decoding import DecodedImage, decode
from shamisa_cli.core.images.discovery import discover
from shamisa_cli.core.images.name_lists import read_list

__all__ = ["DecodedImage", "decode", "discover", "read_list"]
