"""Which parts of a picture are read (no torch here)."""

from __future__ import annotations

from shamisa_cli.core.encoder.spec import FeatureSpec

Box = tuple[int, int, int, int]
"""A part of a picture in pixels: top, left, height, width."""


def five_crop_boxes(height: int, width: int, size: int) -> list[Box]:
    """The four corner crops and the centre crop of a picture, `size` square or as large as the picture allows."""
    crop_height, crop_width = min(size, height), min(size, width)
    bottom, right = height - crop_height, width - crop_width
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    return [(top, left, crop_height, crop_width) for top, left in corners]


def boxes_read(height: int, width: int, spec: FeatureSpec) -> list[Box]:
    """The parts of a picture whose features are averaged: the whole, or five crops."""
    return [(0, 0, height, width)] if spec.crops is None else five_crop_boxes(height, width, spec.crop_size)
