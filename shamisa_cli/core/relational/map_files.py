"""Maps of many comparisons as PNG files: a folder for each candidate, none in the way of another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.relational.figures import changed, overall_map, overlay, side_by_side
from shamisa_cli.core.relational.records import ENDS, OVERALL, Candidate
from shamisa_cli.core.scoring.map_files import map_names

FIGURE = "figure"

Pixels = npt.NDArray[np.uint8]


class ComparisonMapWriter:
    """Draws each candidate it is told of: a `Watch` for `compare_with` and `compare_pairs`.

    In the candidate's folder come `overall.png`, `figure.png` and one for each group or axis that changed; those
    of an earlier run that did not change this time are taken away.

    Args:
        folder: gets the candidates' folders, named as the candidates are below what they have in common.
        candidates: all that may come.
    """

    def __init__(self, folder: Path, candidates: Sequence[Path]) -> None:
        self._folders = {name: folder / path.with_suffix("") for name, path in map_names(candidates).items()}

    def __call__(self, candidate: Candidate, reference: Pixels, pixels: Pixels) -> None:
        """Draw one compared candidate; each file appears when it is complete."""
        assert candidate.maps is not None
        folder = self._folders[candidate.path]
        drawn = {name: Image.fromarray(overlay(pixels, candidate.maps[name], name)) for name in changed(candidate.maps)}
        drawn[OVERALL] = overall_map(candidate, pixels)
        drawn[FIGURE] = side_by_side(candidate, reference, pixels)
        for name, picture in drawn.items():
            with replacing(folder / f"{name}.png") as temporary:
                picture.save(temporary, format="PNG")
        for name in set(ENDS) - set(drawn):
            (folder / f"{name}.png").unlink(missing_ok=True)
