"""The networks of a relational model behind the interface that comparing uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shamisa_cli.core.networks.scoring_network import RelationalModel
from shamisa_cli.core.networks.windows import relate
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational.judgement import NetworkResult


@dataclass(frozen=True)
class RelationalComparer:
    """`RelationalNetworks` that compute with PyTorch.

    Attributes:
        identity: name and revision of the model.
        network: frozen, in evaluation mode, on its device.
    """

    identity: ModelIdentity
    network: RelationalModel

    def relate(self, a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> NetworkResult:
        """Compare two images, sRGB (H, W, 3) uint8 of one size: signed maps and a score; see `windows.relate`."""
        return relate(self.network, a, b)
