"""Origin of the rows of a part: the model, and what computed with it. Both must be the same in all parts of a job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.scoring.feature_formats import METADATA_KEY
from shamisa_cli.core.scoring.provenance import reading_in

NOT_OF_THE_MODEL = ("name", "model", "division", "computed_by")
"""Keys of a `ScoreSource` or `FeatureSource`: the model's name, since its folder may be renamed, and other things."""
SAME_EVERYWHERE = "Use the same packages and the same kind of device on all machines"


@dataclass(frozen=True)
class MadeBy:
    """Origin of the rows of a part, as its metadata record it.

    Attributes:
        model: model, probe and settings as JSON text.
        computed_by: runtime, kind of device, way of reading and versions of packages as text; see
            `core.scoring.provenance`. Empty in parts of early versions.
    """

    model: str
    computed_by: str

    @classmethod
    def of_source(cls, source: Mapping[str, Any]) -> MadeBy:
        """The origin in the record of a table."""
        model = {key: value for key, value in source.items() if key not in NOT_OF_THE_MODEL}
        return cls(json.dumps(model, sort_keys=True), str(source.get("computed_by", "")))

    @classmethod
    def of_metadata(cls, metadata: Mapping[bytes, bytes]) -> MadeBy:
        """The origin in the metadata of a schema."""
        return cls.of_source(json.loads(metadata[METADATA_KEY.encode()]))

    def require_same_model(self, name: str, started: MadeBy) -> None:
        """Check that a worker has the model, and the way of reading, of the machine that started the job.

        That machine computes no rows, so it may have no GPU, and other packages.

        Args:
            name: of the model, for the message.
            started: of the machine that started the job.

        Raises:
            ModelError: the model or the way of reading differs.
        """
        here, there = (reading_in(one.computed_by) for one in (self, started))
        if here != there:
            raise ModelError(
                f"This machine has a version of shamisa that reads pictures in another way ({here}) than the one where "
                f"the job was started ({there}). Install the same version on all machines."
            )
        if self.model != started.model:
            raise ModelError(
                f"The model {name}, or the version of shamisa, on this machine differs from the one where the job was "
                "started. Install the same on all machines."
            )
