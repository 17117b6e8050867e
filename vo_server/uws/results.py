"""The result store: results and uploaded tables of jobs, in a directory or an object store.

Names of objects: `<job>/<attempt>/<result>` and `<job>/upload/<digest of the name>`.
"""

import hashlib
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from vo_server.errors import ResultStoreError, TooLargeError
from vo_server.settings import Settings
from vo_server.uws.job import Job

PIECE: Final = 5 << 20
"""Bytes that travel to an object store at a time."""

_AT_ONCE: Final = 2
_READ: Final = 1 << 18


@cache
def object_store(url: str) -> ObjectStore:
    """The store behind a URL, one for each URL in a process; a path or file URL is a local directory."""
    path = url.removeprefix("file://")
    if path.startswith("/"):
        return LocalStore(path, mkdir=True, automatic_cleanup=True)
    return from_url(url)


class ResultStore:
    """Files of jobs. An object appears when it is complete, or not at all."""

    def __init__(self, settings: Settings) -> None:
        self._store = object_store(settings.result_store or str((settings.data_dir / "results").absolute()))
        self._limit = settings.result_bytes

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        """Store the chunks, in constant memory; return their size in bytes.

        What the chunks raise leaves no object behind. Raises TooLargeError above the limit of the settings,
        and ResultStoreError if the store fails.
        """
        counter = _Counter(chunks, self._limit)
        try:
            obstore.put(self._store, key, iter(counter), chunk_size=PIECE, max_concurrency=_AT_ONCE)
        except BaseError as error:
            raise ResultStoreError from error
        return counter.size

    def read(self, key: str) -> bytes:
        """A whole object. Raises FileNotFoundError."""
        return bytes(obstore.get(self._store, key).bytes())

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of an object from `start` up to, not including, `end`. Raises FileNotFoundError."""
        if start == end:
            return
        found = await obstore.get_async(self._store, key, options={"range": (start, end)})
        async for chunk in found.stream(min_chunk_size=_READ):
            yield bytes(chunk)

    def remove(self, key: str) -> None:
        """Delete an object; harmless if there is none."""
        self._delete([key])

    def jobs(self) -> set[str]:
        """The jobs that have objects here, or parts of such."""
        return {prefix.strip("/") for prefix in obstore.list_with_delimiter(self._store)["common_prefixes"]}

    def remove_attempt(self, job: Job) -> None:
        """Delete what this attempt of a job has written."""
        self._delete_below(f"{job.id}/{job.attempt}")

    def remove_earlier(self, job: Job) -> None:
        """Delete what earlier attempts of a job have left."""
        for attempt in range(1, job.attempt):
            self._delete_below(f"{job.id}/{attempt}")

    def remove_job(self, job_id: str) -> None:
        """Delete all objects of a job."""
        self._delete_below(job_id)

    def _delete_below(self, prefix: str) -> None:
        for page in obstore.list(self._store, prefix=prefix):
            self._delete([found["path"] for found in page])
        if isinstance(self._store, LocalStore) and self._store.prefix is not None:
            # A process that is killed leaves half a file, which the store does not list.
            shutil.rmtree(Path(self._store.prefix) / prefix, ignore_errors=True)

    def _delete(self, keys: list[str]) -> None:
        for key in keys:
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                continue


class _Counter:
    """Chunks on their way, and how many bytes they were; at most `limit`."""

    def __init__(self, chunks: Iterable[bytes], limit: int) -> None:
        self._chunks = chunks
        self._limit = limit
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            if self.size > self._limit:
                raise TooLargeError(
                    f"The result is larger than the {self._limit} bytes that a job may store here."
                    " Fewer columns or rows (TOP, MAXREC), or another format, make it smaller."
                )
            yield chunk


def result_key(job: Job, name: str) -> str:
    """Where this attempt of a job writes a result."""
    return f"{job.id}/{job.attempt}/{name}"


def upload_key(job_id: str, name: str) -> str:
    """Where a part of the job's multipart form lies."""
    return f"{job_id}/upload/{hashlib.sha256(name.encode()).hexdigest()[:32]}"
