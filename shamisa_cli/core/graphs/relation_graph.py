"""Relation graph of a batch: all branches, their fusion, and the alignment of the prototypes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from shamisa_cli.core.errors import SettingError, TrainingError
from shamisa_cli.core.graphs.crops import CropTable
from shamisa_cli.core.graphs.fusion import BranchWeights, fuse
from shamisa_cli.core.graphs.metadata import (
    Decay,
    reference_distorted,
    reference_reference,
    same_degradation,
    within_family,
)
from shamisa_cli.core.graphs.sparse import SparseGraph
from shamisa_cli.core.graphs.structure import (
    NEIGHBOURS,
    PROTOTYPES,
    TEMPERATURE,
    Prototypes,
    Reach,
    alignment_gain,
    nearest_neighbours,
    prototype_affinity,
    sinkhorn,
)

Branch = Literal[
    "same_degradation",
    "reference_distorted",
    "reference_reference",
    "within_family",
    "nearest_neighbours",
    "prototypes",
]
Weighting = Literal["statistics", "trained", "none"]

BRANCHES: tuple[Branch, ...] = get_args(Branch)
METADATA: dict[Branch, Callable[[CropTable, Decay], SparseGraph]] = {
    "same_degradation": lambda nodes, _: same_degradation(nodes),
    "reference_distorted": reference_distorted,
    "reference_reference": lambda nodes, _: reference_reference(nodes),
    "within_family": within_family,
}
COEFFICIENTS: Mapping[Branch, float] = {  # paper, metadata and structure graphs
    "same_degradation": 0.601,
    "reference_distorted": 0.804,
    "reference_reference": 0.577,
    "within_family": 0.179,
    "nearest_neighbours": 0.209,
    "prototypes": 0.367,
}
ALIGNMENT = 0.4906  # coefficient of the prototypes' alignment loss (paper, structure graphs)


@dataclass(frozen=True)
class RelationSettings:
    """Branches of the relation graph and their weights. The defaults are the paper's.

    Attributes:
        branches: the branches that are on, at least one; kept in the order of `BRANCHES`.
        hardened: True turns every branch's weights into 0 or 1 before fusion.
        decay: how a difference in severity becomes a weight: exp(−3Δ/4) or 1/(1 + Δ/4).
        weighting: "statistics" weights branches by `BranchWeights`, "trained" also passes their gradient, "none" uses
            the coefficients alone.
        neighbours: k ≥ 1 of the nearest-neighbour graph.
        prototypes: P ≥ 2, number of prototypes.
        centred: True compares prototypes with representations less the batch's mean, not as they are (ours).
        prototype_reach: among which entries the prototype graph keeps the strongest: all of the "batch", or each "row".
        coefficients: the fixed factor ≥ 0 of each branch.
        alignment: factor ≥ 0 of the prototypes' alignment loss, which includes pairs of the same distortion only
            while the branch "same_degradation" is on.

    Raises:
        SettingError: a value that cannot be used.
    """

    branches: tuple[Branch, ...] = BRANCHES
    hardened: bool = False
    decay: Decay = "exponential"
    weighting: Weighting = "statistics"
    neighbours: int = NEIGHBOURS
    prototypes: int = PROTOTYPES
    centred: bool = False
    prototype_reach: Reach = "batch"
    coefficients: Mapping[Branch, float] = field(default_factory=lambda: dict(COEFFICIENTS), hash=False)
    alignment: float = ALIGNMENT

    def __post_init__(self) -> None:
        unknown = set(self.branches) - set(BRANCHES)
        if unknown or not self.branches:
            raise SettingError(
                f"The relation branches are {tuple(self.branches)}; name at least one of {', '.join(BRANCHES)}."
            )
        for name, choices in (("decay", Decay), ("weighting", Weighting), ("prototype_reach", Reach)):
            if getattr(self, name) not in get_args(choices):
                raise SettingError(
                    f"relations.{name} is {getattr(self, name)!r}; it can be {', '.join(get_args(choices))}."
                )
        if self.neighbours < 1 or self.prototypes < 2:
            raise SettingError(
                f"{self.neighbours} neighbours and {self.prototypes} prototypes were asked for; "
                "there must be at least 1 neighbour and 2 prototypes."
            )
        if set(self.coefficients) != set(BRANCHES) or min(*self.coefficients.values(), self.alignment) < 0:
            raise SettingError(
                f"The relation coefficients are {dict(self.coefficients)} and {self.alignment} for alignment; "
                "there must be one for every branch, and none below 0."
            )
        object.__setattr__(self, "branches", tuple(name for name in BRANCHES if name in self.branches))


@dataclass(frozen=True)
class RelationOutput:
    """Relations between the crops of a batch (SHAMISA, arXiv 2603.13669, graph fusion).

    Attributes:
        graph: (N, N), G, the fused graph over the crops: float32 weights ≥ 0 above the diagonal, 0 elsewhere. The
            structure branches' share carries gradient to h and to the prototypes.
        alignment: scalar ≥ 0, loss that trains prototypes and encoder; 0 when the prototypes are off.
        branch_weights: (K,) weights of the active branches in the order of `branches`; sum 1, or each 1 where branches
            are not weighted; no gradient unless they are trained.
        branches: the active branches' directed graphs (N, N) before coefficients and fusion, hardened if that is set.
    """

    graph: Tensor
    alignment: Tensor
    branch_weights: Tensor
    branches: dict[str, Tensor]


class RelationGraph(nn.Module):
    """Builds the relation graph of a batch from the engine's record and the current representations.

    Args:
        feature_dim: length of a representation h.
        settings: the paper's when None.
    """

    coefficients: Tensor

    def __init__(self, feature_dim: int, settings: RelationSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or RelationSettings()
        branches, weighting = len(self.settings.branches), self.settings.weighting
        self.weigh = None if weighting == "none" else BranchWeights(branches, trained=weighting == "trained")
        self.prototypes = (
            Prototypes(feature_dim, self.settings.prototypes, centred=self.settings.centred)
            if "prototypes" in self.settings.branches
            else None
        )
        factors = torch.tensor([self.settings.coefficients[name] for name in self.settings.branches])
        self.register_buffer("coefficients", factors, persistent=False)  # so that it moves to the device of the graphs

    def forward(self, nodes: CropTable, h: Tensor) -> RelationOutput:
        """The relations of one batch.

        Args:
            nodes: the engine's record, N rows. It may stay on the CPU: the metadata graphs are then built
                there, without waiting for a GPU, and moved.
            h: (N, dim), unit L2 norm, any floating type; computed in float32 even under autocast.

        Raises:
            TrainingError: `nodes` and `h` differ in length.
        """
        if len(nodes) != len(h):
            raise TrainingError(
                f"The batch's record has {len(nodes)} crops and its representations {len(h)}; they must be the same."
            )
        with torch.autocast(h.device.type, enabled=False):
            metadata = self._metadata(nodes, h.device)
            graphs = {name: graph.to_dense() for name, graph in metadata.items()}
            alignment = h.new_zeros((), dtype=torch.float32)
            if "nearest_neighbours" in self.settings.branches:
                graphs["nearest_neighbours"] = nearest_neighbours(h, self.settings.neighbours).float()
            if self.prototypes is not None:
                like = metadata.get("same_degradation", SparseGraph.empty(len(h), h.device))
                graphs["prototypes"], alignment = self._transport(self.prototypes(h), like)
            if self.settings.hardened:
                graphs = {name: (graph > 0).to(graph.dtype) for name, graph in graphs.items()}
            scaled = self.coefficients[:, None, None] * torch.stack(list(graphs.values()))
            weights = scaled.new_ones(len(scaled)) if self.weigh is None else self.weigh(scaled)
            return RelationOutput(fuse(scaled, weights), alignment, weights, graphs)

    def _metadata(self, nodes: CropTable, device: torch.device) -> dict[str, SparseGraph]:
        active = [name for name in METADATA if name in self.settings.branches]
        return {name: METADATA[name](nodes, self.settings.decay).to(device) for name in active}

    def _transport(self, logits: Tensor, same_degradation: SparseGraph) -> tuple[Tensor, Tensor]:
        log_p = (logits / TEMPERATURE).log_softmax(dim=1)
        gain = alignment_gain(log_p, sinkhorn(logits), same_degradation)
        affinity = prototype_affinity(log_p, reach=self.settings.prototype_reach)
        return affinity.float(), -0.5 * self.settings.alignment * gain
