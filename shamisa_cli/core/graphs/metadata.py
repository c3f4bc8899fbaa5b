"""Graphs from the metadata of each crop's distortions (SHAMISA, arXiv 2603.13669, metadata graphs).

Each graph connects pairs of crops that agree in some columns of the crop table and meet a condition, with a weight.
No N×N matrix is made: the work grows with the number of edges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from shamisa_cli.core.graphs.crops import CropTable
from shamisa_cli.core.graphs.sparse import SparseGraph

Decay = Literal["exponential", "reciprocal"]

SEVERITY_RANGE = 4.0  # severities run from 0 to 4 (paper, distortion engine)
DECAY_RATE = 3.0  # d(Δ) = exp(−3·Δ/4) (paper, metadata graphs)
FAMILY_ENTRIES = 4096  # directed entries kept within families, over the whole batch (paper, metadata graphs)

DECAYS: dict[Decay, Callable[[Tensor], Tensor]] = {
    "exponential": lambda gap: torch.exp(-DECAY_RATE * gap / SEVERITY_RANGE),
    "reciprocal": lambda gap: 1 / (1 + gap / SEVERITY_RANGE),
}


def same_degradation(nodes: CropTable) -> SparseGraph:
    """Different photographs with the same distortion: same sample, composition, level and scale; weight 1."""
    columns = (nodes.sample, nodes.composition, nodes.level, nodes.scale)
    i, j = _pairs_agreeing(_rows(~nodes.is_reference), *columns)
    other = nodes.photo[i] != nodes.photo[j]
    return _graph(i[other], j[other], torch.ones_like(nodes.severity[i[other]]), nodes)


def reference_distorted(nodes: CropTable, decay: Decay = "exponential") -> SparseGraph:
    """A view and each of its own distorted crops; weight d(s) of the distorted crop's severity s."""
    i, j = _pairs_agreeing(_rows(nodes.sample >= 0), nodes.sample, nodes.photo, nodes.scale)
    mixed = nodes.is_reference[i] != nodes.is_reference[j]
    i, j = i[mixed], j[mixed]
    severity = torch.where(nodes.is_reference[i], nodes.severity[j], nodes.severity[i])
    return _graph(i, j, DECAYS[decay](severity), nodes)


def reference_reference(nodes: CropTable) -> SparseGraph:
    """All pairs of references in the batch; weight 1."""
    i, j = _pairs_agreeing(_rows(nodes.is_reference))
    return _graph(i, j, torch.ones_like(nodes.severity[i]), nodes)


def within_family(nodes: CropTable, decay: Decay = "exponential", keep: int = FAMILY_ENTRIES // 2) -> SparseGraph:
    """Distorted crops of one sample and composition, any view, any level; weight d(|s_i − s_j|).

    Only the `keep` strongest pairs of the batch are kept, each of two directed entries; among equals the first in edge
    order are. In the paper's batch of 252 crops, with 3,480 such pairs, this limit applies.
    """
    i, j = _pairs_agreeing(_rows(~nodes.is_reference), nodes.sample, nodes.composition)
    gap = (nodes.severity[i] - nodes.severity[j]).abs()
    return _graph(i, j, DECAYS[decay](gap), nodes).strongest(keep)


def _graph(i: Tensor, j: Tensor, weight: Tensor, nodes: CropTable) -> SparseGraph:
    return SparseGraph.from_edges(i, j, weight, len(nodes))


def _rows(chosen: Tensor) -> Tensor:
    return chosen.nonzero()[:, 0]


def _pairs_agreeing(rows: Tensor, *columns: Tensor) -> tuple[Tensor, Tensor]:
    """Each pair i < j of the ascending `rows` that has equal entries in every column, once."""
    key = torch.zeros_like(rows)
    if len(rows):
        for column in (column[rows] for column in columns):
            key = key * (column.max() + 1) + column
    key, order = key.sort(stable=True)
    rows = rows[order]
    # In sorted order a group is a run: the k-th row pairs with each row between it and the end of its run.
    place = torch.arange(len(rows), device=rows.device)
    partners = torch.searchsorted(key, key, right=True) - place - 1
    first = place.repeat_interleave(partners)
    done = (partners.cumsum(0) - partners).repeat_interleave(partners)
    second = first + 1 + torch.arange(len(first), device=rows.device) - done
    return rows[first], rows[second]
