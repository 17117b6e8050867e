"""Reads rows as the server does, for tests."""

import time
from collections.abc import Sequence
from typing import Any

import psycopg
import pyarrow as pa

from vo_server.rows import Reader, sources

Connection = psycopg.Connection[Any]

BATCH = 1 << 20


def never() -> bool:
    return False


def within(seconds: float) -> sources.Stop:
    """Never stops the query, but fails the test when it takes too long."""
    end = time.monotonic() + seconds

    def stop() -> bool:
        assert time.monotonic() < end, "it takes too long"
        return False

    return stop


def read(connection: Connection, sql: str, batch_bytes: int = BATCH) -> list[pa.RecordBatch]:
    """All batches; the connection must be idle then."""
    rows = Reader(connection, sql, batch_bytes, within(5))
    try:
        batches = list(iter(rows.next, None))
        assert rows.finished
    finally:
        rows.close()
    for batch in batches:
        batch.validate(full=True)
    return batches


def values(batches: Sequence[pa.RecordBatch], column: int = 0) -> list[Any]:
    return [value for batch in batches for value in batch.column(column).to_pylist()]


def pid(connection: Connection) -> int:
    found: int = connection.execute("SELECT pg_backend_pid()").fetchall()[0][0]
    return found


def usable(connection: Connection) -> bool:
    """By us and by libpq, over the same backend as ever."""
    ours = values(read(connection, "SELECT pg_backend_pid()"))
    return ours == [pid(connection)] == [connection.info.backend_pid]
