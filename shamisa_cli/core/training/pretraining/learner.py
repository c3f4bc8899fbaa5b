"""The trained module: a backbone whose pooled stages form h, a projector from h to z, and the relation graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.graphs.crops import CropTable
from shamisa_cli.core.graphs.relation_graph import RelationGraph, RelationOutput
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.training.batchnorm import synchronise_batchnorm
from shamisa_cli.core.training.distributed import World
from shamisa_cli.core.training.pretraining.config import TrainingConfig
from shamisa_cli.core.training.pretraining.retention import stage_means

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
AUTOCAST_DEVICES = {"bf16": ("cuda", "cpu"), "fp16": ("cuda",)}


@dataclass(frozen=True)
class Representation:
    """Representations of n crops.

    Attributes:
        retained: pooled means, float32 (n, C_k), one for each of the stages that retention compares; none where
            there is no retention.
        h: float32 (n, Σ C_k), unit L2 norm.
    """

    retained: list[Tensor]
    h: Tensor


@dataclass(frozen=True)
class LearnerOutput:
    """Output of the learner for a batch; N counts the related crops of all processes.

    Attributes:
        retained: as in `Representation`, of all crops of this process.
        h: float32 (N, Σ C_k), unit L2 norm.
        z: float32 (N, D).
        relations: between the N crops.
    """

    retained: list[Tensor]
    h: Tensor
    z: Tensor
    relations: RelationOutput


def concatenate_normalised(stages: Sequence[Tensor]) -> Tensor:
    """Unit-norm each stage's pooled means (N, C_k), concatenate them, and unit-norm the whole."""
    return F.normalize(torch.cat([F.normalize(stage, dim=1) for stage in stages], dim=1), dim=1)


class Learner(nn.Module):
    """Backbone, projector and relations of one run, initialised from `config.seed`.

    Stages after the last one that is used are not trained.

    Args:
        config: the run's settings.
        weights: the backbone's state to start from; None keeps its random initialisation.
        world: the processes that train together; this one alone when None.

    Raises:
        SettingError: the settings name stages that the architecture does not have.
    """

    def __init__(
        self, config: TrainingConfig, weights: Mapping[str, Tensor] | None, world: World | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.world = world or World()
        self._compared = config.stages_to_retain if config.retention else ()
        torch.manual_seed(config.seed)
        self.backbone = build_backbone(config.architecture)
        self._check_stages()
        if weights is not None:
            self.backbone.load_state_dict(dict(weights))
        channels = self.backbone.stage_channels
        length = sum(channels[stage] for stage in config.representation_stages)
        self.heads = nn.ModuleDict(
            {
                "projector": Projector(length, config.projector_hidden, config.projector_out),
                "relations": RelationGraph(length, config.relations),
            }
        )
        last = max(stage % len(channels) for stage in (*config.representation_stages, *self._compared))
        stages = self.backbone.stage_modules()
        for stage in (*stages[: config.frozen_stages], *stages[last + 1 :]):
            stage.requires_grad_(False)
        if config.channels_last:
            self.backbone.to(memory_format=torch.channels_last)
        if self.world.size > 1 and not config.freeze_batchnorm:
            synchronise_batchnorm(self.backbone, self.world)
        self._stage_means = torch.compile(stage_means) if config.compile else stage_means
        self.train()

    @property
    def projector(self) -> Projector:
        """h → z."""
        projector = self.heads["projector"]
        assert isinstance(projector, Projector)
        return projector

    def train(self, mode: bool = True) -> Learner:
        """Set train mode, except for batch-norm statistics that the settings freeze."""
        super().train(mode)
        stages = self.backbone.stage_modules()
        for stage in stages if self.config.freeze_batchnorm else stages[: self.config.frozen_stages]:
            for module in stage.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, pixels: Tensor, nodes: CropTable, *, calibrate: bool = False) -> LearnerOutput:
        """Compute all inputs of a batch's loss.

        Args:
            pixels: (n + K, 3, H, W), normalised: this process's part of the related crops, then K others.
            nodes: the record of the related crops of all processes, size·n rows.
            calibrate: whether to scale the projector on these crops first.
        """
        references, own_crops = self.config.batch.references, len(nodes) // self.world.size
        seen = self.represent(*pixels.tensor_split((references, own_crops)))
        own = seen.h[:own_crops]
        h = self.world.gathered_crops(own, references)
        if calibrate:
            self.projector.calibrate(h.detach())
            self.world.share(self.projector)
        z = self.world.gathered_crops(self.project(own), references)
        return LearnerOutput(seen.retained, h, z, self.relate(nodes, h))

    def represent(self, *passes: Tensor) -> Representation:
        """Groups of normalised pixels, (n_k, 3, H, W) each, → the representations of all groups, concatenated.

        Each group passes the encoder, and so its batch norm, separately (paper: references and distorted crops).
        Under autocast if the settings say so.
        """
        wanted = (*self.config.representation_stages, *self._compared)
        with self._autocast(passes[0].device):
            by_pass = [self._stage_means(self.backbone, pixels, wanted) for pixels in passes if len(pixels)]
        means = [torch.cat(stage) for stage in zip(*by_pass, strict=True)]
        count = len(self.config.representation_stages)
        return Representation(means[count:], concatenate_normalised(means[:count]))

    def project(self, h: Tensor) -> Tensor:
        """h (N, dim) → z (N, D) in float32."""
        with self._autocast(h.device):
            return self.projector(h).float()  # type: ignore[no-any-return]

    def relate(self, nodes: CropTable, h: Tensor) -> RelationOutput:
        """Compute the relations between the crops of a batch."""
        return self.heads["relations"](nodes, h)  # type: ignore[no-any-return]

    def _autocast(self, device: torch.device) -> torch.autocast:
        enabled = device.type in AUTOCAST_DEVICES.get(self.config.amp, ())
        return torch.autocast(device.type, dtype=AUTOCAST.get(self.config.amp), enabled=enabled)

    def _check_stages(self) -> None:
        count = len(self.backbone.stage_channels)
        named = {
            "representation_stages": self.config.representation_stages,
            "retention_stages": self.config.stages_to_retain,
            "features.stages": self.config.features.stages if self.config.features else (),
        }
        for name, stages in named.items():
            for stage in stages:
                if not -count <= stage < count:
                    raise SettingError(
                        f"{name} names stage {stage}; {self.config.architecture} has stages 0 to {count - 1}."
                    )
        if self.config.frozen_stages > count:
            raise SettingError(
                f"frozen_stages is {self.config.frozen_stages}; {self.config.architecture} has {count} stages."
            )


class Projector(nn.Module):
    """Two linear layers with a ReLU between (paper: 2048 → 3072 → 768); the output is not normalised.

    Args:
        in_dim: length of a representation h.
        hidden: width of the layer between.
        out: D, length of z.
    """

    def __init__(self, in_dim: int, hidden: int, out: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_dim, hidden)
        self.second = nn.Linear(hidden, out)

    def forward(self, h: Tensor) -> Tensor:
        """(N, in_dim) → (N, out)."""
        z: Tensor = self.second(torch.relu(self.first(h)))
        return z

    @torch.no_grad()
    def calibrate(self, h: Tensor) -> None:
        """Rescale both layers so that their initial outputs for `h` (N, in_dim) are centred with unit variance.

        h has unit norm, so torch's default initialisation gives z a standard deviation near 0.01, a plateau
        that plain gradient descent takes thousands of steps to leave.
        """
        _whiten_scale(self.first, h)
        _whiten_scale(self.second, torch.relu(self.first(h)))


def _whiten_scale(layer: nn.Linear, inputs: Tensor) -> None:
    """Shift a layer, and scale it by one factor, so that its outputs have mean 0 and mean variance 1."""
    outputs = layer(inputs).float()
    scale = outputs.var(dim=0).mean().clamp_min(1e-12).rsqrt().to(layer.weight.dtype)
    layer.weight.mul_(scale)
    layer.bias.sub_(outputs.mean(dim=0).to(layer.bias.dtype)).mul_(scale)
