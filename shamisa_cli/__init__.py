"""Image quality scores: the public Python API.

    import shamisa_cli as shamisa

    model = shamisa.load_model()
    for record in shamisa.score(["photos/"], model=model):
        print(record.path, record.score)
    for candidate in shamisa.compare("original.png", ["a.jpg", "b.jpg"]).candidates:
        print(candidate.path, candidate.score, candidate.groups)

Nothing heavy is imported before one of these names is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shamisa_cli._version import __version__

if TYPE_CHECKING:
    from shamisa_cli.core.api import compare, cull, embed, rank, score, score_map, serve
    from shamisa_cli.core.cluster.ray_job import run_on_ray
    from shamisa_cli.core.cluster.row_makers import JobSettings
    from shamisa_cli.core.cluster.store import open_parts
    from shamisa_cli.core.culling.decisions import CullRule, Decision
    from shamisa_cli.core.culling.groups import GroupSettings, group_records
    from shamisa_cli.core.culling.journal import Transfer
    from shamisa_cli.core.culling.sidecars import SidecarResult, write_sidecars
    from shamisa_cli.core.culling.transfers import (
        TransferResult,
        plan_transfers,
        transfer_files,
        undo_transfers,
    )
    from shamisa_cli.core.distortions.degrading import degrade
    from shamisa_cli.core.errors import (
        CacheError,
        ImageError,
        InputNotFoundError,
        ModelError,
        ModelWarning,
        MosTableError,
        SettingError,
        ShamisaError,
        TrainingError,
    )
    from shamisa_cli.core.fitting.checkpoints import RunEvaluation, evaluate_run
    from shamisa_cli.core.fitting.defects import FittedDefects, fit_defects
    from shamisa_cli.core.fitting.direction import FittedDirection, fit_direction
    from shamisa_cli.core.fitting.evaluation import ModelEvaluation, evaluate
    from shamisa_cli.core.fitting.probe import FittedProbe, fit_probe
    from shamisa_cli.core.fitting.protocols import (
        CrossEvaluation,
        ProtocolEvaluation,
        evaluate_across,
        evaluate_by_protocol,
    )
    from shamisa_cli.core.fitting.recipe import ProbeSettings
    from shamisa_cli.core.images.decoding import DecodedImage, decode
    from shamisa_cli.core.images.discovery import discover
    from shamisa_cli.core.images.kinds import IMAGE_SUFFIXES
    from shamisa_cli.core.models.catalogue import ModelDescription, ModelEntry, describe_model, installed_models
    from shamisa_cli.core.models.hub_upload import Upload
    from shamisa_cli.core.models.loading import Model, load_model, load_relational_model
    from shamisa_cli.core.models.transfer import pull_model, push_model
    from shamisa_cli.core.networks.tensors import TensorScorer
    from shamisa_cli.core.networks.torchmetric import ShamisaScore
    from shamisa_cli.core.probe.mos_table import MosTable, read_mos_table
    from shamisa_cli.core.records import ErrorRecord, GateFinding, GroupPlace, ImageRecord, JobResult, ModelIdentity
    from shamisa_cli.core.relational.judgement import Comparer, PairResult
    from shamisa_cli.core.relational.ranking_records import Ranked, Ranking
    from shamisa_cli.core.relational.records import Candidate, Comparison
    from shamisa_cli.core.scoring.cache import Cache
    from shamisa_cli.core.scoring.pipeline import score_files
    from shamisa_cli.core.scoring.resumable import score_to_file
    from shamisa_cli.core.scoring.score_columns import ScoreRecords
    from shamisa_cli.core.scoring.score_map import ScoreMap
    from shamisa_cli.core.scoring.serving import Answer
    from shamisa_cli.core.training.run import RunSettings, train

__all__ = [
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
    "ModelWarning",
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

_HOMES = {
    "Answer": "shamisa_cli.core.scoring.serving",
    "Cache": "shamisa_cli.core.scoring.cache",
    "CacheError": "shamisa_cli.core.errors",
    "Candidate": "shamisa_cli.core.relational.records",
    "Comparer": "shamisa_cli.core.relational.judgement",
    "Comparison": "shamisa_cli.core.relational.records",
    "CrossEvaluation": "shamisa_cli.core.fitting.protocols",
    "CullRule": "shamisa_cli.core.culling.decisions",
    "Decision": "shamisa_cli.core.culling.decisions",
    "DecodedImage": "shamisa_cli.core.images.decoding",
    "ErrorRecord": "shamisa_cli.core.records",
    "FittedDefects": "shamisa_cli.core.fitting.defects",
    "FittedDirection": "shamisa_cli.core.fitting.direction",
    "FittedProbe": "shamisa_cli.core.fitting.probe",
    "GateFinding": "shamisa_cli.core.records",
    "GroupPlace": "shamisa_cli.core.records",
    "GroupSettings": "shamisa_cli.core.culling.groups",
    "IMAGE_SUFFIXES": "shamisa_cli.core.images.kinds",
    "ImageError": "shamisa_cli.core.errors",
    "ImageRecord": "shamisa_cli.core.records",
    "InputNotFoundError": "shamisa_cli.core.errors",
    "JobResult": "shamisa_cli.core.records",
    "JobSettings": "shamisa_cli.core.cluster.row_makers",
    "Model": "shamisa_cli.core.models.loading",
    "ModelDescription": "shamisa_cli.core.models.catalogue",
    "ModelEntry": "shamisa_cli.core.models.catalogue",
    "ModelError": "shamisa_cli.core.errors",
    "ModelEvaluation": "shamisa_cli.core.fitting.evaluation",
    "ModelIdentity": "shamisa_cli.core.records",
    "ModelWarning": "shamisa_cli.core.errors",
    "MosTable": "shamisa_cli.core.probe.mos_table",
    "MosTableError": "shamisa_cli.core.errors",
    "PairResult": "shamisa_cli.core.relational.judgement",
    "ProbeSettings": "shamisa_cli.core.fitting.recipe",
    "ProtocolEvaluation": "shamisa_cli.core.fitting.protocols",
    "Ranked": "shamisa_cli.core.relational.ranking_records",
    "Ranking": "shamisa_cli.core.relational.ranking_records",
    "RunEvaluation": "shamisa_cli.core.fitting.checkpoints",
    "RunSettings": "shamisa_cli.core.training.run",
    "ScoreMap": "shamisa_cli.core.scoring.score_map",
    "ScoreRecords": "shamisa_cli.core.scoring.score_columns",
    "SettingError": "shamisa_cli.core.errors",
    "ShamisaError": "shamisa_cli.core.errors",
    "ShamisaScore": "shamisa_cli.core.networks.torchmetric",
    "SidecarResult": "shamisa_cli.core.culling.sidecars",
    "TensorScorer": "shamisa_cli.core.networks.tensors",
    "TrainingError": "shamisa_cli.core.errors",
    "Transfer": "shamisa_cli.core.culling.journal",
    "TransferResult": "shamisa_cli.core.culling.transfers",
    "Upload": "shamisa_cli.core.models.hub_upload",
    "compare": "shamisa_cli.core.api",
    "cull": "shamisa_cli.core.api",
    "decode": "shamisa_cli.core.images.decoding",
    "degrade": "shamisa_cli.core.distortions.degrading",
    "describe_model": "shamisa_cli.core.models.catalogue",
    "discover": "shamisa_cli.core.images.discovery",
    "embed": "shamisa_cli.core.api",
    "evaluate": "shamisa_cli.core.fitting.evaluation",
    "evaluate_across": "shamisa_cli.core.fitting.protocols",
    "evaluate_by_protocol": "shamisa_cli.core.fitting.protocols",
    "evaluate_run": "shamisa_cli.core.fitting.checkpoints",
    "fit_defects": "shamisa_cli.core.fitting.defects",
    "fit_direction": "shamisa_cli.core.fitting.direction",
    "fit_probe": "shamisa_cli.core.fitting.probe",
    "group_records": "shamisa_cli.core.culling.groups",
    "installed_models": "shamisa_cli.core.models.catalogue",
    "load_model": "shamisa_cli.core.models.loading",
    "load_relational_model": "shamisa_cli.core.models.loading",
    "open_parts": "shamisa_cli.core.cluster.store",
    "plan_transfers": "shamisa_cli.core.culling.transfers",
    "pull_model": "shamisa_cli.core.models.transfer",
    "push_model": "shamisa_cli.core.models.transfer",
    "rank": "shamisa_cli.core.api",
    "read_mos_table": "shamisa_cli.core.probe.mos_table",
    "run_on_ray": "shamisa_cli.core.cluster.ray_job",
    "score": "shamisa_cli.core.api",
    "score_files": "shamisa_cli.core.scoring.pipeline",
    "score_map": "shamisa_cli.core.api",
    "score_to_file": "shamisa_cli.core.scoring.resumable",
    "serve": "shamisa_cli.core.api",
    "train": "shamisa_cli.core.training.run",
    "transfer_files": "shamisa_cli.core.culling.transfers",
    "undo_transfers": "shamisa_cli.core.culling.transfers",
    "write_sidecars": "shamisa_cli.core.culling.sidecars",
}

_MADE_BY_USERS = {
    "Cache", "CullRule", "GroupSettings", "JobSettings", "ProbeSettings", "RunSettings", "ShamisaScore", "TensorScorer",
}  # fmt: skip
"""Classes whose arguments are checked; those of records, which come out of functions, are not."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    value = _with_checked_arguments(name, value)
    globals()[name] = value
    return value


def _with_checked_arguments(name: str, value: Any) -> Any:
    """A public function, or a class that users make instances of, that says what is wrong with its arguments."""
    from types import FunctionType

    from shamisa_cli.core.arguments import checked

    if isinstance(value, FunctionType):
        return checked(value, name, __getattr__)
    if name in _MADE_BY_USERS and not hasattr(value.__init__, "__wrapped__"):
        value.__init__ = checked(value.__init__, name, __getattr__)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
