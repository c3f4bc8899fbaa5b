"""Kinds of files by suffix: which this installation reads, which extra reads the others, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec

HEIC_SUFFIXES = frozenset((".heic", ".heif", ".hif"))
RAW_SUFFIXES = frozenset((
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
))  # fmt: skip
"""Camera RAW, as LibRaw reads it."""
JXL_SUFFIXES = frozenset((".jxl",))
IMAGE_SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif",
    ".avif",
    *HEIC_SUFFIXES, *JXL_SUFFIXES, *RAW_SUFFIXES,
))  # fmt: skip
"""Suffixes of images, in lower case; some are read only with an extra, see `readable_suffixes`."""
OTHER_MEDIA = frozenset((
    ".psd", ".psb", ".xcf", ".exr", ".hdr", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".jxr", ".wdp", ".svg", ".eps",
    ".ico", ".pcx", ".qoi", ".tga", ".dds", ".ppm", ".pgm", ".pbm", ".pnm", ".heics", ".mp4", ".mov", ".m4v", ".avi",
    ".mkv", ".webm", ".wmv", ".flv", ".mts", ".m2ts", ".3gp", ".mpg", ".mpeg", ".insv",
))  # fmt: skip
"""Suffixes of pictures and films that no extra reads; in a folder they are counted, other files are not."""
DRAWN_SUFFIXES = frozenset((".png", ".webp"))
"""Suffixes of files that this program may have drawn, see `drawings.is_drawing`."""

NO_MEDIA = frozenset((
    ".xmp", ".aae", ".pp3", ".dop", ".cos", ".cop", ".on1", ".acr", ".vrd", ".thm", ".lrcat", ".lrdata", ".md", ".rst",
    ".log", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".lock", ".lnk", ".db", ".sqlite3", ".parquet",
    ".safetensors", ".onnx", ".bak", ".old", ".tmp", ".part", ".gpx", ".nksc", ".comask", ".spd", ".rrdata", ".out",
))  # fmt: skip
"""Suffixes of files that lie beside pictures, and that Python's own list of kinds does not have."""
_COPY_ENDINGS = ("~", "_original")
"""Ends of suffixes of copies that editors and exiftool leave of what they change."""

EXTRAS = {"heic": ("pillow_heif", HEIC_SUFFIXES), "jxl": ("pillow_jxl", JXL_SUFFIXES), "raw": ("rawpy", RAW_SUFFIXES)}
"""Extra → the package it installs, and the suffixes that need it."""


@cache
def readable_suffixes() -> frozenset[str]:
    """Suffixes of `IMAGE_SUFFIXES` that this installation reads; files with these in folders are taken for images."""
    missing = [suffixes for package, suffixes in EXTRAS.values() if find_spec(package) is None]
    return IMAGE_SUFFIXES.difference(*missing)


def is_left_out(suffix: str) -> bool:
    """Whether a folder's files with this suffix, in any case, are counted as left out."""
    lower = suffix.lower()
    return (lower in IMAGE_SUFFIXES or lower in OTHER_MEDIA) and lower not in readable_suffixes()


@cache
def is_other_kind(suffix: str) -> bool:
    """Whether a suffix, in any case, is one that files of a kind have that is no image. ".12 Wedding" is none."""
    from mimetypes import MimeTypes

    known = OTHER_MEDIA.union(IMAGE_SUFFIXES - readable_suffixes(), NO_MEDIA, *MimeTypes().types_map)
    return suffix.lower() in known


def lies_beside(suffix: str) -> bool:
    """Whether files with this suffix, in any case, lie beside pictures and are neither pictures nor films."""
    is_no_media = is_other_kind(suffix) and suffix.lower() not in OTHER_MEDIA | IMAGE_SUFFIXES
    return is_no_media or suffix.lower().endswith(_COPY_ENDINGS)


def count_suffixes(suffixes: list[str]) -> dict[str, int]:
    """Count suffixes, the most frequent first; spellings that differ in case count together, as first spelled."""
    spelled: dict[str, str] = {}
    counts: dict[str, int] = {}
    for suffix in suffixes:
        name = spelled.setdefault(suffix.lower(), suffix)
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def describe_left_out(counts: Mapping[str, int]) -> str:
    """Phrase for people: "left out: 188 .jxl (pip install 'shamisa[jxl]'), 3 .mp4"; empty if nothing was."""
    return f"left out: {', '.join(map(_described, counts.items()))}" if counts else ""


def _described(item: tuple[str, int]) -> str:
    suffix, count = item
    extra = next((name for name, (_, suffixes) in EXTRAS.items() if suffix.lower() in suffixes), None)
    return f"{count:,} {suffix}" + (f" (pip install 'shamisa[{extra}]')" if extra else "")
