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
    """The parts that are read of a picture's copy at one scale, in its own pixels: the whole, or five crops."""
    return [(0, 0, height, width)] if spec.crops is None else five_crop_boxes(height, width, spec.crop_size)


def copy_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Height and width in pixels of a picture's copy at `scale`, above 0 and at most 1; at least one pixel each."""
    return max(1, round(height * scale)), max(1, round(width * scale))


def box_in_picture(box: Box, copy: tuple[int, int], picture: tuple[int, int]) -> Box:
    """Where a part of a copy lies in the picture, to the nearest pixel.

    Args:
        box: in pixels of the copy.
        copy, picture: height and width of both.
    """
    top, left, height, width = box
    rows, columns = picture[0] / copy[0], picture[1] / copy[1]
    first_row, first_column = round(top * rows), round(left * columns)
    return (
        first_row,
        first_column,
        round((top + height) * rows) - first_row,
        round((left + width) * columns) - first_column,
    )
