"""The public names, so that none vanishes or slips in unseen."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import shamisa_cli

NAMES = [
    "IMAGE_SUFFIXES",
    "Answer",
    "Cache",
    "CacheError",
    "Candidate",
    "Comparer",
    "Comparison",
    "CrossEvaluation",
    "CullRule",
    "Decision",
    "DecodedImage",
    "ErrorRecord",
    "FittedDefects",
    "FittedDirection",
    "FittedProbe",
    "GateFinding",
    "GroupPlace",
    "GroupSettings",
    "ImageError",
    "ImageRecord",
    "InputNotFoundError",
    "JobResult",
    "JobSettings",
    "Model",
    "ModelDescription",
    "ModelEntry",
    "ModelError",
    "ModelEvaluation",
    "ModelIdentity",
    "MosTable",
    "MosTableError",
    "PairResult",
    "ProbeSettings",
    "ProtocolEvaluation",
    "Ranked",
    "Ranking",
    "RunEvaluation",
    "RunSettings",
    "ScoreMap",
    "ScoreRecords",
    "SettingError",
    "ShamisaError",
    "ShamisaScore",
    "SidecarResult",
    "TensorScorer",
    "TrainingError",
    "Transfer",
    "TransferResult",
    "Upload",
    "__version__",
    "compare",
    "cull",
    "decode",
    "degrade",
    "describe_model",
    "discover",
    "embed",
    "evaluate",
    "evaluate_across",
    "evaluate_by_protocol",
    "evaluate_run",
    "fit_defects",
    "fit_direction",
    "fit_probe",
    "group_records",
    "installed_models",
    "load_model",
    "load_relational_model",
    "open_parts",
    "plan_transfers",
    "pull_model",
    "push_model",
    "rank",
    "read_mos_table",
    "run_on_ray",
    "score",
    "score_files",
    "score_map",
    "score_to_file",
    "serve",
    "train",
    "transfer_files",
    "undo_transfers",
    "write_sidecars",
]


def test_the_public_names_are_these() -> None:
    assert shamisa_cli.__all__ == NAMES


@pytest.mark.parametrize(
    "pixels", [np.zeros((8, 8, 3), np.uint8), Image.new("RGB", (8, 8)), [Image.new("L", (8, 8))], 7]
)
def test_pixels_in_the_place_of_names_are_told_what_to_do(pixels: object) -> None:
    for function in (shamisa_cli.score, shamisa_cli.embed, shamisa_cli.cull):
        with pytest.raises(shamisa_cli.SettingError, match="Save pixels first"):
            function(pixels)
