"""Model folders on the Hugging Face Hub, downloaded into its cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models.manifest import FOLDER_FILES

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
    """The folder of a Hub model in the local cache, downloaded unless it is there; it is named after the commit.

    Only the files of a model folder are ever fetched, whatever else the repository holds. Where the Hub
    cannot be reached, a branch means the commit it was last seen at.

    Args:
        name: the repository and revision.
        offline: make no request.

    Raises:
        ModelError: it does not exist, may not be read, cannot be reached, or is not in the cache.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            name.repository,
            revision=name.revision,
            allow_patterns=list(FOLDER_FILES),
            local_files_only=offline,
        )
    except Exception as error:
        # The client lets its transport's own errors through, and these differ between its releases.
        raise ModelError(_explained(name, error, offline)) from error
    return Path(folder)


def _explained(name: HubName, error: Exception, offline: bool) -> str:
    from huggingface_hub import errors

    chain = list(_chain(error))
    if any(isinstance(link, errors.GatedRepoError) for link in chain):
        return f"{name} is gated: ask for access on its page on the Hub, then log in (hf auth login) or set HF_TOKEN."
    if any(isinstance(link, errors.RevisionNotFoundError) for link in chain):
        return f"{name.repository} on the Hub has no revision {name.revision or 'main'!r}. Check the name after the @."
    # Older clients count a file missing from the cache as an HTTP error, one without a response.
    answers = [link.response for link in chain if isinstance(link, errors.HfHubHTTPError)]
    statuses = [answer.status_code for answer in answers if answer is not None]
    if statuses:
        return _status_explained(name, statuses[0])
    if any(isinstance(link, errors.OfflineModeIsEnabled) for link in chain) or offline:
        return f"{name} is not whole in this machine's cache, and offline. Load it once with access to the network."
    if any("Timeout" in type(link).__name__ for link in chain):
        return f"{name} could not be downloaded: {_endpoint()} took too long to answer. Try again later."
    if any("Connect" in type(link).__name__ for link in chain):
        return (
            f"{name} is not in the cache, and {_endpoint()} cannot be reached. Check the network and HF_ENDPOINT, "
            f"or name a model on this machine."
        )
    first_line = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{name} could not be downloaded whole ({type(error).__name__}: {first_line}). Try again."


def _status_explained(name: HubName, status: int) -> str:
    if status in (401, 403):
        return (
            f"{name} is private or does not exist (HTTP {status}). Check the name; for a private one log in "
            f"(hf auth login) or set HF_TOKEN."
        )
    if status == 404:
        return f"{name} does not exist on the Hub, or is not yours to see. Check the name."
    if status == 429:
        return f"{name} could not be downloaded: the Hub wants fewer requests (HTTP 429). Try again in a few minutes."
    return f"{name} could not be downloaded: {_endpoint()} answered HTTP {status}. Try again later."


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT") or "the Hub"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
