"""Loading the events table of a whole release, beside COPY of the same rows from a file."""

import time
from pathlib import Path
from statistics import median

import psycopg

from benchmarks.data import release
from benchmarks.installation import installed
from benchmarks.measure import Benchmark, Figure
from ingest.run import ingest_release
from schema import ddl
from schema.collection import Collection, collection_from
from schema.load import collection_schema
from vo_server import roles
from vo_server.settings import Settings

LIMIT = 3.0
REPEATS = 3


def load_events() -> list[Figure]:
    """From FITS files to rows (everything ingest does), and the same with the indexes made.

    The yardsticks are PostgreSQL's own COPY of the same rows, in its binary format, into a table of
    the same columns without indexes, and into one with the same indexes.
    """
    with release() as data, installed() as settings:
        collection = collection_from({"name": "bench", "events": True}, data.path)
        times = [_round(data.path, collection, settings) for _ in range(REPEATS)]
    rows, indexed, bare_copy, indexed_copy = (median(t) for t in zip(*times, strict=True))
    return [
        Figure("load_events: rows", rows, bare_copy, LIMIT, data.note),
        Figure("load_events: rows and indexes", indexed, indexed_copy, LIMIT, data.note),
    ]


def _round(path: Path, collection: Collection, settings: Settings) -> tuple[float, float, float, float]:
    with roles.owner(settings) as connection:
        _forget(connection, collection)
        start = time.perf_counter()
        loaded = [start]
        summary = ingest_release(
            path,
            collection,
            connection,
            lambda _: None,
            processes=settings.ingest_processes,
            progress=lambda done, total: loaded.append(time.perf_counter()),
        )
        whole = time.perf_counter() - start
        if summary.problems:
            raise RuntimeError(str(summary.problems[0]))
        bare, indexed = _copy(connection, collection, settings.data_dir / "events.copy")
    return loaded[-1] - start, whole, bare, indexed


def _copy(connection: psycopg.Connection, collection: Collection, file: Path) -> tuple[float, float]:
    """Seconds that COPY takes without and with the table's indexes."""
    events = next(t for t in collection_schema(collection).tables if t.name == "events")
    connection.execute(f"COPY {ddl.quoted(events)} TO {ddl.literal(str(file))} (FORMAT BINARY)")
    seconds = []
    for including in ("", "INCLUDING INDEXES"):
        connection.execute(f"CREATE TABLE copied (LIKE {ddl.quoted(events)} {including})")
        start = time.perf_counter()
        connection.execute(f"COPY copied FROM {ddl.literal(str(file))} (FORMAT BINARY)")
        seconds.append(time.perf_counter() - start)
        connection.execute("DROP TABLE copied")
    file.unlink()
    return seconds[0], seconds[1]


def _forget(connection: psycopg.Connection, collection: Collection) -> None:
    connection.execute("DELETE FROM ivoa.obscore")
    connection.execute("DELETE FROM vo.collection")
    connection.execute(f"DROP SCHEMA IF EXISTS {ddl.quote(collection.schema)} CASCADE")


BENCHMARKS: list[Benchmark] = [load_events]
