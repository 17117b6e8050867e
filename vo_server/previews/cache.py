"""Keeps previews that were made, in files under the data directory, up to a total size.

What is kept can be made again: any of it may be removed at any time.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from vo_server.files import written
from vo_server.settings import Settings

log = logging.getLogger(__name__)

_LOOK_EVERY: Final = 50
"""Writes between two looks at the size of the whole, since other processes write, too."""

_ROOM: Final = 0.9
"""Part of the limit that is left over when it was exceeded."""


class Entry(NamedTuple):
    """A file of the cache: size in bytes, when it was used last in seconds since 1970."""

    path: Path
    size: int
    used: float


class Cache:
    """The previews in a directory, each in a file named by its key; safe to use from many threads."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        self._writes = 0
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> "Cache":
        """The cache that the settings name."""
        return cls(settings.data_dir / "previews", settings.preview_cache * 1_000_000)

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def read(self, key: str) -> bytes | None:
        """A preview, None if it is not kept; one that is asked for is kept longer."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return content

    def write(self, key: str, content: bytes) -> None:
        """Keep a preview if there is room; it is never seen half written."""
        try:
            with written(self._path(key)) as file:
                file.write(content)
        except OSError as error:
            log.warning("a preview is not kept: %s", error)
        self._look()

    def entries(self) -> Iterator[Entry]:
        """All files, also those that a crash left unfinished."""
        for path in self._directory.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                yield Entry(path, found.st_size, found.st_mtime)

    def remove_others(self, keys: Collection[str]) -> list[Entry]:
        """Remove what has none of these keys, and return it. Raises OSError where that is not allowed."""
        others = [entry for entry in self.entries() if entry.path.name not in keys]
        for entry in others:
            entry.path.unlink(missing_ok=True)
        return others

    def trim(self) -> None:
        """Remove what was not used for longest, until the rest is within the limit."""
        entries = sorted(self.entries(), key=lambda entry: -entry.used)
        if sum(entry.size for entry in entries) <= self._limit:
            return
        total = 0
        for entry in entries:
            total += entry.size
            if total > self._limit * _ROOM:
                with contextlib.suppress(OSError):
                    entry.path.unlink()

    def _look(self) -> None:
        with self._lock:
            due = self._writes % _LOOK_EVERY == 0
            self._writes += 1
        if due:
            self.trim()

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / key
