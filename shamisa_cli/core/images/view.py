"""The size at which a picture is read (does not import NumPy)."""

from __future__ import annotations

LEAST_SHARE = 4
"""The short side is not reduced below the view size divided by this, since a strip of 28 pixels hides blur."""
LONGEST = 8
"""… unless the long side would be longer than so many times the view size."""


def reduced_size(size: tuple[int, int], view_size: int | None) -> tuple[int, int]:
    """Width and height, in either order, of a picture at a view size in pixels; None keeps it as it is.

    The long side is reduced to the view size, that of pictures beyond 4:1 less far. No picture is enlarged.
    """
    if view_size is None or max(size) <= view_size:
        return size
    shape = max(size) / max(1, min(size))
    longest = view_size * min(max(1.0, shape / LEAST_SHARE), LONGEST)
    if max(size) <= longest:
        return size
    width, height = (max(1, round(side * longest / max(size))) for side in size)
    return width, height
