"""A name in, a model ready to embed and score out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from shamisa_cli.core.encoder.embedder import Embedder, LazyEncoder
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models import hub, probe_files
from shamisa_cli.core.models.folder import (
    REVISION_DIGITS,
    ModelFolder,
    load_defects,
    load_probe,
    read_model,
    require_same_encoder,
)
from shamisa_cli.core.models.relational_files import read_relational
from shamisa_cli.core.models.resolver import DEFAULT_MODEL, DEFAULT_RELATIONAL, resolve
from shamisa_cli.core.models.runtimes import RuntimeChoice, choose_device, load_embedder
from shamisa_cli.core.probe.defects import DefectProbe
from shamisa_cli.core.probe.ridge import Probe

if TYPE_CHECKING:
    from shamisa_cli.core.networks.encoder import TorchEncoder
    from shamisa_cli.core.networks.scoring_network import RelationalModel


@dataclass(frozen=True)
class Model:
    """An encoder, and the probe that turns its features into scores where there is one.

    Attributes:
        name: what the model is called; org/name for one from the Hub.
        revision: the commit for one from the Hub, otherwise the first 12 digits of the fingerprint.
        encoder: the frozen encoder, in the runtime and on the device it computes with.
        probe: None for a model that can embed but not score.
        encoder_fingerprint: SHA-256 in hex over the encoder's configuration and weights; a probe names it.
        defects: tells what is wrong with a picture; None for a model that cannot.
        folder: where the model was read.
    """

    name: str
    revision: str
    encoder: Embedder
    probe: Probe | None
    encoder_fingerprint: str
    defects: DefectProbe | None = None
    folder: ModelFolder | None = None

    @cached_property
    def network(self) -> TorchEncoder:
        """The encoder as a torch module, for what looks inside or differentiates; loaded when it is first needed.

        Raises ModelError as `ModelFolder.load_encoder` does.
        """
        from shamisa_cli.core.networks.encoder import TorchEncoder

        own = self.encoder
        if isinstance(own, LazyEncoder) and own.runtime == "torch":
            own = own.loaded()
        if isinstance(own, TorchEncoder):
            return own
        assert self.folder is not None
        return self.folder.load_encoder()


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
        on_demand: load the encoder with the first picture that needs it; whether the probes go with it is seen then.

    Raises:
        ModelError: a name leads nowhere, a folder is damaged, the probe was fitted on another encoder, or
            the device is not there. Files are parsed only after their SHA-256 was found right.
        SettingError: the runtime is not known, not installed, or not for the device.
    """
    folder = read_model(resolve(name, offline=offline))
    regressor = None
    if probe is not None:
        regressor = load_probe(resolve(probe, offline=offline))
    elif probe_files.holds_probe(folder.path):
        regressor = load_probe(folder.path)
    if regressor is not None:
        require_same_encoder(regressor, folder.fingerprint, f"the encoder of {folder.name}")
    defects = load_defects(folder.path)
    if defects is not None:
        require_same_encoder(defects, folder.fingerprint, f"the encoder of {folder.name}")
    encoder = load_embedder(folder, runtime, device, on_demand=on_demand)
    for probe_read in (regressor, defects):
        if not on_demand and probe_read is not None and len(probe_read.feature_mean) != encoder.feature_length:
            raise ModelError(
                f"The probe reads {len(probe_read.feature_mean)} features, and the encoder of {folder.name} gives "
                f"{encoder.feature_length}. Fit the probe again."
            )
    from_hub = hub.is_hub_name(name)
    return Model(
        name=hub.HubName.parse(name).repository if from_hub else folder.name,
        revision=folder.path.name if from_hub else folder.fingerprint[:REVISION_DIGITS],
        encoder=encoder,
        probe=regressor,
        encoder_fingerprint=folder.fingerprint,
        defects=defects,
        folder=folder,
    )


@dataclass(frozen=True)
class RelationalComparer:
    """A model that compares pictures.

    Attributes:
        name: what the model is called; org/name for one from the Hub.
        revision: the commit for one from the Hub, otherwise the first 12 digits of the fingerprint.
        network: frozen, in evaluation mode, on its device.
    """

    name: str
    revision: str
    network: RelationalModel


def load_relational_model(
    name: str = DEFAULT_RELATIONAL, *, offline: bool = False, device: str = "auto"
) -> RelationalComparer:
    """Load a relational model by name.

    Args:
        name: a bundled name, the path of a model folder, or hf:org/name[@revision].
        offline: make no request to the Hub.
        device: auto (CUDA, else MPS, else CPU), cpu, cuda, cuda:N or mps.

    Raises:
        ModelError: a name leads nowhere, a folder is damaged or holds no such model, or the device is not there.
    """
    target = choose_device(device)
    folder = read_relational(resolve(name, offline=offline))
    from_hub = hub.is_hub_name(name)
    return RelationalComparer(
        name=hub.HubName.parse(name).repository if from_hub else folder.name,
        revision=folder.path.name if from_hub else folder.fingerprint[:REVISION_DIGITS],
        network=folder.load(target),
    )
