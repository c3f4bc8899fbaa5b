"""Upload of a model folder to the Hugging Face Hub: card, JSON, safetensors, graph and the card's figures only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shamisa_cli import __version__
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ModelError, SettingError
from shamisa_cli.core.existence import is_file, is_gone
from shamisa_cli.core.models import card, hub, hub_session, manifest
from shamisa_cli.core.models.folder import ModelFolder, holds_networks
from shamisa_cli.core.models.hub import HubName
from shamisa_cli.core.models.manifest import CARD, DEPENDENT, FOLDER_FILES, MODEL_MANIFEST, FolderFiles
from shamisa_cli.core.relational.config import RelationalConfig

if TYPE_CHECKING:
    from huggingface_hub.hf_api import CommitInfo, HfApi, RepoFile, RepoFolder

PICKLES = frozenset((".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".dill", ".npy", ".npz"))
"""Suffixes of files that can run code when they are loaded, or can contain such files."""

_FIGURE = re.compile(r"!\[[^\]]*\]\((?P<name>[A-Za-z0-9][A-Za-z0-9._-]*\.png)\)", re.ASCII)
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Upload:
    """Result of an upload to the Hub.

    Attributes:
        name: the repository, as `load_model` takes it.
        commit: the commit that holds the uploaded files.
        url: address of that commit.
        files: name → size in bytes of each file of the upload.
        left_out: names of files in the folder that were not uploaded.
        removed: names of files that were removed from the repository, since they go with the encoder or networks that
            were there before, and the folder has none of its own.
    """

    name: str
    commit: str
    url: str
    files: dict[str, int]
    left_out: tuple[str, ...]
    removed: tuple[str, ...] = ()


def push(
    folder: Path, target: HubName, *, private: bool = False, message: str | None = None, offline: bool = False
) -> Upload:
    """Upload a model or probe to a repository's main branch, in one commit; create the repository if it does not exist.

    Other files of the repository stay, but for the probe, defect probe, direction and graph of an encoder that another
    one replaces: beside it they would end every use of the repository.

    Does not prompt, and sends nothing before the whole folder was checked. Authentication is by HF_TOKEN, or by the
    login that the Hub's client stores.

    Args:
        folder: a model or probe folder.
        target: the repository; it must not name a revision.
        private: make the repository private; one that exists and is public is then refused.
        message: of the commit; None makes one that names the model and this program.
        offline: make no request, so that the upload is refused; HF_HUB_OFFLINE does the same.

    Raises:
        ModelError: the folder is damaged or holds a pickle, or the Hub cannot be reached, refuses, or leaves a file
            out.
        SettingError: a revision is named.
    """
    if target.revision is not None:
        raise SettingError(f"Uploads go to the main branch: write {target.repository} without a revision.")
    if offline or hub.is_offline():
        raise ModelError(f"{target} cannot be uploaded offline.", remedy="go-online")
    contents = _contents(folder)
    try:
        with hub_session.bounded(hub.COMMIT_SECONDS):
            return _sent(folder, target, contents, private, message)
    except ModelError:
        raise
    except Exception as error:
        # The client passes on the errors of its transport, which differ between its releases.
        raise ModelError(hub.hub_error_message(error, str(target), "uploaded")) from error


def _contents(folder: Path) -> dict[str, Path | bytes]:
    """Collect the files to upload: name → path, or the content of the completed card. Raises ModelError as `push`."""
    FolderFiles(folder).verify()
    pickles = sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in PICKLES)
    if pickles:
        raise ModelError(
            f"{folder} holds {pickles[0]}, which can be a pickle, and pickles are never uploaded. Remove it from the "
            f"folder; weights are safetensors files."
        )
    chosen: dict[str, Path | bytes] = {name: folder / name for name in FOLDER_FILES if not is_gone(folder / name)}
    for name in chosen:
        if name.endswith(".safetensors"):
            _check_safetensors(folder / name)
    text = _completed_card(folder)
    figures = dict.fromkeys(match["name"] for match in _FIGURE.finditer(text))
    chosen |= {name: folder / name for name in figures if _is_png(folder / name)}
    return {**chosen, CARD: text.encode()}


def _check_safetensors(path: Path) -> None:
    from safetensors import safe_open

    with manifest.safetensors_errors(path), safe_open(path, framework="numpy"):
        pass


def _completed_card(folder: Path) -> str:
    written = card.read_card(folder)
    if holds_networks(folder) and not manifest.exists(folder / MODEL_MANIFEST):
        relational = ModelFolder.open(folder, RelationalConfig)
        return card.add_metadata(
            written or f"# {relational.name}\n\n{relational.origin}\n",
            name=relational.name,
            license=relational.license,
            reads=card.RELATIONAL,
        )
    if not manifest.exists(folder / MODEL_MANIFEST):
        name = folder.resolve().name
        return card.add_metadata(written or f"# {name}\n\nA probe for shamisa.\n", name=name)
    model = ModelFolder.open(folder, EncoderConfig)
    return card.add_metadata(
        written or f"# {model.name}\n\n{model.origin}\n",
        name=model.name,
        license=model.license,
        tags=[model.config.architecture.replace("_", "-")],
    )


def _is_png(path: Path) -> bool:
    if not is_file(path):
        return False
    with path.open("rb") as stream:
        return stream.read(len(_PNG)) == _PNG


def _sent(
    folder: Path, target: HubName, contents: dict[str, Path | bytes], private: bool, message: str | None
) -> Upload:
    from huggingface_hub import HfApi

    api = HfApi(library_name=manifest.LIBRARY_NAME, library_version=__version__)
    api.create_repo(target.repository, private=private or None, exist_ok=True)
    if private and not api.repo_info(target.repository).private:
        raise ModelError(f"{target} exists and is public: nothing was uploaded.", remedy="not-private")
    removed = _outdated({each.path: each for each in api.list_repo_tree(target.repository)}, contents)
    commit, left = _committed(
        api, target, contents, removed, message or f"Upload {folder.resolve().name} with shamisa {__version__}"
    )
    if left:
        raise ModelError(
            f"{target} took all but {', '.join(left)}, which its .gitignore or its host leaves out. Remove what leaves "
            "them out there, and push again."
        )
    sizes = {
        name: len(content) if isinstance(content, bytes) else content.stat().st_size
        for name, content in sorted(contents.items())
    }
    left_out = sorted(path.name for path in folder.iterdir() if path.name not in sizes)
    return Upload(str(target), str(commit.oid), str(commit.commit_url), sizes, tuple(left_out), tuple(removed))


def _committed(
    api: HfApi, target: HubName, contents: Mapping[str, Path | bytes], removed: Sequence[str], message: str
) -> tuple[CommitInfo, list[str]]:
    """Make the commit; it, and the names of files that it leaves out."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    with ExitStack() as files:
        # Of open files the client draws no bars; one by one, it sends them in this thread, where the bounds hold.
        opened = {
            name: content if isinstance(content, bytes) else files.enter_context(content.open("rb"))
            for name, content in sorted(contents.items())
        }
        additions = [CommitOperationAdd(name, content) for name, content in opened.items()]
        for each in additions:
            api.preupload_lfs_files(target.repository, [each])
        deletions = [CommitOperationDelete(name) for name in removed]
        commit = api.create_commit(target.repository, [*additions, *deletions], commit_message=message)
    # An older file of the name may be there, so the Hub's list of files does not tell.
    return commit, [each.path_in_repo for each in additions if getattr(each, "_should_ignore", False)]


def _outdated(there: Mapping[str, RepoFile | RepoFolder], contents: Mapping[str, Path | bytes]) -> list[str]:
    """Files of a repository (name → its entry there) that go with what the contents replace by something else."""
    outdated: list[str] = []
    for (listing, weights), others in DEPENDENT.items():
        if weights in there and weights in contents and not _are_same(there, contents, (listing, weights)):
            outdated += [name for name in others if name in there and name not in contents]
    return outdated


def _are_same(
    there: Mapping[str, RepoFile | RepoFolder], contents: Mapping[str, Path | bytes], names: Iterable[str]
) -> bool:
    return all(_hash_there(there.get(name)) in _hashes(contents[name]) for name in names)


def _hash_there(entry: RepoFile | RepoFolder | None) -> str | None:
    """SHA-256 of a large file, or what Git knows a small one by."""
    lfs = getattr(entry, "lfs", None)
    return getattr(entry, "blob_id", None) if lfs is None else str(lfs.sha256)


def _hashes(content: Path | bytes) -> tuple[str, str]:
    """SHA-256, and the hash of Git."""
    whole = content if isinstance(content, bytes) else content.read_bytes()
    named = hashlib.sha1(b"blob %d\0" % len(whole) + whole, usedforsecurity=False)
    return hashlib.sha256(whole).hexdigest(), named.hexdigest()
