"""Models to and from the Hugging Face Hub, by name."""

from __future__ import annotations

from shamisa_cli.core.models.catalogue import ModelEntry, describe_model
from shamisa_cli.core.models.hub import HubName
from shamisa_cli.core.models.hub_upload import Upload, push
from shamisa_cli.core.models.resolver import resolve


def pull_model(name: str, *, offline: bool = False) -> ModelEntry:
    """Download a model or probe into the Hub's cache, complete and verified, for use offline.

    Args:
        name: hf:org/name[@revision].
        offline: only check what the cache holds.

    Raises:
        ModelError: it is not a name on the Hub, cannot be reached, is not there, or is damaged.
    """
    return describe_model(str(HubName.parse(name)), offline=offline).entry


def push_model(
    name: str, repository: str, *, private: bool = False, message: str | None = None, offline: bool = False
) -> Upload:
    """Upload a model or probe to a repository's main branch on the Hub, in one commit; as `hub_upload.push` does it.

    Args:
        name: a folder or a bundled model.
        repository: hf:org/name; created if it does not exist.
        private, message, offline: see `hub_upload.push`.

    Raises:
        ModelError: the repository's name is not one (hf: included), the folder is damaged or holds a pickle, or the Hub
            cannot be reached or refuses.
        SettingError: the repository's name has a revision.
    """
    target = HubName.parse(repository)
    return push(resolve(name, offline=True).path, target, private=private, message=message, offline=offline)
