"""Data files on disk: found as ingest recorded them, and opened without following any link."""

import contextlib
import hashlib
import logging
import os
import stat
from dataclasses import dataclass
from functools import lru_cache
from io import FileIO
from pathlib import PurePosixPath
from typing import Final

from vo_server.errors import ChangedFileError, MissingFileError

log = logging.getLogger(__name__)

_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Record:
    """A file as ingest recorded it: resolved path, size in bytes, SHA-256, st_mtime in s since 1970.

    `modified` is None where an ingest of earlier versions did not record it.
    """

    path: str
    size: int
    checksum: str
    modified: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """An HDU, by its name, or number where it has none, of a file as ingest recorded it."""

    record: Record
    hdu: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file as it was when it was looked at; `tag` differs for every content that the file has had.

    `modified_ns` is st_mtime in ns since 1970, `inode` the device and the number of the file there.
    """

    path: str
    size: int
    modified_ns: int
    inode: tuple[int, int]
    tag: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    def open(self) -> FileIO:
        """The file, unbuffered; raises MissingFileError, and ChangedFileError if it is not the same."""
        stream = _open(self.path)
        found = os.fstat(stream.fileno())
        if (found.st_size, found.st_mtime_ns, _inode(found)) != (self.size, self.modified_ns, self.inode):
            stream.close()
            raise ChangedFileError
        return stream


def look(record: Record) -> DataFile:
    """The file as it is now, whether or not it has changed. Raises MissingFileError.

    The tag is the recorded checksum where size and time are still the recorded ones, and made of size,
    time and inode where the file has changed since.
    """
    with _open(record.path) as stream:
        found = os.fstat(stream.fileno())
    unchanged = (found.st_size, found.st_mtime) == (record.size, record.modified)
    inode = _inode(found)
    now = f"{found.st_size:x}-{found.st_mtime_ns:x}-{inode[0]:x}-{inode[1]:x}"
    tag = record.checksum if unchanged else now
    return DataFile(record.path, found.st_size, found.st_mtime_ns, inode, tag)


def unchanged(record: Record) -> DataFile:
    """The file, with the content that ingest saw: its tag is the recorded checksum.

    A file with another time is read once, to compare checksums. Raises MissingFileError, ChangedFileError.
    """
    found = look(record)
    if found.tag == record.checksum:
        return found
    if found.size != record.size or _checksum(found) != record.checksum:
        raise ChangedFileError
    return DataFile(found.path, found.size, found.modified_ns, found.inode, record.checksum)


@lru_cache(maxsize=4096)
def _checksum(file: DataFile) -> str:
    with file.open() as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _open(path: str) -> FileIO:
    """Open a regular file by its resolved path, so that no part of it may be a link.

    Recorded paths hold no links: one that has one now may lead anywhere.
    """
    try:
        looked = _open_and_look(path)
        descriptor = _open_by_steps(path) if looked is None else looked
    except OSError as error:
        log.warning("a published file cannot be opened (links are not followed): %s: %s", path, error)
        raise MissingFileError from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        log.warning("a published file is no regular file any more: %s", path)
        raise MissingFileError
    return open(descriptor, "rb", buffering=0)


def _open_and_look(path: str) -> int | None:
    """A descriptor, if the kernel says that what was opened lies at this very path; else None.

    A fifth of the time of `_open_by_steps`, which decides wherever this one cannot.
    """
    descriptor = os.open(path, _FILE)
    with contextlib.suppress(OSError):
        if os.readlink(f"/proc/self/fd/{descriptor}") == path:
            return descriptor
    os.close(descriptor)
    return None


def _open_by_steps(path: str) -> int:
    """A descriptor, got folder by folder, since a look at the path beforehand could be outrun."""
    *folders, name = PurePosixPath(path).parts[1:]
    directory = os.open("/", _DIRECTORY)
    try:
        for folder in folders:
            above, directory = directory, os.open(folder, _DIRECTORY, dir_fd=directory)
            os.close(above)
        return os.open(name, _FILE, dir_fd=directory)
    finally:
        os.close(directory)


def _inode(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
