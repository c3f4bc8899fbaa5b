"""One of several processes that compute a metric together; its own module, so that a fresh process can import it."""

from __future__ import annotations

import pickle

import torch
from torch import Tensor

from shamisa_cli import ShamisaScore
from shamisa_cli.core.models.loading import Model


def compute(rank: int, world: int, folder: str, pickled: bytes) -> None:
    """Write what this process makes of its share of `batches` to FOLDER/RANK.pt: the whole, then each step."""
    model: Model
    batches: Tensor
    model, batches = pickle.loads(pickled)
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(f"{folder}/store", world)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=world)
    metric, on_step = ShamisaScore(model), ShamisaScore(model, dist_sync_on_step=True)
    steps = []
    for batch in batches[rank::world]:
        metric.update(batch)
        steps.append(on_step(batch).item())
    torch.save([metric.compute().item(), *steps], f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()
