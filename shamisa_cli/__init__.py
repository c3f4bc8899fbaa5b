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

if TYPE_CHECKING:
    from shamisa_cli.core.api import compare, embed, rank, score, score_map
    from shamisa_cli.core.cluster.ray_job import run_on_ray
    from shamisa_cli.core.cluster.row_makers import Recipe
    from shamisa_cli.core.cluster.store import open_parts
    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.networks.tensors import TensorScorer
    from shamisa_cli.core.networks.torchmetric import ShamisaScore

__version__ = "0.1.0"

__all__ = [
    "Recipe",
    "ShamisaScore",
    "TensorScorer",
    "__version__",
    "compare",
    "embed",
    "load_model",
    "open_parts",
    "rank",
    "run_on_ray",
    "score",
    "score_map",
]

_HOMES = {
    "Recipe": "shamisa_cli.core.cluster.row_makers",
    "ShamisaScore": "shamisa_cli.core.networks.torchmetric",
    "TensorScorer": "shamisa_cli.core.networks.tensors",
    "compare": "shamisa_cli.core.api",
    "embed": "shamisa_cli.core.api",
    "load_model": "shamisa_cli.core.models.loading",
    "open_parts": "shamisa_cli.core.cluster.store",
    "rank": "shamisa_cli.core.api",
    "run_on_ray": "shamisa_cli.core.cluster.ray_job",
    "score": "shamisa_cli.core.api",
    "score_map": "shamisa_cli.core.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
