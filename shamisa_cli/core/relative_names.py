"""Names of images relative to a folder, the same by whichever links either is reached."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from shamisa_cli.core.errors import SettingError


def common_folder(folders: Iterable[Path]) -> Path:
    """The deepest folder that holds all of these, of which there is one at least.

    Raises SettingError where they lie on several drives, as on Windows.
    """
    try:
        return Path(os.path.commonpath(list(folders)))
    except ValueError:
        raise SettingError(
            "The pictures lie on several drives, so there is no folder that holds them all. Name those of one drive at "
            "a time."
        ) from None


class RelativeNames:
    """Names relative to one folder, with forward slashes.

    What lies below the folder keeps the name by which it was reached, links included; what does not is named from the
    nearest folder above that it shares with it. Real paths of folders are looked up once.
    """

    def __init__(self, folder: Path) -> None:
        base = Path(os.path.abspath(folder))  # noqa: PTH100  links are kept
        self._above = [os.path.realpath(place) for place in (base, *base.parents)]
        self._places: dict[Path, Mapping[str, Path]] = {}

    def of(self, path: str) -> str:
        """The name of the image at `path`; the whole path where it shares no folder, as on another drive."""
        whole = Path(os.path.abspath(path))  # noqa: PTH100
        places = self._folders_above(whole.parent)
        for steps, place in enumerate(self._above):
            if place in places:
                return Path(*[".."] * steps, places[place], whole.name).as_posix()
        return whole.as_posix()

    def _folders_above(self, folder: Path) -> Mapping[str, Path]:
        """Real path → the rest of the path, for a folder and all above it."""
        if folder not in self._places:
            above = (*reversed(folder.parents), folder)  # the nearest last, which wins
            self._places[folder] = {os.path.realpath(place): folder.relative_to(place) for place in above}
        return self._places[folder]
