"""Loading of models by name, ready to embed, score or compare."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from shamisa_cli.core.encoder.embedder import Embedder
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.extras import needs_pytorch
from shamisa_cli.core.models import probe_files
from shamisa_cli.core.models.direction_files import read_direction
from shamisa_cli.core.models.folder import ModelFolder, require_same_encoder, revision_of
from shamisa_cli.core.models.manifest import PROBE_MANIFEST
from shamisa_cli.core.models.resolver import DEFAULT_MODEL, DEFAULT_RELATIONAL, resolve
from shamisa_cli.core.models.runtimes import RuntimeChoice, choose_runtime, load_embedder
from shamisa_cli.core.probe.defects import DefectProbe
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational.config import RelationalConfig

if TYPE_CHECKING:  # scoring would wait .3 s for SciPy, which comparing needs
    from shamisa_cli.core.relational.direction.direction import Direction
    from shamisa_cli.core.relational.judgement import RelationalNetworks
    from shamisa_cli.core.relational.pair_comparer import PairComparer


@dataclass(frozen=True, eq=False)
class Model:
    """An encoder, with the probe that turns its features into scores if there is one.

    Attributes:
        identity: name and revision; org/name and the commit for one from the Hub, otherwise the first 12 digits of a
            SHA-256 over every file that scores depend on: configuration, weights, graph and probes.
        encoder: the frozen encoder, in its runtime and on its device.
        probe: None for a model that can embed but not score.
        encoder_fingerprint: SHA-256 in hex over the encoder's configuration and weights; a probe names it.
        defects: the defect probe; None for a model without one.
        folder: folder that the model was read from.
    """

    identity: ModelIdentity
    encoder: Embedder
    probe: Probe | None
    encoder_fingerprint: str
    defects: DefectProbe | None = None
    folder: ModelFolder[EncoderConfig] | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.identity.name

    @property
    def revision(self) -> str:
        """The model's revision."""
        return self.identity.revision

    @property
    def encoder_digest(self) -> str:
        """SHA-256 in hex over all that features depend on: configuration, weights and graph."""
        return self.encoder_fingerprint if self.folder is None else self.folder.digest

    @cached_property
    def network(self) -> Embedder:
        """The encoder as a torch module (a `TorchEncoder`), for score maps and gradients; loaded on first use.

        Raises:
            ModelError: the weights cannot be read, or were replaced since the model was loaded.
            SettingError: PyTorch is not installed.
        """
        with needs_pytorch("looking inside an encoder"):
            from shamisa_cli.core.networks.model_folders import as_torch_encoder
        return as_torch_encoder(self.encoder, self.folder)


def load_model(
    name: str = DEFAULT_MODEL,
    *,
    probe: str | None = None,
    offline: bool = False,
    device: str = "auto",
    runtime: RuntimeChoice = "auto",
    on_demand: bool = False,
) -> Model:
    """Load a model by name, with the probe in its folder or another one.

    Args:
        name: a bundled name, the path of a model folder, or hf:org/name[@revision].
        probe: where another probe is, named the same ways; None takes the model's own, if it has one.
        offline: make no request to the Hub.
        device: auto (CUDA, else MPS, else CPU), cpu, cuda, cuda:N or mps.
        runtime: auto (the fastest for the device), torch or onnx; see `load_embedder`.
        on_demand: load the encoder with the first image that needs it, and only then check that the probes match.

    Raises:
        ModelError: there is no model of that name, a folder is damaged, the probe was fitted on another encoder, or
            the device does not exist. Files are parsed only after their SHA-256 was checked; of those that are read
            later, such as an encoder on demand, it is checked again where they were touched since.
        SettingError: the runtime is unknown, not installed, or not available for the device.
    """
    resolved = resolve(name, offline=offline)
    folder = ModelFolder.open(resolved, EncoderConfig)
    regressor, other = None, None
    if probe is not None:
        other = resolve(probe, offline=offline).files
        regressor = probe_files.read_probe(other)
    elif folder.files.holds(PROBE_MANIFEST):
        regressor = probe_files.read_probe(folder.files)
    defects = probe_files.read_defects(folder.files)
    for probe_read in (regressor, defects):
        if probe_read is not None:
            require_same_encoder(probe_read, folder.fingerprint, f"the encoder of {folder.name}")
    encoder = load_embedder(folder, runtime, device, on_demand=on_demand)
    for probe_read in (regressor, defects):
        if not on_demand and probe_read is not None:
            _require_length("probe", len(probe_read.feature_mean), encoder, folder.name)
    # Also of a model from the Hub: what is read later, as a direction, is then held against these files.
    revision = revision_of(folder.digest, folder.files, other)
    identity = folder.identity
    if resolved.source != "hub":
        identity = ModelIdentity(identity.name, revision)
    return Model(identity, encoder, regressor, folder.fingerprint, defects, folder)


def load_relational_model(
    name: str = DEFAULT_RELATIONAL,
    *,
    scorer: str = DEFAULT_MODEL,
    offline: bool = False,
    device: str = "auto",
    runtime: RuntimeChoice = "auto",
) -> PairComparer:
    """Load what compares two images: relational networks, and a model whose encoder tells which is the better one.

    Args:
        name: of the relational model: a bundled name, the path of a model folder, or hf:org/name[@revision].
        scorer: the model that scores, named the same ways.
        offline, device, runtime: as for `load_relational_networks` and `load_model`.

    Raises:
        ModelError: a name leads nowhere, a folder is damaged or holds no such model, or the device is not there.
        SettingError: the runtime is not known, not installed, or not for the device.
    """
    from shamisa_cli.core.relational.pair_comparer import PairComparer

    networks = load_relational_networks(name, offline=offline, device=device, runtime=runtime)
    model = load_model(scorer, offline=offline, device=device, runtime=runtime)
    return PairComparer.of(networks, load_direction(model), model.identity)


def load_direction(model: Model) -> Direction:
    """The direction in a model's folder; where there is none, that of its scores.

    Raises:
        ModelError: the direction is damaged or was fitted on another encoder, or the model has neither.
    """
    from shamisa_cli.core.relational.direction.direction import LearnedDirection, ScoreDirection

    head = None if model.folder is None else read_direction(model.folder.files)
    if head is not None:
        require_same_encoder(head, model.encoder_fingerprint, f"the encoder of {model.name}")
        _require_length("direction", len(head.feature_mean), model.encoder, model.name)
        return LearnedDirection(model.encoder, head, model.probe)
    if model.probe is None:
        raise ModelError(
            f"The model {model.name} cannot tell which of two images is better: it has neither a direction nor a "
            "probe. Fit one of them."
        )
    return ScoreDirection(model.encoder, model.probe)


def _require_length(part: str, length: int, encoder: Embedder, name: str) -> None:
    if length != encoder.feature_length:
        raise ModelError(
            f"The {part} reads {length} features, but the encoder of {name} gives {encoder.feature_length}. "
            f"Fit the {part} again."
        )


def load_relational_networks(
    name: str = DEFAULT_RELATIONAL, *, offline: bool = False, device: str = "auto", runtime: RuntimeChoice = "auto"
) -> RelationalNetworks:
    """Load relational networks, which draw signed maps, by name.

    Args:
        name: a bundled name, the path of a model folder, or hf:org/name[@revision].
        offline: make no request to the Hub.
        device: auto (CUDA, else MPS, else CPU), cpu, cuda, cuda:N or mps.
        runtime: auto (ONNX Runtime on a CPU where the folder has graphs, else torch), torch or onnx.

    Raises:
        ModelError: a name leads nowhere, a folder is damaged or holds no such model, or the device is not there.
        SettingError: the runtime is not known, not installed, or not for the device.
    """
    folder = ModelFolder.open(resolve(name, offline=offline), RelationalConfig)
    chosen, place = choose_runtime(runtime, device, exported=folder.exported)
    if chosen == "onnx":
        from shamisa_cli.core.relational.onnx_networks import OnnxComparer

        if not folder.exported:
            raise ModelError(
                f"The model {folder.name} has no graphs for ONNX Runtime. Make them with: "
                f"shamisa models export {folder.path}"
            )
        return OnnxComparer.load(folder.identity, folder.graphs, folder.weights, folder.fingerprint)
    with needs_pytorch("comparing"):
        from shamisa_cli.core.networks.comparer import RelationalComparer
        from shamisa_cli.core.networks.model_folders import choose_device, load_networks
    return RelationalComparer(folder.identity, load_networks(folder, choose_device(place)))
