"""Names of sidecar files, and which of those that are there belong to an image."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shamisa_cli.core.existence import is_dir, is_file, is_link
from shamisa_cli.core.images.kinds import lies_beside

SUFFIX = ".xmp"
_VERSION = re.compile(r"(.+)_(?:0\d|[1-9]\d+)(\.[^.]+)")
"""Name before `SUFFIX` of a sidecar of another version that darktable makes of an image, such as photo_01.jpg."""
Naming = Literal["appended", "replaced"]


def sidecar_of(picture: Path, naming: Naming = "appended") -> Path:
    """The sidecar file of an image.

    "appended": photo.jpg.xmp, as darktable and digiKam name it; "replaced": photo.xmp, as Adobe's programs do.
    """
    return picture.with_name(picture.name + SUFFIX) if naming == "appended" else picture.with_suffix(SUFFIX)


def is_sidecar_of(file: Path, picture: Path) -> bool:
    """Whether a file has the name of a sidecar of an image, in either form and in any case of its suffix."""
    is_beside = file.parent == picture.parent and file.suffix.lower() == SUFFIX and file != picture
    return is_beside and (not is_of_version(file, picture) or _original(file.stem) == picture.name)


def is_of_version(file: Path, picture: Path) -> bool:
    """Whether a sidecar that is an image's own is that of another version, which darktable shows and rates apart."""
    return file.stem not in (picture.name, picture.stem)


def _original(name: str) -> str:
    """The name of the image that a name may be another version of, as darktable has it; empty if of none."""
    match = _VERSION.fullmatch(name)
    return match[1] + match[2] if match else ""


def own_sidecars(pictures: Iterable[Path]) -> dict[Path, list[Path]]:
    """The sidecars of each image that are there: photo.jpg.xmp and photo.xmp, also with .XMP, and photo_01.jpg.xmp.

    Of images that share photo.xmp the last has it, if no other picture, film or file of an unknown kind has that name.
    Those of other versions, see `is_of_version`, go where their image goes, and say nothing of it.
    """
    folders = functools.cache(_listed)
    found: dict[Path, list[Path]] = {}
    for picture in dict.fromkeys(pictures):
        folder = folders(picture.parent)
        if folder is None:  # it may not be listed
            found[picture] = [file for file in (sidecar_of(picture),) if is_file(file) or is_link(file)]
            continue
        sharing = folder.files[picture.stem]
        is_last = sharing == {picture.name}
        sharing.discard(picture.name)
        names = [*folder.sidecars[picture.name], *(folder.sidecars[picture.stem] if is_last else ())]
        names += folder.versions[picture.name]
        found[picture] = [picture.with_name(name) for name in names]
    return found


@dataclass(frozen=True)
class _Listed:
    """Names in a folder: stem → files that may have sidecars, name without its suffix → sidecars, and image → sidecars
    of its other versions, which are those of no other image."""

    files: Mapping[str, set[str]]
    sidecars: Mapping[str, list[str]]
    versions: Mapping[str, list[str]]


def _listed(folder: Path) -> _Listed | None:
    """The names in a folder; None where it may not be listed."""
    files, sidecars = defaultdict(set), defaultdict(list)
    try:
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() == SUFFIX:
                sidecars[file.stem].append(file.name)
            elif not lies_beside(file.suffix) and not is_dir(file):
                files[file.stem].add(file.name)
    except OSError:
        return None
    images = {name for names in files.values() for name in names}
    versions = defaultdict[str, list[str]](list)
    for name, found in sidecars.items():
        if name not in images and (original := _original(name)):
            versions[original] += found
    return _Listed(files, sidecars, versions)
