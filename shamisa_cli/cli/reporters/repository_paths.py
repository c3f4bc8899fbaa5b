"""Paths of images for CI systems: relative to the root of the repository, with forward slashes."""

from __future__ import annotations

import os
from pathlib import Path


def in_repository(path: str) -> str:
    """`path` relative to the workspace of a GitHub job, or to the current folder anywhere else.

    An image outside of it keeps its absolute path, since no service could show it.
    """
    root = os.path.realpath(os.environ.get("GITHUB_WORKSPACE") or ".")
    # The folder's links are resolved, the picture's own is not: the repository has the link.
    folder, name = os.path.split(path)
    absolute = Path(os.path.realpath(folder or "."), name)
    return (absolute.relative_to(root) if absolute.is_relative_to(root) else absolute).as_posix()
