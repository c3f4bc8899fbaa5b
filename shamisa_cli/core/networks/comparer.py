"""The networks of a relational model behind the interface that comparing uses."""

from __future__ import annotations

from dataclasses import dataclass

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.networks.windows import relate
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational.judgement import Maps, NetworkResult


@dataclass(frozen=True)
class RelationalComparer:
    """`RelationalNetworks` that compute with PyTorch.

    Attributes:
        identity: name and revision of the model.
        network: frozen, in evaluation mode, on its device.
    """

    identity: ModelIdentity
    network: RelationalModel

    def maps(self, a: Pixels, b: Pixels) -> Maps:
        """Signed maps of two images, sRGB (H, W, 3) uint8 of one size; see `windows.relate`."""
        return self.relate(a, b).maps

    def relate(self, a: Pixels, b: Pixels) -> NetworkResult:
        """The same and a score; see `windows.relate`."""
        return relate(self.network, a, b)
