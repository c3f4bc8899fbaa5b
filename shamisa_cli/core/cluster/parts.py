"""Parts of a job: their images, and how a part is written."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from shamisa_cli.core.cluster.part_number import PartNumber
from shamisa_cli.core.cluster.retrying import with_retries
from shamisa_cli.core.cluster.row_makers import EmbeddedFile, RowMaker
from shamisa_cli.core.cluster.sources import Content, Sources, is_tar, iter_tar, read_bytes
from shamisa_cli.core.cluster.store import TAR_KEY, Store
from shamisa_cli.core.encoder.embedder import embedded
from shamisa_cli.core.errors import ImageError, item_error
from shamisa_cli.core.images.decoding import DEFAULT_MAX_PIXELS, DecodedImage, decode
from shamisa_cli.core.records import JobResult
from shamisa_cli.core.scoring.feature_formats import FileStamp, portable
from shamisa_cli.core.scoring.pipeline import map_in_order
from shamisa_cli.core.scoring.score_table import stamps_in
from shamisa_cli.core.scoring.scorer import Embedding, effective_view_size, embedding_of

if TYPE_CHECKING:
    import pyarrow as pa

    from shamisa_cli.core.encoder.embedder import Embedder

ROWS_AT_ONCE = 64
READERS = 4
"""Threads that read and decode ahead, so that the encoder does not wait for a remote store."""
ERRORS_KEY = b"shamisa.errors"
"""Metadata key of a part that holds a tar: how many of its images could not be read, and sentences about some."""
MOST_ERRORS = 20
"""Most sentences about unreadable images that are kept for a part, and for a job."""
NAME_DIGITS = 12

PartItem = tuple[FileStamp, Content | None]
"""An image, and its bytes if they have been read."""


@dataclass(frozen=True)
class Part:
    """A part of the images, whose rows form one file.

    Attributes:
        name: name of the file. Every image belongs to one name, on every machine and in every run.
        sources: the images, or the one tar that holds them.
    """

    name: str
    sources: tuple[FileStamp, ...]

    @property
    def tar(self) -> FileStamp | None:
        """The tar that holds the part's images; None if they are files."""
        return self.sources[0] if len(self.sources) == 1 and is_tar(self.sources[0].path) else None

    def to_json(self) -> str:
        """The part as JSON text."""
        return json.dumps([self.name, [[stamp.path, stamp.size, stamp.mtime] for stamp in self.sources]])

    @classmethod
    def from_json(cls, text: str) -> Part:
        """Read what `to_json` wrote."""
        name, sources = json.loads(text)
        return cls(name, tuple(FileStamp(*stamp) for stamp in sources))


def split_into_parts(sources: Sources, count: int) -> list[Part]:
    """Divide images by name into `count` parts, some of which may be empty; each tar is a part of its own."""
    homes: dict[PartNumber, list[FileStamp]] = defaultdict(list)
    for stamp in sources.pictures:
        homes[PartNumber.for_image(stamp.path, count)].append(stamp)
    shards = [PartNumber(index, count) for index in range(1, count + 1)] if sources.pictures else []
    parts = [Part(shard.file_name, tuple(homes[shard])) for shard in shards]
    return parts + [Part(_tar_part_name(tar.path), (tar,)) for tar in sources.tars]


def write_part(
    part: Part, maker: RowMaker, store: Store, *, max_pixels: int = DEFAULT_MAX_PIXELS, readers: int = READERS
) -> JobResult:
    """Write a part unless it exists already; its file appears once it is complete.

    Rows of an earlier file are kept if they were made the same way and the image's address, size and time of change
    are unchanged; a tar counts as a whole. Writing a part again gives the same file for the same images.

    Args:
        readers: threads that read and decode; also how many images they may be ahead of the encoder.

    Raises:
        OSError: the store of the images, or of the parts, fails. Reading an image was tried several times; reading a
            tar, which is one stream, once.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = maker.schema if part.tar is None else _with_tar(maker.schema, part.tar)
    footer = store.footer(part.name)
    if footer is not None and not _alike(footer.schema.to_arrow_schema(), schema):
        footer = None
    if footer is not None and part.tar is not None and (part.tar.size or part.tar.mtime):
        return JobResult(footer.num_rows, footer.num_rows, *_noted(footer.metadata))
    old = None if footer is None else store.read(part.name)
    kept = schema.empty_table() if old is None else _wanted(maker.finished(old), part)
    known = set(stamps_in(kept))
    missing = [stamp for stamp in part.sources if stamp.portable() not in known]
    if old is not None and not missing and len(old) == len(kept):
        return JobResult(len(kept), len(kept))

    errors: list[str] = []
    rows = 0
    pictures: Iterable[PartItem] = ((stamp, None) for stamp in missing) if part.tar is None else iter_tar(part.tar)
    made = _made(pictures, maker, max_pixels, readers, errors)
    with store.writing(part.name) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for tables in _grouped(chain([kept], made), maker.rows_in_group):
            table = pa.concat_tables(tables).replace_schema_metadata(schema.metadata)
            writer.write_table(table)
            rows += len(table)
        noted = len(errors), tuple(errors[:MOST_ERRORS])
        if errors and part.tar is not None:  # other parts try theirs again
            writer.add_key_value_metadata({ERRORS_KEY: json.dumps(noted)})
    return JobResult(rows, len(kept), *noted)


def _noted(metadata: Mapping[bytes, bytes]) -> tuple[int, tuple[str, ...]]:
    """Read from a tar part's metadata how many images could not be read, and sentences about some."""
    unreadable, errors = json.loads(metadata.get(ERRORS_KEY, b"[0, []]"))
    return unreadable, tuple(errors)


def _alike(found: pa.Schema, schema: pa.Schema) -> bool:
    """Whether a file's rows fit the schema; names of list elements, which Parquet changes, are ignored."""
    return bool(found.equals(schema) and found.metadata == schema.metadata)


def _wanted(table: pa.Table, part: Part) -> pa.Table:
    """The earlier rows of images that are still in the part and unchanged."""
    import pyarrow as pa

    sources = {stamp.portable() for stamp in part.sources}
    rows = [row for row, stamp in enumerate(stamps_in(table)) if stamp in sources]
    return table.take(pa.array(rows, pa.int64()))


def _made(
    pictures: Iterable[PartItem], maker: RowMaker, max_pixels: int, readers: int, errors: list[str]
) -> Iterator[pa.Table]:
    """Yield the rows of the images, a few at a time, since embeddings are large."""
    batch: list[EmbeddedFile] = []
    encoder = maker.model.encoder
    look = partial(_looked, view_size=effective_view_size(encoder, maker.view_size), max_pixels=max_pixels)
    with closing(map_in_order(look, pictures, readers, readers + 1)) as looks:
        for (source, _), looking in looks:
            stamp = source.portable()
            embedding = _embedding(encoder, stamp.path, looking.result())
            if embedding.error is not None:
                errors.append(str(embedding.error))
            batch.append((stamp, embedding))
            if len(batch) == ROWS_AT_ONCE:
                yield maker.rows(batch)
                batch = []
    yield maker.rows(batch)


def _embedding(encoder: Embedder, path: str, found: DecodedImage | ImageError) -> Embedding:
    """The embedding of one image, or the reason there is none."""
    if isinstance(found, ImageError):
        return Embedding(path, error=found)
    try:
        return embedding_of(path, embedded(encoder, path, found.pixels), found)
    except Exception as error:
        return Embedding(path, error=item_error(path, error))


def _looked(given: PartItem, *, view_size: int | None, max_pixels: int) -> DecodedImage | ImageError:
    """Read and decode an image, or return its error. Raises OSError as `read_bytes` does in the last try."""
    stamp, content = given
    if content is None:
        content = with_retries(lambda: read_bytes(stamp))
    if isinstance(content, ImageError):
        return content
    try:
        return decode(portable(stamp.path), content=content, view_size=view_size, max_pixels=max_pixels, look=True)
    except Exception as error:
        return item_error(stamp.path, error)


def _grouped(tables: Iterable[pa.Table], rows: int) -> Iterator[list[pa.Table]]:
    """Group tables so that each group but the last has at least a given number of rows."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= rows:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _with_tar(schema: pa.Schema, tar: FileStamp) -> pa.Schema:
    stamp = json.dumps([tar.path, tar.size, tar.mtime]).encode()
    return schema.with_metadata({**(schema.metadata or {}), TAR_KEY: stamp})


def _tar_part_name(address: str) -> str:
    name = portable(address)
    digest = hashlib.blake2b(name.encode()).hexdigest()[:NAME_DIGITS]
    return f"tar-{PurePosixPath(name).name.split('.')[0]}-{digest}.parquet"
