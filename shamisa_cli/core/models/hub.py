"""Model folders on the Hugging Face Hub, downloaded into its cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models import hub_client
from shamisa_cli.core.models.manifest import FOLDER_FILES, LISTS, verify_folder

SCHEME = "hf:"

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_]|[.-](?![.-])){0,94}(?<![.-])"
_NAME = re.compile(rf"(?P<repository>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9_][A-Za-z0-9_./-]*))?", re.ASCII)


@dataclass(frozen=True)
class HubName:
    """A model on the Hub.

    Attributes:
        repository: "org/name".
        revision: a branch, tag or commit; None is the repository's main branch.
    """

    repository: str
    revision: str | None = None

    @classmethod
    def parse(cls, name: str) -> HubName:
        """Read hf:org/name[@revision]. Raises ModelError when it is none; no request is made."""
        match = _NAME.fullmatch(name.removeprefix(SCHEME))
        if match is None or ".." in name:
            raise ModelError(
                f"{name!r} is not the name of a model on the Hub. Write hf:org/name, or hf:org/name@revision "
                f"with a branch, tag or commit."
            )
        return cls(match["repository"], match["revision"])

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}" + (f"@{self.revision}" if self.revision else "")


def is_hub_name(name: str) -> bool:
    """Whether the name is meant for the Hub."""
    return name.startswith(SCHEME)


def download(name: HubName, *, offline: bool = False) -> Path:
    """The whole, verified folder of a Hub model in the local cache, named after its commit; downloaded unless there.

    Only the files of a model folder are ever fetched, whatever else the repository holds. Where the Hub
    cannot be reached, a branch means the commit it was last seen at. Every weights file is held against the
    SHA-256 in the folder's own lists, and what is found damaged is fetched once more.

    Args:
        name: the repository and revision.
        offline: make no request; HF_HUB_OFFLINE does the same.

    Raises:
        ModelError: it does not exist, may not be read, cannot be reached, is damaged, or is not in the cache.
    """
    if offline or hub_client.is_offline():
        return _cached(name)
    folder = _fetched(name)
    try:
        verify_folder(folder)
    except ModelError:
        folder = _fetched(name, again=True)
        _verify_fetched(name, folder)
    return folder


def _cached(name: HubName) -> Path:
    # Looked up without the client's own download function, which asks the Hub who is asking even then.
    from huggingface_hub import try_to_load_from_cache

    for manifest, _ in LISTS:
        found = try_to_load_from_cache(name.repository, manifest, revision=name.revision)
        if isinstance(found, str):
            break
    else:
        raise ModelError(_not_whole(name))
    folder = Path(found).parent
    try:
        verify_folder(folder)
    except ModelError as error:
        raise ModelError(_not_whole(name)) from error
    return folder


def _not_whole(name: HubName) -> str:
    return f"{name} is not whole in this machine's cache, and offline. Load it once with access to the network."


def _fetched(name: HubName, *, again: bool = False) -> Path:
    from huggingface_hub import snapshot_download

    try:
        with hub_client.patience(hub_client.ANSWER_SECONDS):
            folder = snapshot_download(
                name.repository,
                revision=name.revision,
                allow_patterns=list(FOLDER_FILES),
                force_download=again,
            )
    except Exception as error:
        # The client lets its transport's own errors through, and these differ between its releases.
        raise ModelError(hub_client.explained(error, str(name), "downloaded")) from error
    return Path(folder)


def _verify_fetched(name: HubName, folder: Path) -> None:
    try:
        verify_folder(folder)
    except ModelError as error:
        raise ModelError(f"{name} cannot be used as the Hub has it. {error}") from error
