"""Resolution of a model's name to a local folder: a bundled model, a path, or hf:org/name[@revision]."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import shamisa_cli
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.existence import closed_on_the_way, exists, is_dir
from shamisa_cli.core.home import expanded
from shamisa_cli.core.models import hub
from shamisa_cli.core.models.manifest import MODEL_MANIFEST, RELATIONAL_MANIFEST, FolderFiles

Source = Literal["bundled", "hub", "folder"]

DEFAULT_MODEL = "shamisa-lite2"
DEFAULT_RELATIONAL = "shamisa-relational"
"""Default models: the one that scores single images, and the one that compares two."""
FAST_MODEL = "shamisa-lite0"
"""Bundled model that scores many files in less time."""
REMOVED = {"shamisa-mobilenetv2": DEFAULT_MODEL, "shamisa-mobilenetv2-fast": FAST_MODEL}
"""Bundled models of earlier versions, and the successor of each."""

HOW_TO_NAME = "A folder is named by its path, a model on the Hugging Face Hub as hf:org/name or hf:org/name@revision."

_PACKAGE = Path(shamisa_cli.__file__).resolve().parent
_INSTALLED = _PACKAGE / "weights"
_BUNDLED_ROOT = _INSTALLED if is_dir(_INSTALLED) else _PACKAGE.parent / "weights"
"""Folders of bundled models: in the package when it is installed, beside it in a checkout."""


def bundled() -> list[str]:
    """The names of the models that come with the program, sorted."""
    return sorted(bundled_folders())


@dataclass(frozen=True)
class ResolvedModel:
    """A model or probe found by its name.

    Attributes:
        files: its folder.
        name: the name as given; for one from the Hub its repository.
        revision: commit of one from the Hub; None for others, which are identified by their fingerprint.
        source: where it comes from: bundled with the program, the Hub, or a folder.
    """

    files: FolderFiles
    name: str
    revision: str | None
    source: Source

    @property
    def path(self) -> Path:
        """The folder."""
        return self.files.path


def resolve(name: str, *, offline: bool = False) -> ResolvedModel:
    """Find a model or probe by its name.

    A bundled name takes precedence over a folder of the same name; write ./name for the folder.

    Args:
        name: a bundled name, the path of a folder, or hf:org/name[@revision] (downloaded into the
            Hub's cache unless it is there; HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE are honoured).
        offline: make no request; a model that is not on this machine is an error.

    Raises:
        ModelError: there is no such model, or it cannot be downloaded. The content of a folder on this machine is
            not checked here; what comes from the Hub is.
    """
    if hub.is_hub_name(name):
        hub_name = hub.HubName.parse(name)
        files = hub.download(hub_name, offline=offline)
        return ResolvedModel(files, hub_name.repository, files.path.name, "hub")
    folders = bundled_folders()
    if name in folders:
        return ResolvedModel(FolderFiles(folders[name]), name, None, "bundled")
    path = _existing(name)
    if path is None:
        raise ModelError(_unknown(name, sorted(folders)))
    if not is_dir(path):
        raise ModelError(f"{name} is a file. Name the model's folder, not a file in it.")
    return ResolvedModel(FolderFiles(path), name, None, "folder")


def bundled_folders() -> dict[str, Path]:
    """The folders of the models that come with the program, by name."""
    manifests = (MODEL_MANIFEST, RELATIONAL_MANIFEST)
    return {path.parent.name: path.parent for name in manifests for path in _BUNDLED_ROOT.glob(f"*/{name}")}


def _existing(name: str) -> Path | None:
    try:
        path = expanded(name)
        return path if name and exists(path) else None
    except (OSError, SettingError):  # a name no path can have, an unknown user's home, no permission to look
        return None


def _unknown(name: str, known: list[str]) -> str:
    if name in REMOVED:
        return (
            f"The model {name} is no longer included. Use its successor {REMOVED[name]}. Scores of the two differ: "
            "check the minimum of a gate, and write baselines and probes anew."
        )
    listing = f"Bundled models: {', '.join(known)}." if known else "This installation has no bundled models."
    close = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean {close[0]}?" if close else ""
    return f"There is no model or probe {name!r}.{_closed(name)}{guess} {listing} {HOW_TO_NAME}"


def _closed(name: str) -> str:
    try:
        return closed_on_the_way(expanded(name))
    except SettingError:
        return ""
