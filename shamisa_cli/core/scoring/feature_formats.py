"""Readers and writers of features as Parquet, npz and safetensors, and the stamps of the files they come from."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shamisa_cli.core.arrays import Features
from shamisa_cli.core.errors import PARSE_ERRORS, ModelError, SettingError
from shamisa_cli.core.scoring.unpacking import require_room_for_npz, require_room_for_parquet

if TYPE_CHECKING:
    import pyarrow as pa


METADATA_KEY = "shamisa"

MAX_SAFETENSORS_HEADER = 100_000_000
"""Largest header in bytes; the format's readers refuse a longer one."""

READ_ERRORS = (
    OSError, *PARSE_ERRORS, KeyError, TypeError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile,
)  # fmt: skip
"""Errors that readers raise for damaged files and for files of other formats."""


FARTHEST = 2**63 - 1
"""Nanoseconds that tables hold, 292 years; clocks that are wrong, and archives, give files later dates."""


def within_tables(nanoseconds: int) -> int:
    """A time in nanoseconds, or the nearest one that tables can hold."""
    return max(-FARTHEST, min(nanoseconds, FARTHEST))


@dataclass(frozen=True)
class FileStamp:
    """A file and its state: an image with an equal stamp need not be embedded again.

    Attributes:
        path: path of the file; in tables as valid Unicode, see `portable`.
        size: size in bytes.
        mtime: time of the last change in nanoseconds, at most `FARTHEST` from 1970.
    """

    path: str
    size: int
    mtime: int

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """The stamp of a file in the form of tables. Raises OSError if it does not exist."""
        return cls.of_openable(path).portable()

    @classmethod
    def of_openable(cls, path: Path) -> FileStamp:
        """The stamp of a file, with the path that opens it. Raises OSError if it does not exist."""
        status = path.stat()
        return cls(str(path), status.st_size, within_tables(status.st_mtime_ns))

    def portable(self) -> FileStamp:
        """The stamp in the form of tables: bytes of the name that are not UTF-8 become backslash escapes."""
        return replace(self, path=portable(self.path))


@dataclass(frozen=True)
class FeatureSource:
    """Model and preprocessing that produced a table of features.

    Attributes:
        encoder_fingerprint: fingerprint of the encoder; a probe is valid for features of an equal one only.
        model: name of the model, for people.
        preprocessing: JSON values of the preprocessing that was used, `view_size` included.
        encoder_digest: SHA-256 in hex over all that features depend on, the graph included; "" in tables that older
            versions wrote, which match no model.
        computed_by: all else that numbers depend on, as text; see `core.scoring.provenance`.
        division: for a table that is one part of several, the record of which; see `core.cluster.division`.
    """

    encoder_fingerprint: str
    model: str
    preprocessing: Mapping[str, Any]
    encoder_digest: str = ""
    computed_by: str = ""
    division: Mapping[str, Any] | None = None

    def matches(self, other: FeatureSource) -> bool:
        """Whether both produce the same features for the same image, but for rounding."""
        return (
            _plain(self.preprocessing) == _plain(other.preprocessing)
            and self.encoder_fingerprint == other.encoder_fingerprint
            and self.encoder_digest == other.encoder_digest
        )

    def made_alike(self, other: FeatureSource) -> bool:
        """Whether both produce the same bytes, so that their rows may stand in one table."""
        return self.matches(other) and self.computed_by == other.computed_by

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(
            {
                "encoder_fingerprint": self.encoder_fingerprint,
                "model": self.model,
                "preprocessing": self.preprocessing,
                "encoder_digest": self.encoder_digest,
                "computed_by": self.computed_by,
            }
            | ({} if self.division is None else {"division": self.division})
        )

    @classmethod
    def from_json(cls, text: str) -> FeatureSource:
        """Read what `to_json` wrote. Raises ValueError, TypeError or KeyError on anything else."""
        data = json.loads(text)
        made = (data.get("encoder_digest", ""), data.get("computed_by", ""))
        origin = cls(data["encoder_fingerprint"], data["model"], dict(data["preprocessing"]), *made)
        if not all(isinstance(text, str) for text in (origin.encoder_fingerprint, origin.model, *made)):
            raise TypeError("the fingerprint and the name of the model must be text")
        return origin


def portable(path: str) -> str:
    """The path as valid Unicode: bytes of a file name that are not UTF-8 become backslash escapes."""
    return path.encode("utf-8", "backslashreplace").decode()


def features_schema(length: int, origin: FeatureSource) -> pa.Schema:
    """Columns and metadata of a Parquet table of features, D = `length`."""
    import pyarrow as pa

    columns = {"path": pa.string(), "size": pa.int64(), "mtime": pa.int64()}
    columns["features"] = pa.list_(pa.float32(), length)
    return pa.schema(columns, metadata={METADATA_KEY: origin.to_json()})


def arrow_features(stamps: Sequence[FileStamp], block: Features, schema: pa.Schema) -> pa.Table:
    """Features (n, D) of n files as an Arrow table with a `features_schema`."""
    import pyarrow as pa

    columns = [
        pa.array([stamp.path for stamp in stamps], pa.string()),
        pa.array([stamp.size for stamp in stamps], pa.int64()),
        pa.array([stamp.mtime for stamp in stamps], pa.int64()),
        pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), schema.field("features").type.list_size),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _foreign(path: Path, reason: object) -> ModelError:
    return ModelError(
        f"{path} is damaged or was not written by shamisa embed ({reason}). Make it again with: shamisa embed."
    )


def _stamps(paths: Sequence[str], sizes: Sequence[int], mtimes: Sequence[int]) -> tuple[FileStamp, ...]:
    rows = zip(paths, sizes, mtimes, strict=True)
    return tuple(FileStamp(str(path), int(size), int(mtime)) for path, size, mtime in rows)


def _plain(values: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(values))


_Contents = tuple[tuple[FileStamp, ...], Features, FeatureSource]


def _write_parquet(
    target: Path, stamps: Sequence[FileStamp], length: int, blocks: Iterable[Features], origin: FeatureSource
) -> None:
    import pyarrow.parquet as pq

    schema = features_schema(length, origin)
    done = 0
    with pq.ParquetWriter(target, schema, use_dictionary=False) as writer:
        for block in blocks:
            rows = stamps[done : done + len(block)]
            writer.write_table(arrow_features(rows, block, schema))
            done += len(block)


def _read_parquet(path: Path) -> _Contents:
    import pyarrow as pa
    import pyarrow.parquet as pq

    require_room_for_parquet(path)
    table = pq.read_table(path, columns=["path", "size", "mtime", "features"], partitioning=None)
    origin = FeatureSource.from_json(table.schema.metadata[METADATA_KEY.encode()].decode())
    kind = table.schema.field("features").type
    if not pa.types.is_fixed_size_list(kind):
        raise TypeError(f"its features have the type {kind}")
    values = table["features"].combine_chunks()
    features = np.asarray(values.flatten()).reshape(len(table), kind.list_size)
    stamps = _stamps(*(table[name].to_pylist() for name in ("path", "size", "mtime")))
    return stamps, features, origin


def _source_of_parquet(path: Path) -> str:
    import pyarrow.parquet as pq

    return str(pq.read_schema(path).metadata[METADATA_KEY.encode()].decode())


def _write_npz(
    target: Path, stamps: Sequence[FileStamp], length: int, blocks: Iterable[Features], origin: FeatureSource
) -> None:
    small = {
        "paths": np.array([stamp.path for stamp in stamps], dtype=np.str_),
        "sizes": np.array([stamp.size for stamp in stamps], dtype=np.int64),
        "mtimes": np.array([stamp.mtime for stamp in stamps], dtype=np.int64),
        METADATA_KEY: np.array(origin.to_json(), dtype=np.str_),
    }
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(stamps), length)}
    with zipfile.ZipFile(target, "w") as archive:
        for name, values in small.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
        with archive.open("features.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            for block in blocks:
                member.write(block.astype("<f4").tobytes())


def _read_npz(path: Path) -> _Contents:
    require_room_for_npz(path)
    with np.load(path, allow_pickle=False) as archive:
        origin = FeatureSource.from_json(str(archive[METADATA_KEY]))
        stamps = _stamps(*(archive[name].tolist() for name in ("paths", "sizes", "mtimes")))
        return stamps, archive["features"], origin


def _source_of_npz(path: Path) -> str:
    require_room_for_npz(path)
    with np.load(path, allow_pickle=False) as archive:
        return str(archive[METADATA_KEY])


def _write_safetensors(
    target: Path, stamps: Sequence[FileStamp], length: int, blocks: Iterable[Features], origin: FeatureSource
) -> None:
    # The library needs the whole tensor in memory; the format is a length, a JSON header and the values.
    shape = [len(stamps), length]
    metadata = {
        METADATA_KEY: origin.to_json(),
        "paths": json.dumps([stamp.path for stamp in stamps]),
        "sizes": json.dumps([stamp.size for stamp in stamps]),
        "mtimes": json.dumps([stamp.mtime for stamp in stamps]),
    }
    tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * shape[0] * shape[1]]}
    header = json.dumps({"__metadata__": metadata, "features": tensor}).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > MAX_SAFETENSORS_HEADER:
        raise SettingError(f"{len(stamps)} paths are too many for a safetensors file; write .parquet instead.")
    with target.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for block in blocks:
            file.write(block.astype("<f4").tobytes())


def _read_safetensors(path: Path) -> _Contents:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            origin = FeatureSource.from_json(metadata[METADATA_KEY])
            stamps = _stamps(*(json.loads(metadata[name]) for name in ("paths", "sizes", "mtimes")))
            return stamps, file.get_tensor("features"), origin
    except SafetensorError as error:
        raise ValueError(error) from error


def _source_of_safetensors(path: Path) -> str:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return str((file.metadata() or {})[METADATA_KEY])
    except SafetensorError as error:
        raise ValueError(error) from error


@dataclass(frozen=True)
class _Format:
    write: Callable[[Path, Sequence[FileStamp], int, Iterable[Features], FeatureSource], None]
    read: Callable[[Path], _Contents]
    source: Callable[[Path], str]


_FORMATS = {
    ".parquet": _Format(_write_parquet, _read_parquet, _source_of_parquet),
    ".npz": _Format(_write_npz, _read_npz, _source_of_npz),
    ".safetensors": _Format(_write_safetensors, _read_safetensors, _source_of_safetensors),
}
