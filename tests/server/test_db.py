"""Queries as the public role: batches, cancelling, time limits, and what happens to the backend."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from vo_server import db, errors
from vo_server.db import Database
from vo_server.install import owner_url
from vo_server.settings import Settings

SLOW = "SELECT i, pg_sleep(0.02), repeat('x', 9000) FROM generate_series(1, 1000) AS i"
"""Each row fills the buffer that PostgreSQL sends at once."""


@pytest.fixture
def public(module_settings: Settings) -> Iterator[Database]:
    """A database with one connection, so that one that is not given back is missed."""
    database = Database(
        replace(module_settings, connections=1, sync_timeout=20.0, public_url="https://vo.example")
    )
    database.open()
    yield database
    database.close()


@pytest.fixture
def watcher(module_settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(owner_url(module_settings), autocommit=True) as connection:
        yield connection


def running(watcher: psycopg.Connection) -> list[str]:
    """What the public role's backends are doing now."""
    query = (
        "SELECT query FROM pg_stat_activity WHERE usename = 'vo_reader' AND datname = current_database()"
        " AND state = 'active'"
    )
    return [text for (text,) in watcher.execute(query)]


def settled(watcher: psycopg.Connection) -> bool:
    """True if no query of the public role runs, at the latest after two seconds."""
    deadline = time.monotonic() + 2
    while running(watcher) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running(watcher) == []


@pytest.mark.parametrize(("rows", "sizes"), [(0, []), (1, [1]), (10, [10]), (25, [10, 10, 5])])
def test_batches(public: Database, rows: int, sizes: list[int]) -> None:
    with public.stream("SELECT i FROM generate_series(1, $1::int) AS i", [rows], batch_size=10) as stream:
        batches = list(stream)
    assert [len(batch) for batch in batches] == sizes
    assert [i for batch in batches for (i,) in batch] == list(range(1, rows + 1))
    assert list(public.stream("SELECT 1")) == [[(1,)]]


def test_every_connection_reads_only_and_knows_the_public_url(public: Database) -> None:
    (row,) = public.fetch(
        "SELECT current_user, current_setting('transaction_read_only'), current_setting('vo.public_url'),"
        " current_setting('statement_timeout'), current_setting('work_mem'), current_setting('TimeZone')"
    )
    assert row == ("vo_reader", "on", "https://vo.example", "20s", "64MB", "UTC")
    ((limit,),) = public.stream("SELECT current_setting('statement_timeout')")
    assert limit == ("21620s",)


def test_the_first_batch_has_been_fetched(public: Database) -> None:
    with pytest.raises(errors.DataError, match=r"^The query fails on the data: division by zero$"):
        public.stream("SELECT 1 / (i - 1) FROM generate_series(1, 5) AS i")
    assert list(public.stream("SELECT 1")) == [[(1,)]]


def test_an_error_in_a_later_batch(public: Database) -> None:
    stream = public.stream("SELECT 1 / (i - 25) FROM generate_series(1, 50) AS i", batch_size=10)
    batches = iter(stream)
    assert len(next(batches)) == 10
    with stream, pytest.raises(errors.DataError):
        list(batches)
    assert list(public.stream("SELECT 1")) == [[(1,)]]


def test_cancelled_from_another_thread(public: Database, watcher: psycopg.Connection) -> None:
    stream = public.stream(SLOW, batch_size=5)
    timer = threading.Timer(0.2, stream.cancel)
    timer.start()
    start = time.monotonic()
    with stream, pytest.raises(errors.QueryCancelledError):
        list(stream)
    assert time.monotonic() - start < 5
    assert settled(watcher)
    assert list(public.stream("SELECT 1")) == [[(1,)]]


def test_a_cancel_after_the_end_harms_nobody(public: Database) -> None:
    stream = public.stream("SELECT 1")
    assert list(stream) == [[(1,)]]
    stream.cancel()
    stream.close()
    assert list(public.stream("SELECT 1")) == [[(1,)]]


def test_closed_midway(public: Database, watcher: psycopg.Connection) -> None:
    stream = public.stream(SLOW, batch_size=5)
    assert len(next(iter(stream))) == 5
    assert running(watcher) == [SLOW]
    stream.close()
    assert settled(watcher)
    assert list(public.stream("SELECT 1")) == [[(1,)]]


def test_the_time_limit(module_settings: Settings, watcher: psycopg.Connection) -> None:
    database = Database(replace(module_settings, connections=1, sync_timeout=0.3))
    database.open()
    try:
        with pytest.raises(errors.QueryTimeoutError):
            database.stream("SELECT pg_sleep(20)")
        assert settled(watcher)
        assert list(database.stream("SELECT 1")) == [[(1,)]]
    finally:
        database.close()


def test_the_time_of_the_reader_does_not_count(module_settings: Settings) -> None:
    """Three seconds of reading, two hundredths of each batch in the database: only these are limited."""
    database = Database(replace(module_settings, connections=1, sync_timeout=1.0))
    database.open()
    try:
        rows = 0
        with database.stream(SLOW.replace("1000", "20"), batch_size=5) as stream:
            for batch in stream:
                rows += len(batch)
                time.sleep(0.5)
        assert rows == 20
        with database.stream(SLOW, batch_size=5) as stream, pytest.raises(errors.QueryTimeoutError):
            list(stream)
        assert list(database.stream("SELECT 1")) == [[(1,)]]
    finally:
        database.close()


def test_small_queries_have_connections_of_their_own(
    public: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_WAIT_FOR_CONNECTION", 0.2)
    with public.stream(SLOW, batch_size=5):
        with pytest.raises(errors.OverloadError, match="try again later"):
            public.stream("SELECT 1")
        public.forget_catalogue()
        assert public.check() == []
        assert public.fetch("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT spoly '{(0,0),(1,1),(1,0),(0,1)}'", "a line segment overlaps or polygon too large"),
        ("SELECT spath '{(0d,0d),(180d,0d)}'", "segment length must be not equal 180"),
        ("SELECT spoly '{(0,0),(1,1)}'", "more than two points needed"),
        ("SELECT scircle(spoint(0, 0), 2.0)", "radius must be not greater than 90"),
    ],
)
def test_faults_of_shapes_are_the_users(public: Database, sql: str, message: str) -> None:
    with pytest.raises(errors.DataError, match=message):
        public.stream(sql)


def test_other_internal_errors_are_ours(public: Database) -> None:
    with pytest.raises(errors.ServerError):
        public.stream("SELECT array_in('{1}'::cstring, 999999, -1)")


def test_a_backend_that_dies(public: Database, watcher: psycopg.Connection) -> None:
    stream = public.stream(SLOW, batch_size=5)
    batches = iter(stream)
    next(batches)
    watcher.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'vo_reader' AND datname = current_database()"
    )
    with stream, pytest.raises(errors.OverloadError):
        list(batches)
    assert list(public.stream("SELECT 1")) == [[(1,)]]


def test_writing_is_our_error_and_tells_nothing(public: Database) -> None:
    with pytest.raises(errors.ServerError) as told:
        public.fetch("DELETE FROM ivoa.obscore")
    assert "obscore" not in str(told.value)


def test_the_catalogue_follows_the_database(public: Database, watcher: psycopg.Connection) -> None:
    assert [s.name for s in public.catalogue().schemas] == ["ivoa", "tap_schema"]
    assert public.collections() == ()
    assert public.check() == []
    watcher.execute("DELETE FROM tap_schema.columns; DELETE FROM tap_schema.key_columns;")
    watcher.execute(
        "DELETE FROM tap_schema.keys; DELETE FROM tap_schema.tables WHERE table_name = 'ivoa.obscore'"
    )
    assert public.check() == ["TAP_SCHEMA does not list ivoa.obscore."]
    watcher.execute("REVOKE SELECT ON ivoa.obscore FROM vo_reader")
    assert public.check() == ["The database does not answer."]
