"""Model folders on the Hugging Face Hub, downloaded into its cache."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from shamisa_cli.core.errors import ModelError, ModelWarning
from shamisa_cli.core.home import is_homeless
from shamisa_cli.core.models import hub_session
from shamisa_cli.core.models.manifest import FOLDER_FILES, FolderFiles

SCHEME = "hf:"

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_]|[.-](?![.-])){0,94}(?<![.-])"
_NAME = re.compile(rf"(?P<repository>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9_][A-Za-z0-9_./-]*))?", re.ASCII)

_NO_ANSWER = ("Protocol", "Connect", "Timeout", "Redirect", "Decode")
"""In names of errors of the client's transport, which differ between its releases."""
ANSWER_SECONDS = 10

COMMIT_SECONDS = 60
"""Seconds without a response from the Hub before a request or an upload fails."""

_COMMIT = re.compile(r"[0-9a-f]{40}")


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
        """Parse hf:org/name[@revision]. Raises ModelError on anything else; makes no request."""
        match = _NAME.fullmatch(name.removeprefix(SCHEME)) if is_hub_name(name) else None
        if match is None or ".." in name:
            raise ModelError(
                f"{name!r} is not the name of a model on the Hub. Write hf:org/name, or hf:org/name@revision "
                f"with a branch, tag or commit."
            )
        return cls(match["repository"], match["revision"])

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}" + (f"@{self.revision}" if self.revision else "")


def is_hub_name(name: str) -> bool:
    """Whether the name begins like that of a model on the Hub."""
    return name.startswith(SCHEME)


def download(name: HubName, *, offline: bool = False) -> FolderFiles:
    """Return the verified folder of a Hub model in the local cache, named after its commit; download it if missing.

    Only the files of a model folder are fetched, whatever else the repository holds. If the Hub cannot be
    reached, a branch or tag stands for the commit it was last seen at, and a ModelWarning says so. Every weights file
    is checked against the SHA-256 in the folder's manifests, and a damaged file is fetched once more.

    Args:
        name: the repository and revision.
        offline: make no request; HF_HUB_OFFLINE does the same.

    Raises:
        ModelError: the model does not exist, access is denied, the Hub cannot be reached, the files are damaged, or
            (offline) it is not in the cache.
    """
    if offline or is_offline():
        return _cached(name)
    files = FolderFiles(_fetched(name))
    try:
        files.verify()
    except ModelError:
        files = FolderFiles(_fetched(name, again=True))
        _verify_fetched(name, files)
    return files


def _cached(name: HubName) -> FolderFiles:
    require_client()
    from huggingface_hub import snapshot_download

    try:
        # The client knows which files the commit has, so that what an interrupted download left is not taken for it.
        folder = snapshot_download(
            name.repository, revision=name.revision, allow_patterns=list(FOLDER_FILES), local_files_only=True
        )
        files = FolderFiles(Path(folder))
        files.verify()
    except Exception as error:  # the client's differ between its releases
        raise ModelError(_not_whole(name)) from error
    return files


def _not_whole(name: HubName) -> str:
    return (
        f"{name} is not completely in this machine's cache, and offline mode is on. Download it once with network "
        "access."
    )


def _fetched(name: HubName, *, again: bool = False) -> Path:
    require_client()
    from huggingface_hub import snapshot_download

    try:
        with hub_session.bounded(ANSWER_SECONDS) as call:
            folder = snapshot_download(
                name.repository,
                revision=name.revision,
                allow_patterns=list(FOLDER_FILES),
                force_download=again,
                tqdm_class=call.bars(),
            )
    except ModelError as error:
        raise ModelError(f"{name} could not be downloaded: {error}") from error
    except Exception as error:
        # The client passes on the errors of its transport, which differ between its releases.
        refused = ModelError(hub_error_message(error, str(name), "downloaded"))
        if again or not _is_no_answer(error):
            raise refused from error
        try:
            folder = str(_cached(name).path)
        except ModelError:
            raise refused from error
        _warn_of_last_seen(name, Path(folder), "does not answer as it should")
        return Path(folder)
    if not call.answers.reached:
        status = call.answers.status
        _warn_of_last_seen(name, Path(folder), "cannot be reached" if status is None else f"answered HTTP {status}")
    return Path(folder)


def _is_no_answer(error: BaseException) -> bool:
    """Whether there was no answer of a Hub: a connection that was closed, or a page in place of one."""
    return any(sign in type(link).__name__ for link in _chain(error) for sign in _NO_ANSWER)


def _warn_of_last_seen(name: HubName, folder: Path, why: str) -> None:
    """Say that a branch or tag stands for an earlier commit; a commit is itself, wherever it is taken from."""
    if not _COMMIT.fullmatch(name.revision or ""):
        warnings.warn(
            f"The Hub {why}: {name} is taken as it was last seen, commit {folder.name}.", ModelWarning, stacklevel=2
        )


def _verify_fetched(name: HubName, files: FolderFiles) -> None:
    try:
        files.verify()
    except ModelError as error:
        raise ModelError(f"{name} cannot be used as it is on the Hub. {error}") from error


def require_client() -> None:
    """Import the Hub's client. Raises ModelError if a variable of its own (HF_…) cannot be read."""
    try:
        import huggingface_hub.constants  # it reads its variables here

        _ = urlsplit(huggingface_hub.constants.ENDPOINT).port  # a ValueError where it is no number, as on its first use
    except ValueError as error:
        raise ModelError(
            f"A variable HF_… of the Hub's client has a value that it cannot read ({_without_credentials(str(error))})."
        ) from error


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids requests, as the client reads it."""
    require_client()
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def hub_error_message(error: BaseException, name: str, done: str) -> str:
    """Message about an exception of the client: why `name` could not be `done`, and what to do.

    Args:
        error: the exception.
        name: the model, as the user named it.
        done: "downloaded" or "uploaded".
    """
    from huggingface_hub import errors

    chain = list(_chain(error))
    repository, _, revision = name.removeprefix("hf:").partition("@")
    if any(isinstance(link, errors.GatedRepoError) for link in chain):
        return f"{name} is gated: ask for access on its page on the Hub, then log in (hf auth login) or set HF_TOKEN."
    if any(isinstance(link, errors.RevisionNotFoundError) for link in chain):
        return f"{repository} on the Hub has no revision {revision or 'main'!r}. Check the name after the @."
    if any(isinstance(link, errors.RemoteEntryNotFoundError) for link in chain):
        return f"{name} lacks a file on the Hub that its listing names. Try again later, or tell its owner."
    if any(map(is_homeless, chain)):
        return f"{name} could not be {done}: this user has no home folder to keep it in. Set HF_HOME to a folder."
    # Older clients count a file missing from the cache as an HTTP error, one without a response.
    answers = [link.response for link in chain if isinstance(link, errors.HfHubHTTPError)]
    statuses = [answer.status_code for answer in answers if answer is not None]
    if statuses:
        return _status_explained(name, statuses[0], done)
    if any("Timeout" in type(link).__name__ for link in chain):
        return f"{name} could not be {done}: {_endpoint()} took too long to answer. Try again later."
    if any("Connect" in type(link).__name__ for link in chain):
        if done == "uploaded":
            return f"{name} could not be uploaded: {_endpoint()} cannot be reached. Check the network and HF_ENDPOINT."
        return (
            f"{name} is not in the cache, and {_endpoint()} cannot be reached. Check the network and HF_ENDPOINT, "
            f"or name a model on this machine."
        )
    first_line = _without_credentials(str(error).strip().partition("\n")[0].rstrip("."))
    return (
        f"{name} could not be {done} completely ({type(error).__name__}: {first_line}). Try again; if that does not "
        "help, look at the variables HTTPS_PROXY, SSL_CERT_FILE and HF_TOKEN."
    )


def _status_explained(name: str, status: int, done: str) -> str:
    if status in (401, 403) and done == "uploaded":
        return (
            f"{name} could not be uploaded: the Hub does not allow you to write there (HTTP {status}). Log in "
            f"(hf auth login) or set HF_TOKEN, with a token that may write."
        )
    if status in (401, 403):
        return (
            f"{name} is private or does not exist (HTTP {status}). Check the name; for a private one log in "
            f"(hf auth login) or set HF_TOKEN."
        )
    if status == 404:
        return f"{name} does not exist on the Hub, or you do not have access to it. Check the name."
    if status == 429:
        return f"{name} could not be {done}: too many requests to the Hub (HTTP 429). Try again in a few minutes."
    return f"{name} could not be {done}: {_endpoint()} answered HTTP {status}. Try again later."


def _endpoint() -> str:
    return _without_credentials(os.environ.get("HF_ENDPOINT") or "the Hub")


def _without_credentials(text: str) -> str:
    """A text without the user and password of addresses in it, since logs of jobs are read by many.

    A password may hold "/" and "@", so what stands before the last "@" goes.
    """
    return re.sub(r"(?<=://)\S*@", "", text)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
