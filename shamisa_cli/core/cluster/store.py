"""Folders of parts, on this machine or in an object store; each part is complete or absent."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.cluster.division import read_division
from shamisa_cli.core.cluster.made_by import SAME_EVERYWHERE, MadeBy
from shamisa_cli.core.cluster.part_number import PartNumber
from shamisa_cli.core.cluster.retrying import as_os_errors, with_retries
from shamisa_cli.core.cluster.sources import SCHEME, file_system
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.scoring.feature_formats import METADATA_KEY
from shamisa_cli.core.scoring.provenance import differing
from shamisa_cli.core.scoring.score_table import arrow_errors
from shamisa_cli.core.scoring.unpacking import require_room_for_parquet

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as pads
    import pyarrow.parquet as pq

SUFFIX = ".parquet"
TRAILER = 8
"""Bytes."""
TAR_KEY = b"shamisa.tar"
"""Metadata key of a part that holds a tar: the tar's address, size and time of change."""

Metadata = Mapping[bytes, bytes]

T = TypeVar("T")


@dataclass(frozen=True)
class Store:
    """A folder of parts.

    Attributes:
        address: a folder, or an address that fsspec knows, such as s3://bucket/scores.
    """

    address: str

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the parts, sorted, as they were when this was first read."""
        files, root = self._files
        with as_os_errors(self.address):
            found = files.ls(root, detail=False) if files.exists(root) else []
        names = (PurePosixPath(path).name for path in found)
        return tuple(sorted(name for name in names if name.endswith(SUFFIX) and not name.startswith(".")))

    def footer(self, name: str) -> pq.FileMetaData | None:
        """Read the Parquet footer of a part: columns, number of rows, metadata. Returns None, and raises, as `read`."""
        import pyarrow.parquet as pq

        return self._parsed(name, _end, pq.read_metadata)

    def read(self, name: str) -> pa.Table | None:
        """Read a part; None if it is missing, damaged or unpacks to gigabytes. Raises OSError as `writing` does."""
        return self._parsed(name, lambda stream: stream.read(), _table)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Context with a temporary file that becomes the part of that name if the block ends without an error.

        In an object store it is one upload, which becomes visible once it is complete.

        Raises:
            OSError: the file cannot be written, or the store failed in several tries.
        """
        if SCHEME not in self.address:
            with replacing(Path(self.address) / name) as temporary:
                yield temporary
            return
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / name
            yield temporary
            with_retries(lambda: self._upload(temporary, name))

    def dataset(self) -> pads.Dataset:
        """Open all parts as one dataset of pyarrow, which reads no more than a query needs.

        Raises:
            ModelError: it is not a folder, or its parts are missing, damaged, twice there, or from different models.
        """
        import pyarrow.dataset as pads

        files, root = self._files
        with as_os_errors(self.address):
            is_file = files.isfile(root)
        if is_file:
            raise ModelError(f"{self.address} is a file; open_parts takes the folder of the parts.")
        paths = [f"{root}/{name}" for name in self.names]
        self._require_complete()
        noted = {name: self._metadata(name) for name in self.names}
        sources = {name: _source(each) for name, each in noted.items()}
        self._require_made_alike(sources)
        self._require_each_once(noted, sources)
        if len({_pictures_of(source) for source in sources.values()}) > 1:
            raise ModelError(
                f"The parts in {self.address} are of different pictures, or divided in different ways. Run all parts "
                "again with the same pictures, or into another folder."
            )
        return pads.dataset(paths, filesystem=files, format="parquet")

    def _require_made_alike(self, sources: Mapping[str, Mapping[str, Any]]) -> None:
        first, *others = self.names
        expected = MadeBy.of_source(sources[first])
        for name in others:
            made_by = MadeBy.of_source(sources[name])
            if made_by.model != expected.model:
                raise ModelError(
                    f"The parts in {self.address} were made by different models or settings. Run the whole job again "
                    "with one model and the same settings, into this folder or another."
                )
            if made_by != expected:
                one, other = differing(expected.computed_by, made_by.computed_by)
                raise ModelError(
                    f"The parts in {self.address} were computed differently: {first} by {one}; {name} by {other}. "
                    f"{SAME_EVERYWHERE}, and run the whole job again, into this folder or another."
                )

    def _require_each_once(self, noted: Mapping[str, Metadata], sources: Mapping[str, Mapping[str, Any]]) -> None:
        """Refuse a part under two names, and what is no part among parts: pictures would be there twice."""
        first: dict[object, str] = {}
        for name in self.names:
            division, number = read_division(sources[name]), PartNumber.of_file(name)
            own = (
                division.part if division else f"{number.index}/{number.count}" if number else noted[name].get(TAR_KEY)
            )
            if own is None and any(map(PartNumber.of_file, self.names)):
                raise ModelError(
                    f"{self.address} holds {name}, which is not a part of the job but may hold its pictures again. "
                    "Move it to another folder."
                )
            if own is not None and (before := first.setdefault(own, name)) != name:
                raise ModelError(
                    f"{before} and {name} in {self.address} are the same part, so their pictures are there twice. "
                    "Remove one of them."
                )

    def _metadata(self, name: str) -> Metadata:
        footer = self.footer(name)
        if footer is None:
            raise ModelError(f"The part {name} in {self.address} is damaged. Run it again.")
        found: Metadata = footer.schema.to_arrow_schema().metadata or {}
        return found

    def _parsed(self, name: str, fetch: Callable[[BinaryIO], bytes], parse: Callable[[Any], T]) -> T | None:
        """Fetch bytes of a part, with retries, and parse them once; None for a missing or damaged part."""
        import pyarrow as pa

        files, root = self._files

        def fetched() -> bytes:
            with as_os_errors(self.address), files.open(f"{root}/{name}", "rb") as stream:
                return fetch(stream)

        try:
            data = with_retries(fetched)
        except FileNotFoundError:
            return None
        try:
            with arrow_errors():
                return parse(pa.BufferReader(data))
        except ValueError:  # also pyarrow's own
            return None

    def _require_complete(self) -> None:
        if not self.names:
            raise ModelError(f"There is no part in {self.address}.", remedy="make-parts")
        shards = {shard for name in self.names if (shard := PartNumber.of_file(name)) is not None}
        counts = sorted({shard.count for shard in shards})
        if len(counts) > 1:
            raise ModelError(
                f"{self.address} holds parts of jobs of {' and of '.join(f'{count:,}' for count in counts)} parts, so "
                "pictures may be there twice. Move those of one job to another folder."
            )
        for count in counts:
            there = {shard.index for shard in shards if shard.count == count}
            missing = [index for index in range(1, count + 1) if index not in there]
            if missing:
                raise ModelError(
                    f"{len(missing):,} of {count:,} parts are missing in {self.address}, the first is "
                    f"{missing[0]}/{count}. Run those again."
                )

    def _upload(self, file: Path, name: str) -> None:
        files, root = self._files
        with as_os_errors(self.address):
            files.makedirs(root, exist_ok=True)
            files.put_file(str(file), f"{root}/{name}")

    @property
    def _files(self) -> tuple[Any, str]:
        return file_system(self.address)


def _source(metadata: Metadata) -> dict[str, Any]:
    source: dict[str, Any] = json.loads(metadata.get(METADATA_KEY.encode(), b"{}"))
    return source


def _pictures_of(source: Mapping[str, Any]) -> tuple[int, str] | None:
    """Number and digest of the pictures of all parts, as a part records them; None for parts of a job on Ray."""
    division = read_division(source)
    return None if division is None else (division.pictures, division.keys)


def _table(content: pa.BufferReader) -> pa.Table:
    import pyarrow.parquet as pq

    require_room_for_parquet(content)
    return pq.read_table(content)


def _end(stream: BinaryIO) -> bytes:
    """Read the footer of a Parquet file, which is followed by its length and four letters."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - TRAILER))
    length = int.from_bytes(stream.read(4), "little")
    stream.seek(max(0, size - TRAILER - length))
    return stream.read()


def open_parts(address: str | Path) -> pads.Dataset:
    """Open all parts that `--shard` or Ray wrote into a folder or an object store, as one dataset of pyarrow.

    Its `to_table(columns=…, filter=…)` and `to_batches()` read only the requested columns and rows.

    Raises:
        ModelError: it is not a folder, or its parts are missing, damaged, twice there, or from different models.
    """
    return Store(str(address)).dataset()
