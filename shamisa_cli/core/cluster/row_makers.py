"""Rows that a job makes of its images: scores or features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, get_args

import numpy as np

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.models.resolver import DEFAULT_MODEL
from shamisa_cli.core.models.runtimes import RuntimeChoice
from shamisa_cli.core.scoring.feature_formats import FileStamp, arrow_features, features_schema
from shamisa_cli.core.scoring.resumable import feature_source
from shamisa_cli.core.scoring.score_table import ERROR, score_source, scores_schema, scores_table
from shamisa_cli.core.scoring.scorer import Embedding, ViewSize, image_record

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["scores", "features"]
EmbeddedFile = tuple[FileStamp, Embedding]


class RowMaker(Protocol):
    """Turns embedded pictures into rows of a Parquet table."""

    @property
    def model(self) -> Model:
        """The model that embeds the images."""

    @property
    def view_size(self) -> ViewSize:
        """View size at which images are embedded."""

    @property
    def rows_in_group(self) -> int:
        """Number of rows in a row group of the Parquet file."""

    @property
    def schema(self) -> pa.Schema:
        """Columns, and metadata that names the model and settings; rows may be mixed only if it is equal."""

    def rows(self, seen: Sequence[EmbeddedFile]) -> pa.Table:
        """Rows of some images."""

    def finished(self, table: pa.Table) -> pa.Table:
        """Rows of an earlier table with the same schema that are kept."""


@dataclass(frozen=True)
class ScoreRows:
    """One row per image: its score or its error."""

    model: Model
    view_size: ViewSize
    rows_in_group: ClassVar[int] = 4096

    @cached_property
    def schema(self) -> pa.Schema:
        """See `scores_schema`."""
        return scores_schema(score_source(self.model, self.view_size))

    def rows(self, seen: Sequence[EmbeddedFile]) -> pa.Table:
        """One row per image."""
        return scores_table([(stamp, image_record(self.model, embedding)) for stamp, embedding in seen], self.schema)

    def finished(self, table: pa.Table) -> pa.Table:
        """All rows but those of images that could not be read."""
        import pyarrow.compute as pc

        return table.filter(pc.field("status") != ERROR)


@dataclass(frozen=True)
class FeatureRows:
    """One row per readable image: its features."""

    model: Model
    view_size: ViewSize
    rows_in_group: ClassVar[int] = 64

    @cached_property
    def schema(self) -> pa.Schema:
        """See `features_schema`."""
        return features_schema(self.model.encoder.feature_length, feature_source(self.model, self.view_size))

    def rows(self, seen: Sequence[EmbeddedFile]) -> pa.Table:
        """One row per image that could be read."""
        found = [(stamp, embedding.features) for stamp, embedding in seen if embedding.features is not None]
        if not found:
            return self.schema.empty_table()
        return arrow_features([stamp for stamp, _ in found], np.stack([each for _, each in found]), self.schema)

    def finished(self, table: pa.Table) -> pa.Table:
        """All rows."""
        return table


@dataclass(frozen=True)
class JobSettings:
    """Settings from which a worker on another machine makes rows.

    Attributes:
        kind: "scores" or "features".
        model, probe: names, as for `load_model`; a folder must be there on every machine.
        view_size, max_pixels: as for `score_files`.
        device, runtime, offline: as for `load_model`.
        max_memory: bytes that pictures may take together while each worker decodes them; None: see `MemoryBudget`.
    """

    kind: Kind
    model: str = DEFAULT_MODEL
    probe: str | None = None
    view_size: ViewSize = "model"
    max_pixels: int = DEFAULT_MAX_PIXELS
    device: str = "auto"
    runtime: RuntimeChoice = "auto"
    offline: bool = False
    max_memory: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise SettingError(f"The kind is {self.kind!r}; it can be {' or '.join(get_args(Kind))}.")
        for name, most in {"max_pixels": self.max_pixels, "max_memory": self.max_memory}.items():
            if most is not None and most < 1:
                raise SettingError(f"{name} is {most}; it must be at least 1.")

    def loaded(self) -> Model:
        """The model. Raises what `load_model` raises."""
        return load_model(self.model, probe=self.probe, offline=self.offline, device=self.device, runtime=self.runtime)

    def maker(self, model: Model) -> RowMaker:
        """Build the row maker of this kind for a loaded model."""
        make: type[ScoreRows] | type[FeatureRows] = ScoreRows if self.kind == "scores" else FeatureRows
        return make(model, self.view_size)
