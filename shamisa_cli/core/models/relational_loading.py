"""A name in, a relational model ready to compare out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shamisa_cli.core.models import hub
from shamisa_cli.core.models.devices import choose_device
from shamisa_cli.core.models.folder import REVISION_DIGITS
from shamisa_cli.core.models.relational_files import read_relational
from shamisa_cli.core.models.resolver import DEFAULT_RELATIONAL, resolve

if TYPE_CHECKING:
    from shamisa_cli.core.relational.network import RelationalModel


@dataclass(frozen=True)
class Relational:
    """A model that compares pictures.

    Attributes:
        name: what the model is called; org/name for one from the Hub.
        revision: the commit for one from the Hub, otherwise the first 12 digits of the fingerprint.
        network: frozen, in evaluation mode, on its device.
    """

    name: str
    revision: str
    network: RelationalModel


def load_relational_model(name: str = DEFAULT_RELATIONAL, *, offline: bool = False, device: str = "auto") -> Relational:
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
    return Relational(
        name=hub.HubName.parse(name).repository if from_hub else folder.name,
        revision=folder.path.name if from_hub else folder.fingerprint[:REVISION_DIGITS],
        network=folder.load(target),
    )
