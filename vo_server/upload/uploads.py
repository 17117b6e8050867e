"""The uploads of one query, from their bytes to tables that its ADQL can name."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa

from schema.model import Catalogue, Schema, Table
from schema.types import Type
from vo_server.adql.translation import ResultColumn
from vo_server.cancellation import Cancellation
from vo_server.errors import OverloadError, QueryCancelledError, TooLargeError, UsageError
from vo_server.results.result import RowStream
from vo_server.roles import UPLOADS
from vo_server.settings import Settings
from vo_server.upload import formats, kinds, store
from vo_server.upload.model import Limits, UploadedTable
from vo_server.upload.parameters import Reference
from vo_server.upload.source import Parts, open_source

SCHEMA: Final = "tap_upload"

_AT_ONCE: Final = threading.BoundedSemaphore(2)
"""Uploads that are read at the same time: each may take several times its bytes in memory."""

_WAIT: Final = 30.0
"""Seconds to wait for one's turn."""


@dataclass
class Uploads:
    """The tables of one query. `drop` removes them; it must be called whatever happens."""

    settings: Settings
    tables: list[Table] = field(default_factory=list)
    returned: dict[str, Type] = field(default_factory=dict)

    def catalogue(self, published: Catalogue) -> Catalogue:
        """The published catalogue and these tables."""
        return published.extended([Schema(SCHEMA, tuple(self.tables))]) if self.tables else published

    def declared(self, columns: Sequence[ResultColumn]) -> tuple[ResultColumn, ...]:
        """Result columns, those that pass through from an upload with the types they came with."""
        return tuple(
            replace(c, type=self.returned[c.source]) if c.source in self.returned else c for c in columns
        )

    def dropped_after(self, stream: RowStream) -> RowStream:
        """The rows of a query on these tables, which go when it is closed."""
        return _DroppedAfter(stream, self) if self.tables else stream

    def drop(self) -> None:
        """Remove the tables from the database; harmless when repeated."""
        names = [t.stored_as[1] for t in self.tables if t.stored_as is not None]
        self.tables = []
        if names:
            store.drop(names, self.settings)


@dataclass
class _DroppedAfter:
    """Rows of a running query that reads uploads."""

    stream: RowStream
    uploads: Uploads

    @property
    def complete(self) -> bool:
        """Whether all rows have arrived."""
        return self.stream.complete

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(self.stream)

    def close(self) -> None:
        """End the query, then remove what it read; harmless when repeated."""
        try:
            self.stream.close()
        finally:
            self.uploads.drop()

    def cancel(self) -> None:
        """Stop the query, from any thread."""
        self.stream.cancel()


def load(
    references: Sequence[Reference], parts: Parts, settings: Settings, cancellation: Cancellation
) -> Uploads:
    """Read and store the uploads. Raises UsageError and TooLargeError with the name of the upload."""
    uploads = Uploads(settings)
    with ExitStack() as on_failure:
        on_failure.callback(uploads.drop)
        for reference in references:
            if cancellation.requested:
                raise QueryCancelledError
            _load(uploads, reference, parts)
        on_failure.pop_all()
    return uploads


def _load(uploads: Uploads, reference: Reference, parts: Parts) -> None:
    settings = uploads.settings
    limits = Limits(settings.upload_rows, settings.upload_bytes)
    try:
        with open_source(reference, parts, settings) as file:
            if not _AT_ONCE.acquire(timeout=_WAIT):
                raise OverloadError
            try:
                content = formats.read(file, limits)
                _store(uploads, reference.name, content)
            finally:
                _AT_ONCE.release()
    except (UsageError, TooLargeError) as error:
        raise type(error)(f"UPLOAD {reference.name}: {error}") from error


def _store(uploads: Uploads, name: str, content: UploadedTable) -> None:
    names = _unique([f.name for f in content.fields])
    storages = [
        kinds.storage(f, name, number, content.columns[number - 1])
        for number, (f, name) in enumerate(zip(content.fields, names, strict=True), start=1)
    ]
    stored_as = (UPLOADS, store.save(content, storages, uploads.settings))
    table = Table(SCHEMA, name, tuple(s.column for s in storages), stored_as=stored_as)
    uploads.tables.append(table)
    for storage in storages:
        uploads.returned[f"{table.full_name}.{storage.column.name}"] = storage.returned


def _unique(names: Sequence[str]) -> list[str]:
    """The names; of several that are the same, the later ones get a number."""
    taken: set[str] = set(names)
    seen: set[str] = set()
    found = []
    for name in names:
        chosen, number = name, 1
        while chosen in seen or (number > 1 and chosen in taken):
            number += 1
            chosen = f"{name}_{number}"
        seen.add(chosen)
        found.append(chosen)
    return found
