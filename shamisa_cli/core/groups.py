"""The seven groups of distortions and the range of severities (imports neither NumPy nor torch)."""

from __future__ import annotations

from typing import Literal, get_args

Group = Literal["blur", "colour", "compression", "noise", "brightness", "spatial", "contrast"]
GROUPS: tuple[Group, ...] = get_args(Group)

MAX_SEVERITY = 4.0
"""Severity runs from 0 (mildest documented value) to 4 (strongest), one unit per anchor (paper, distortion engine)."""
