"""Inputs of a large job: images in folders and object stores, and in tars as webdataset writes them."""

from __future__ import annotations

import errno
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from shamisa_cli.core.cluster.retrying import DAMAGE, as_os_errors
from shamisa_cli.core.errors import ImageError, InputNotFoundError, SettingError, reason_of
from shamisa_cli.core.existence import is_dir, is_file
from shamisa_cli.core.home import expanded
from shamisa_cli.core.images.discovery import discover
from shamisa_cli.core.images.kinds import readable_suffixes
from shamisa_cli.core.images.listing import is_passed_over
from shamisa_cli.core.scoring.feature_formats import FileStamp, portable, within_tables

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
SCHEME = "://"
TAR_SCHEME = "tar://"
CHAIN = "::"
"""fsspec's separator of a member and its archive: tar://0001.jpg::s3://bucket/000.tar."""
MOST_BYTES = 2**30
"""Largest stored image, in bytes; larger ones are refused, since each is read as a whole."""
UNPARSABLE = (ValueError, IndexError, OverflowError)
"""Errors that tarfile raises for some invalid headers, besides its own."""

LASTING = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""Numbers of errors that trying again does not help against."""

Content = bytes | ImageError
"""The bytes of a stored image, or the error that prevented reading it."""


@dataclass(frozen=True)
class Sources:
    """Images and tars that were found, each once, sorted by name.

    Attributes:
        pictures: files and objects by their address, which fsspec opens; it may hold bytes that are not UTF-8.
        tars: archives of pictures.
    """

    pictures: tuple[FileStamp, ...]
    tars: tuple[FileStamp, ...]


def find_sources(named: Sequence[str | Path], *, listed: Sequence[str | Path] = (), recursive: bool = True) -> Sources:
    """Find images and tars.

    A file that is missing is kept, with size and time 0, where anything else is found; reading it gives an error.

    Args:
        named: files, folders and globs on this machine, or addresses such as s3://bucket/photos that fsspec knows.
            Folders and prefixes stand for their images (see `discover`) and their tars.
        listed: further files from a list, of which all may be missing.

    Raises:
        InputNotFoundError: nothing is found, or a folder holds nothing.
        SettingError: fsspec does not support such addresses, or lacks a package they need.
        OSError: the store fails or cannot be reached.
    """
    found: dict[str, FileStamp] = {}
    missing: list[InputNotFoundError] = []
    for each in map(str, (*named, *listed)):
        found.update((stamp.path, stamp) for stamp in _stamps_or_name(each, recursive, missing))
    if missing and len(missing) == len(named) and not listed:
        raise missing[0]
    ordered = [found[address] for address in sorted(found)]
    return Sources(
        tuple(stamp for stamp in ordered if not is_tar(stamp.path)),
        tuple(stamp for stamp in ordered if is_tar(stamp.path)),
    )


def is_tar(address: str) -> bool:
    """Whether a file of this name is treated as an archive of images."""
    return address.lower().endswith(TAR_SUFFIXES) and not address.startswith(TAR_SCHEME)


def read_bytes(picture: FileStamp) -> Content:
    """Read the bytes of an image.

    Raises:
        OSError: the store fails or cannot be reached; trying again may help.
    """
    name = portable(picture.path)
    if picture.size > MOST_BYTES:
        return _too_large(name)
    try:
        with _opened(picture.path) as stream:
            # With a known size, no buffer of the largest size is allocated.
            data: bytes = stream.read() if picture.size else stream.read(MOST_BYTES + 1)
            return data if len(data) <= MOST_BYTES else _too_large(name)
    except FileNotFoundError:
        return ImageError(name, "missing", f"{name} does not exist, or was removed.")
    except OSError as error:
        if error.errno not in LASTING:
            raise
        return ImageError(name, "unreadable", f"{name} cannot be read: {error.strerror}.")


def iter_tar(tar: FileStamp) -> Iterator[tuple[FileStamp, Content]]:
    """Yield the images in a tar, in order, each with an address that fsspec opens: tar://a/1.jpg::s3://bucket/0.tar.

    The archive is read once from beginning to end, one image at a time. Of a damaged archive, the images before the
    damage are yielded, then an error with the address of the tar itself; likewise for a tar that was listed but
    missing when the job began.

    Raises:
        OSError: the store fails or cannot be reached; trying again may help.
    """
    name = portable(tar.path)
    try:
        with _opened(tar.path) as stream, _parsing(), tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in archive:
                if not member.isdir() and _is_picture(member.name):
                    address = portable(f"{TAR_SCHEME}{member.name}{CHAIN}{tar.path}")
                    yield FileStamp(address, member.size, tar.mtime), _entry(archive, member, address)
            if archive.fileobj is not None and archive.fileobj.tell() < archive.offset + tarfile.BLOCKSIZE:
                raise EOFError("it has no end")  # tarfile accepts an archive without its closing blocks as complete
    except FileNotFoundError:
        if tar.size or tar.mtime:
            raise
        yield tar, ImageError(name, "missing", f"{name} does not exist, or was removed.")
    except DAMAGE as error:
        reason = f"{name} is damaged or cut short ({reason_of(error)}). Copy or download it again."
        yield tar, ImageError(name, "truncated", reason)


@contextmanager
def _parsing() -> Iterator[None]:
    try:
        yield
    except UNPARSABLE as error:
        raise tarfile.ReadError(str(error)) from error


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo, address: str) -> Content:
    if member.size > MOST_BYTES:
        return _too_large(address)
    file = archive.extractfile(member) if member.isfile() else None  # what a link leads to may have gone by
    why = f"{address} is a link. Make the archive with tar --dereference --hard-dereference."
    return ImageError(address, "unsupported", why) if file is None else file.read()


def _too_large(name: str) -> ImageError:
    return ImageError(name, "too-large", f"{name} is larger than {MOST_BYTES:,} bytes, the limit for a picture.")


def file_system(address: str) -> tuple[Any, str]:
    """fsspec's file system for a folder or an address, and the path in it.

    Raises:
        SettingError: fsspec does not support such addresses, or lacks a package (the text says which); or it is a
            chain of addresses other than that of an image in a tar.
        OSError: the store fails or cannot be reached.
    """
    from fsspec.core import url_to_fs

    if SCHEME in address and CHAIN in address and not address.startswith(TAR_SCHEME):
        raise SettingError(f"{address} is a chained address; only {TAR_SCHEME}…{CHAIN}… is supported.")
    try:
        with as_os_errors(address):
            files, root = url_to_fs(address)
    except OSError as error:
        if isinstance(error.__cause__, ImportError | ValueError):
            raise SettingError(f"{address} cannot be opened: {reason_of(error.__cause__)}.") from error
        raise
    except DAMAGE as error:
        raise SettingError(f"{address} cannot be opened: {reason_of(error)}.") from error
    return files, root


@contextmanager
def _opened(address: str) -> Iterator[BinaryIO]:
    if SCHEME not in address:
        with Path(address).open("rb") as stream:
            yield stream
        return
    import fsspec

    with as_os_errors(address), fsspec.open(address, "rb") as stream:
        yield stream


def _stamps_at(name: str, recursive: bool) -> list[FileStamp]:
    stamps = _remote(name, recursive) if SCHEME in name else _local(name, recursive)
    if not stamps:
        raise InputNotFoundError(f"There are no pictures and no tar files at {name}. Check the spelling.")
    return stamps


def _place(name: str) -> Path:
    try:
        return expanded(name)
    except SettingError:
        return Path(name)  # reading it will give the error


def _stamps_or_name(name: str, recursive: bool, missing: list[InputNotFoundError]) -> list[FileStamp]:
    try:
        return _stamps_at(name, recursive)
    except InputNotFoundError as error:
        missing.append(error)
        path = _place(name)
        if SCHEME not in name and is_dir(path):
            raise
        return [FileStamp(name, 0, 0) if SCHEME in name else _stamp_or_name(path)]


def _stamp_or_name(path: Path) -> FileStamp:
    """The stamp of a file, with size and time 0 if it cannot be reached: reading it will give the error."""
    # Workers may run in another folder, so paths are absolute.
    try:
        return FileStamp.of_openable(path.absolute())
    except OSError:
        return FileStamp(str(path.absolute()), 0, 0)


def _local(name: str, recursive: bool) -> list[FileStamp]:
    path = _place(name)
    tars = [path] if is_tar(name) and is_file(path) else _tars_in(path, recursive)
    try:
        pictures = [] if path in tars else discover([path], recursive=recursive)
    except InputNotFoundError:
        if not tars:
            raise
        pictures = []
    return [_stamp_or_name(found) for found in (*pictures, *tars)]


def _tars_in(folder: Path, recursive: bool) -> list[Path]:
    if not is_dir(folder):
        return []
    inside = folder.rglob("*") if recursive else folder.glob("*")
    tars = (path for path in inside if is_tar(path.name) and is_file(path))
    return [path for path in tars if _is_visible(path.relative_to(folder).as_posix())]


def _remote(address: str, recursive: bool) -> list[FileStamp]:
    try:
        store, root = file_system(address)
    except FileNotFoundError:  # the tar that the address is in
        return []
    with as_os_errors(address):
        found = _found(store, root, recursive)
    inside_of = address[address.index(CHAIN) :] if CHAIN in address else ""
    return [
        FileStamp(f"{store.unstrip_protocol(name)}{inside_of}", int(info["size"] or 0), _changed(info))
        for name, info in found.items()
    ]


def _found(store: Any, root: str, recursive: bool) -> dict[str, Mapping[str, Any]]:
    """List the images and tars below `root`: name in the store → fsspec's information about it."""
    is_pattern = any(character in root for character in "*?[") and not store.exists(root)
    matches = store.glob(root) if is_pattern else [root]
    found: dict[str, Mapping[str, Any]] = {}
    for match in matches:
        if not store.exists(match):
            continue
        info = store.info(match)
        if info["type"] != "directory":
            found[match] = info
            continue
        for name, entry in store.find(match, maxdepth=None if recursive else 1, detail=True).items():
            inside = name[len(match) :]
            if _is_visible(inside) and (_is_picture(inside) or is_tar(inside)):
                found[name] = entry
    return found


def _changed(info: Mapping[str, Any]) -> int:
    """Time of an object's last change in nanoseconds; 0 if its store gives none in a known form."""
    for key in ("LastModified", "last_modified", "updated", "mtime", "created"):
        value = info.get(key)
        try:
            if isinstance(value, str):
                value = datetime.fromisoformat(value)
            if isinstance(value, datetime):
                value = value.timestamp()
            if isinstance(value, int | float):
                return within_tables(int(value) * 10**9)
        except (ValueError, OverflowError):
            return 0
    return 0


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in readable_suffixes() and _is_visible(name)


def _is_visible(name: str) -> bool:
    return not any(map(is_passed_over, set(PurePosixPath(name).parts) - {".", "..", "/"}))
