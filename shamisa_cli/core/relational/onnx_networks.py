"""The relational networks through ONNX Runtime and NumPy (does not import torch).

Three graphs do the convolutions: of one image, of a pair, and the head. What is odd in the order of a pair is computed
between them, once in each order, so that swapping two images flips every sign exactly and equal ones give exact zeros.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shamisa_cli.core.arrays import Pixels
from shamisa_cli.core.encoder.onnx_encoder import FINGERPRINT
from shamisa_cli.core.encoder.onnx_sessions import computed, open_session
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.known_files import KnownFile
from shamisa_cli.core.machine import available_cpus
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relational.judgement import Maps, NetworkResult
from shamisa_cli.core.relational.records import HEAD_GRAPH, MAPS, PAIR_GRAPH, STRIDE, TRUNK_GRAPH
from shamisa_cli.core.relational.scoring import PairMaps, histogram_comb_difference, level_counts, score
from shamisa_cli.core.relational.tiling import WINDOW_PIXELS, mirrored, windows

HALO = "halo"
"""Metadata key of the pixels around a window that its maps depend on."""

Array = NDArray[np.float32]
SCORING_WEIGHTS = ("scoring.hidden.weight", "scoring.out.weight", "scoring.direct.weight")


@dataclass(frozen=True)
class OnnxComparer:
    """`RelationalNetworks` on the CPU through ONNX Runtime.

    Attributes:
        identity: name and revision of the model.
        graphs: the files of the graphs by their names in `GRAPHS`.
        weights: the safetensors file that the graphs refer to.
    """

    identity: ModelIdentity
    graphs: Mapping[str, KnownFile]
    weights: KnownFile

    @classmethod
    def load(
        cls, identity: ModelIdentity, graphs: Mapping[str, KnownFile], weights: KnownFile, fingerprint: str
    ) -> OnnxComparer:
        """Open the graphs of the networks with this fingerprint.

        Raises:
            SettingError: onnxruntime is not installed.
            ModelError: a graph cannot be read, or was made from other networks.
        """
        comparer = cls(identity, graphs, weights)
        for name, session in comparer._sessions.items():
            if session.get_modelmeta().custom_metadata_map.get(FINGERPRINT) != fingerprint:
                raise ModelError(
                    f"{graphs[name].path} was made from other networks than those beside it. Make it again with: "
                    f"shamisa models export {weights.path.parent}"
                )
        _ = comparer._halo
        return comparer

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, also in another process, opens the files anew."""
        return type(self), (self.identity, self.graphs, self.weights)

    def maps(self, a: Pixels, b: Pixels) -> Maps:
        """Signed maps of two images, sRGB (H, W, 3) of one size; see `RelationalNetworks`."""
        return self._related(a, b).maps()

    def relate(self, a: Pixels, b: Pixels) -> NetworkResult:
        """The same and a score; see `RelationalNetworks`."""
        related = self._related(a, b)
        maps = related.maps()
        combs = histogram_comb_difference(level_counts(a), level_counts(b))
        return NetworkResult(maps, score(related, maps, combs, self._scoring))

    def _related(self, a: Pixels, b: Pixels) -> PairMaps:
        """Output of the distortion network for a pair, (…, ⌈H/8⌉, ⌈W/8⌉); of a large one window by window."""
        assert a.shape == b.shape
        height, width = a.shape[:2]
        a, b = mirrored(a), mirrored(b)
        rows, columns = a.shape[0] // STRIDE, a.shape[1] // STRIDE
        whole = PairMaps(*(np.empty((count, rows, columns), np.float32) for count in (len(MAPS), 1, 1)))
        for y, x in windows(a.shape[0], a.shape[1], WINDOW_PIXELS, self._halo):
            seen = [np.ascontiguousarray(side[y.first : y.last, x.first : x.last]) for side in (a, b)]
            found = self._pair_maps(*seen).part(
                _places(y.start - y.first, y.stop - y.first), _places(x.start - x.first, x.stop - x.first)
            )
            place = whole.part(_places(y.start, y.stop), _places(x.start, x.stop))
            for there, here in zip(place.arrays, found.arrays, strict=True):
                there[...] = here
        return whole.part(slice(math.ceil(height / STRIDE)), slice(math.ceil(width / STRIDE)))

    def _pair_maps(self, a: Pixels, b: Pixels) -> PairMaps:
        """`DistortionNetwork.relate`: the head in both orders, and their difference and sum."""
        seen_a, seen_b = self._trunk(a), self._trunk(b)
        pair = {f"a_{name}": value for name, value in seen_a.items() if name not in ("first", "second")}
        pair |= {f"b_{name}": value for name, value in seen_b.items() if name not in ("first", "second")}
        change, odd = computed(self._sessions[PAIR_GRAPH], ["change", "odd"], pair)
        forth = self._head(seen_a["first"], seen_b["second"], change + odd)
        back = self._head(seen_b["first"], seen_a["second"], change - odd)
        even = np.logaddexp(np.float32(0), (forth + back)[-2:])  # softplus
        return PairMaps((forth - back)[:-2], even[:1], even[1:])

    def _trunk(self, pixels: Pixels) -> dict[str, Array]:
        session = self._sessions[TRUNK_GRAPH]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, computed(session, list(names), {"pixels": pixels}), strict=True))

    def _head(self, first: Array, second: Array, change: Array) -> Array:
        fed = {"first": first, "second": second, "change": change}
        values = computed(self._sessions[HEAD_GRAPH], ["entries"], fed)
        entries: Array = values[0][0]
        return entries

    @cached_property
    def _sessions(self) -> dict[str, Any]:
        return {name: open_session(file, self.weights, threads=available_cpus()) for name, file in self.graphs.items()}

    @cached_property
    def _halo(self) -> int:
        said = self._sessions[TRUNK_GRAPH].get_modelmeta().custom_metadata_map.get(HALO, "")
        if not (said.isascii() and said.isdigit() and len(said) < 6):
            raise ModelError(f"{self.graphs[TRUNK_GRAPH].path} does not say how far it sees. Export the model again.")
        return int(said)

    @cached_property
    def _scoring(self) -> tuple[Array, Array, Array]:
        from safetensors.numpy import load

        stored = load(self.weights.read_bytes())
        hidden, out, direct = (stored[name] for name in SCORING_WEIGHTS)
        return hidden, out, direct


def _places(start: int, stop: int) -> slice:
    return slice(start // STRIDE, stop // STRIDE)
