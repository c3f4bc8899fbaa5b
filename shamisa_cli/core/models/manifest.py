"""Manifests: small JSON files that list the weights beside them with their SHA-256, written atomically, strictly read.

Only JSON, safetensors and one ONNX graph are ever opened, and weights are parsed only after their hash was checked.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shamisa_cli.core.errors import PARSE_ERRORS, ModelError
from shamisa_cli.core.existence import is_gone
from shamisa_cli.core.known_files import KnownFile
from shamisa_cli.core.relational.records import GRAPHS as RELATIONAL_GRAPHS

LIBRARY_NAME = "shamisa"

MODEL_MANIFEST = "config.json"
MODEL_WEIGHTS = "encoder.safetensors"
MODEL_GRAPH = "encoder.onnx"
PROBE_MANIFEST = "probe.json"
PROBE_WEIGHTS = "probe.safetensors"
DEFECTS_MANIFEST = "defects.json"
DEFECTS_WEIGHTS = "defects.safetensors"
DIRECTION_MANIFEST = "direction.json"
DIRECTION_WEIGHTS = "direction.safetensors"
RELATIONAL_MANIFEST = "relational.json"
RELATIONAL_WEIGHTS = "relational.safetensors"
CARD = "README.md"
OF_AN_ENCODER = (
    MODEL_GRAPH,
    PROBE_MANIFEST,
    PROBE_WEIGHTS,
    DEFECTS_MANIFEST,
    DEFECTS_WEIGHTS,
    DIRECTION_MANIFEST,
    DIRECTION_WEIGHTS,
)
"""Files that mean nothing beside another encoder than the one that they were made for."""
FOLDER_FILES = (
    MODEL_MANIFEST,
    MODEL_WEIGHTS,
    *OF_AN_ENCODER,
    RELATIONAL_MANIFEST,
    RELATIONAL_WEIGHTS,
    *RELATIONAL_GRAPHS,
    CARD,
)
"""All files of a folder that this program or a person reads."""

LISTS = (
    (MODEL_MANIFEST, MODEL_WEIGHTS),
    (PROBE_MANIFEST, PROBE_WEIGHTS),
    (DEFECTS_MANIFEST, DEFECTS_WEIGHTS),
    (DIRECTION_MANIFEST, DIRECTION_WEIGHTS),
    (RELATIONAL_MANIFEST, RELATIONAL_WEIGHTS),
)
"""Manifests, and the file that each must list."""

DEPENDENT = {
    (MODEL_MANIFEST, MODEL_WEIGHTS): OF_AN_ENCODER,
    (RELATIONAL_MANIFEST, RELATIONAL_WEIGHTS): RELATIONAL_GRAPHS,
}
"""Manifest and weights of networks → files that go with them alone."""

SCHEMA = 1
MAX_MANIFEST_BYTES = 1_000_000
MAX_WEIGHTS_BYTES = 4_000_000_000
"""Larger files with weights are not read; to find their hash alone could take hours."""
MAX_LABEL_LENGTH = 200

LARGEST = 1e30
"""Largest number of a model, on both sides of 0; products of several of them must stay numbers."""

_GRAPHS = "|".join(map(re.escape, (MODEL_GRAPH, *RELATIONAL_GRAPHS)))
_WEIGHTS_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors|{_GRAPHS}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def exists(path: Path) -> bool:
    """Whether the path exists, as far as the folder's permissions allow one to see."""
    return not is_gone(path)


def _is_plain(path: Path) -> bool:
    """Whether a path leads to a regular file. Raises OSError where nobody can look."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hex, read piece by piece."""
    return KnownFile.of(path).sha256


def write_manifest(path: Path, entries: Mapping[str, Any]) -> None:
    """Write `entries` and the schema's number as indented JSON."""
    text = json.dumps({"schema": SCHEMA, **entries}, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the entries of a manifest whose schema this program knows.

    Raises:
        ModelError: not a plain file, over 1 MB, not a JSON object, or written by another or a newer program.
    """
    return FolderFiles(path.parent).manifest(path.name)


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(content, parse_constant=_refuse_constant)
    except PARSE_ERRORS as error:
        raise ModelError(f"{path} is not JSON ({error}). Download or copy the folder again.") from error
    schema = entries.get("schema") if isinstance(entries, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise ModelError(f"{path} was not written by shamisa: it has no schema number. Name another model folder.")
    if schema != SCHEMA:
        raise ModelError(
            f"{path} has schema {schema}, but this program reads schema {SCHEMA}. Upgrade shamisa to read it."
        )
    return dict(entries)


@contextmanager
def safetensors_errors(path: Path) -> Iterator[None]:
    """Context in which a safetensors file that is damaged, or holds unknown types, raises ModelError."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # the last: odd types
        raise ModelError(
            f"{path} is not a complete safetensors file ({error}). Download or copy the folder again."
        ) from error


class FolderFiles:
    """The files of a model or probe folder as they are on first use: each is hashed then, and stays a `KnownFile`.

    Args:
        path: the folder.

    Attributes:
        path: the folder, absolute: the program may work in another one when a file is read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._held: dict[str, bool] = {}
        self._known: dict[str, KnownFile] = {}

    @classmethod
    def of(cls, folder: Path | FolderFiles) -> FolderFiles:
        """The files of a folder; a `FolderFiles` is returned as it is, with its hashes."""
        return folder if isinstance(folder, FolderFiles) else cls(folder)

    def holds(self, name: str) -> bool:
        """Whether the path exists, as far as the folder's permissions allow one to see."""
        if name not in self._held:
            self._held[name] = exists(self.path / name)
        return self._held[name]

    def file(self, name: str) -> KnownFile:
        """A file of the folder. Raises OSError if it cannot be read on first use."""
        if name not in self._known:
            self._known[name] = KnownFile.of(self.path / name)
        return self._known[name]

    def sha256(self, name: str) -> str:
        """SHA-256 of a file of the folder, in hex. Raises OSError as `file` does."""
        return self.file(name).sha256

    def arrays(self, name: str) -> dict[str, Any]:
        """Read the NumPy arrays of a safetensors file in the folder.

        Raises:
            ModelError: it is not a complete safetensors file, holds types that NumPy does not know, or numbers beyond
                `LARGEST`; or it was replaced since it was hashed. Those that are not finite are left to the caller.
        """
        import numpy as np
        from safetensors.numpy import load

        path = self.path / name
        content = self.file(name).read_bytes()
        with safetensors_errors(path):
            arrays = load(content)
            for key, array in arrays.items():
                if float(np.abs(array[np.isfinite(array)]).max(initial=0)) > LARGEST:
                    raise ModelError(f"{path}: {key!r} has numbers beyond {LARGEST:.0e}. Make the model again.")
        return arrays

    def manifest(self, name: str) -> dict[str, Any]:
        """Read the entries of a manifest. Raises ModelError as `read_manifest` does."""
        return _parsed(self.path / name, self._hashed(name, MAX_MANIFEST_BYTES).read_bytes())

    def read(self, name: str, required: str) -> dict[str, Any]:
        """Read a manifest, and check every weights file that it lists against its SHA-256.

        Args:
            name: name of the manifest.
            required: the file that must be among those listed.

        Raises:
            ModelError: as `read_manifest` does; or the list is invalid, names anything but a safetensors file in this
                folder, or a file is missing or altered.
        """
        path = self.path / name
        entries = self.manifest(name)
        files = entries.get("files")
        if not isinstance(files, dict) or required not in files:
            raise ModelError(f"{path} does not list {required} with its SHA-256. Download or copy the folder again.")
        for listed, expected in files.items():
            if _WEIGHTS_NAME.fullmatch(listed) is None:
                raise ModelError(
                    f"{path} lists {listed!r}; only the names of safetensors files in the same folder are accepted, "
                    f"and {MODEL_GRAPH}."
                )
            if not isinstance(expected, str) or _SHA256.fullmatch(expected) is None:
                raise ModelError(f"{path} gives no SHA-256 of 64 lower-case hex digits for {listed}.")
            self._verify(listed, expected)
        return entries

    def verify(self) -> None:
        """Check every weights file against the SHA-256 in the folder's manifests.

        Raises:
            ModelError: the folder has no manifest, or one that cannot be read, or a file is missing or altered.
        """
        lists = [pair for pair in LISTS if self.holds(pair[0])]
        if not lists:
            raise ModelError(
                f"{self.path} is not a shamisa model: there is neither {LISTS[0][0]} nor {LISTS[1][0]} in it."
            )
        for name, required in lists:
            self.read(name, required)

    def _verify(self, name: str, expected: str) -> None:
        path, actual = self.path / name, self._hashed(name, MAX_WEIGHTS_BYTES).sha256
        if actual != expected:
            raise ModelError(
                f"{path} is damaged or was altered: its SHA-256 begins {actual[:12]}, and the folder's list says "
                f"{expected[:12]}. Download or copy the folder again."
            )

    def _hashed(self, name: str, most: int) -> KnownFile:
        path = self.path / name
        try:
            if not _is_plain(path):
                raise ModelError(f"{path} is missing or not a plain file. Download or copy the folder again.")
            if path.stat().st_size > most:
                raise ModelError(f"{path} is larger than {most} bytes, so it is not a file of a shamisa model.")
            return self.file(name)
        except OSError as error:
            raise ModelError(f"{path} cannot be read ({error.strerror}). Check the file's permissions.") from error


def read_label(manifest: Path, entries: Mapping[str, Any], key: str) -> str:
    """A short printable text of a manifest: safe to show in a terminal. Raises ModelError otherwise."""
    value = entries.get(key)
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= MAX_LABEL_LENGTH:
        raise ModelError(f"{manifest}: {key!r} must be a printable text of 1 to {MAX_LABEL_LENGTH} characters.")
    return value


def read_number(manifest: Path, entries: Mapping[str, Any], key: str) -> float:
    """A number of a manifest, at most `LARGEST`. Raises ModelError otherwise."""
    value = entries.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return float(value)
    raise ModelError(f"{manifest}: {key!r} must be a finite number, at most {LARGEST:.0e}.")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
