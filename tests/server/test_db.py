"""Queries as the public role: batches, cancelling, time limits, and what happens to the backend."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from schema.model import Column
from schema.types import INTEGER, TIMESTAMP
from vo_server import db, errors
from vo_server.db import Database, Stream
from vo_server.results.arrow import ARROW
from vo_server.results.result import Result
from vo_server.roles import owner_url
from vo_server.rows import sources
from vo_server.settings import Settings

SLOW = "SELECT i, pg_sleep(0.02)::text, repeat('x', 9000) FROM generate_series(1, 1000) AS i"
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


def answers(database: Database) -> bool:
    """Whether a query still gets its rows."""
    return rows_of(database.stream("SELECT 1::int")) == [1]


def rows_of(stream: Stream) -> list[Any]:
    """The values of the first column."""
    return [value for batch in stream for value in batch.column(0).to_pylist()]


@pytest.mark.parametrize(("rows", "most"), [(0, 0), (1, 1), (10, 2), (1000, 150)])
def test_batches(public: Database, rows: int, most: int) -> None:
    """A row is about 110 bytes."""
    sql = "SELECT i, repeat('x', 96) FROM generate_series(1, $1::int) AS i"
    with public.stream(sql, [rows], batch_bytes=1000) as stream:
        batches = list(stream)
    assert [i for batch in batches for i in batch.column(0).to_pylist()] == list(range(1, rows + 1))
    assert rows // 10 <= len(batches) <= most
    assert answers(public)


VALUES: list[Any] = [
    *(
        "a'b",
        "\\",
        "\\'; DROP TABLE x; --",
        "%s $1 {}",
        "é😀",
        "line\nfeed\r\t\x01",
        "$$x$$",
        '"',
        "E'",
        "$2",
    ),
    *(0, -5, 2**31, 2**62, -(2**63) + 1),
    *(1.1, -0.5, 1e-300, float("inf"), -0.0),
    None,
]


@pytest.mark.parametrize("value", VALUES)
def test_values_arrive_as_they_are(public: Database, value: Any) -> None:
    kind = {str: "text", int: "int8", float: "float8"}.get(type(value), "text")
    sql = f"""SELECT $1::{kind} AS "$1", '$1' AS b, (1-($1::{kind} IS NULL)::int-$2)::int8 AS c"""
    (batch,) = public.stream(sql, [value, -2])
    assert batch.column(0).to_pylist() == [value]
    assert batch.column(1).to_pylist() == ["$1"]
    assert batch.column(2).to_pylist() == [3 - (value is None)]
    assert batch.schema.names[0] == "$1"


@pytest.mark.parametrize("kind", sorted(set(ARROW) - {"spoint", "scircle", "spoly", "smoc"}))
@pytest.mark.parametrize("rows", [0, 2])
def test_values_of_every_type_arrive_as_expected(public: Database, kind: str, rows: int) -> None:
    """Also the arrays that geometries become; NULL, and no rows at all, change nothing."""
    text = {"t": "2020-01-01 12:00:00.5"}.get(kind[0], "1")
    value = f"{{{text},NULL}}" if kind.endswith("[]") else text
    sql = f"SELECT CASE WHEN i = 1 THEN $1::{kind} END AS x FROM generate_series(1, {rows}) AS i"
    batches = list(public.stream(sql, [value]))
    assert {b.schema.field(0).type for b in batches} == ({ARROW[kind]} if rows else set())
    if rows:
        (filled, missing) = batches[0].column(0).to_pylist()
        assert missing is None
        assert filled is not None


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "10000-01-01", "0001-01-01 BC"])
def test_timestamps_that_nothing_can_write_are_told(public: Database, moment: str) -> None:
    columns = [Column("t", TIMESTAMP)]
    answer = Result(columns, public.stream("SELECT $1::timestamp AS t", [moment]), 10)
    with pytest.raises(errors.DataError, match="Column t has a timestamp outside of the years 1 to 9999"):
        list(answer.batches())
    answer.close()


def test_a_column_of_another_type_is_our_error(public: Database) -> None:
    answer = Result([Column("n", INTEGER)], public.stream("SELECT 1.5::real AS n"), 10)
    with pytest.raises(errors.ServerError):
        list(answer.batches())
    answer.close()


def test_a_number_with_a_point_is_no_numeric(public: Database) -> None:
    (batch,) = public.stream("SELECT $1 / 3 AS x", [1.0])
    assert batch.schema.field(0).type == pa.float64()


def test_text_with_nul_is_refused(public: Database) -> None:
    with pytest.raises(errors.DataError):
        public.stream("SELECT $1::text", ["a\0b"])


def test_every_connection_reads_only_and_knows_the_public_url(public: Database) -> None:
    (row,) = public.fetch(
        "SELECT current_user, current_setting('transaction_read_only'), current_setting('vo.public_url'),"
        " current_setting('statement_timeout'), current_setting('work_mem'), current_setting('TimeZone')"
    )
    assert row == ("vo_reader", "on", "https://vo.example", "20s", "64MB", "UTC")
    (batch,) = public.stream(
        "SELECT current_user::text, current_setting('transaction_read_only'),"
        " current_setting('vo.public_url'), current_setting('statement_timeout'),"
        " current_setting('work_mem'), current_setting('TimeZone')"
    )
    assert [c.to_pylist() for c in batch.columns] == [
        [v] for v in ("vo_reader", "on", "https://vo.example", "21620s", "64MB", "UTC")
    ]


def test_the_first_batch_has_been_fetched(public: Database) -> None:
    with pytest.raises(errors.DataError, match=r"^The query fails on the data: division by zero$"):
        public.stream("SELECT 1 / (i - 1) FROM generate_series(1, 5) AS i")
    assert answers(public)


def test_an_error_in_a_later_batch(public: Database) -> None:
    stream = public.stream("SELECT 1 / (i - 25) FROM generate_series(1, 50) AS i", batch_bytes=80)
    batches = iter(stream)
    assert len(next(batches)) > 0
    with stream, pytest.raises(errors.DataError):
        list(batches)
    assert answers(public)


def test_cancelled_from_another_thread(public: Database, watcher: psycopg.Connection) -> None:
    stream = public.stream(SLOW, batch_bytes=5 * 9000)
    timer = threading.Timer(0.2, stream.cancel)
    timer.start()
    start = time.monotonic()
    with stream, pytest.raises(errors.QueryCancelledError):
        list(stream)
    assert time.monotonic() - start < 5
    assert settled(watcher)
    assert answers(public)


def test_a_cancel_after_the_end_harms_nobody(public: Database) -> None:
    stream = public.stream("SELECT 1")
    assert [batch.num_rows for batch in stream] == [1]
    stream.cancel()
    stream.close()
    assert answers(public)


def test_closed_midway(public: Database, watcher: psycopg.Connection) -> None:
    stream = public.stream(SLOW, batch_bytes=5 * 9000)
    assert len(next(iter(stream))) > 0
    assert [SLOW in text for text in running(watcher)] == [True]
    stream.close()
    assert settled(watcher)
    assert answers(public)


def test_the_time_limit(module_settings: Settings, watcher: psycopg.Connection) -> None:
    database = Database(replace(module_settings, connections=1, sync_timeout=0.3))
    database.open()
    try:
        with pytest.raises(errors.QueryTimeoutError):
            database.stream("SELECT 1 FROM pg_sleep(20)")
        assert settled(watcher)
        assert answers(database)
    finally:
        database.close()


def test_the_time_of_the_reader_does_not_count(module_settings: Settings) -> None:
    """Three seconds of reading, two hundredths of each batch in the database: only these are limited."""
    database = Database(replace(module_settings, connections=1, sync_timeout=1.0))
    database.open()
    try:
        rows = 0
        with database.stream(SLOW.replace("1000", "20"), batch_bytes=5 * 9000) as stream:
            for batch in stream:
                rows += len(batch)
                time.sleep(0.5)
        assert rows == 20
        with database.stream(SLOW, batch_bytes=5 * 9000) as stream, pytest.raises(errors.QueryTimeoutError):
            list(stream)
        assert answers(database)
    finally:
        database.close()


def test_small_queries_have_connections_of_their_own(
    public: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_WAIT_FOR_CONNECTION", 0.2)
    with public.stream(SLOW, batch_bytes=5 * 9000):
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


def test_what_our_functions_raise_is_told(public: Database, watcher: psycopg.Connection) -> None:
    watcher.execute(
        "CREATE FUNCTION public.refuse(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        " USING ERRCODE = 'data_exception', MESSAGE = 'no T-MOC'; END $$"
    )
    with pytest.raises(errors.DataError, match=r"^The query fails on the data: no T-MOC$") as told:
        public.stream("SELECT public.refuse(i) FROM generate_series(1, 3) AS i")
    assert told.value.sqlstate == "22000"


def test_a_value_that_becomes_too_large(public: Database) -> None:
    with pytest.raises(errors.DataError, match="a value becomes too large"):
        public.stream("SELECT repeat('x', 600000000) || repeat('x', 600000000)")


def test_other_internal_errors_are_ours(public: Database) -> None:
    with pytest.raises(errors.ServerError):
        public.stream("SELECT array_in('{1}'::cstring, 999999, -1)")


def test_a_backend_that_dies(public: Database, watcher: psycopg.Connection) -> None:
    stream = public.stream(SLOW, batch_bytes=5 * 9000)
    batches = iter(stream)
    next(batches)
    watcher.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'vo_reader' AND datname = current_database()"
    )
    with stream, pytest.raises(errors.OverloadError):
        list(batches)
    assert answers(public)


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


def backend(database: Database) -> int:
    (found,) = rows_of(database.stream("SELECT pg_backend_pid()"))
    return int(found)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 / 0",
        "SELECT nothing",
        "SELECT 1.5",
        "SELECT true FROM generate_series(1, 100000)",
        "SELECT 1 / (1000 - i), repeat('x', 900) FROM generate_series(1, 2000) AS i",
    ],
)
def test_a_failure_costs_no_connection(public: Database, sql: str) -> None:
    before = backend(public)
    with pytest.raises(errors.VOError), public.stream(sql, batch_bytes=5000) as stream:
        list(stream)
    assert backend(public) == before


def test_a_backend_that_does_not_listen(
    public: Database, watcher: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a query was sent: the next query must not become its other half."""
    monkeypatch.setattr(sources, "_WAIT_FOR_SENDING", 0.5)
    stopped = backend(public)
    os.kill(stopped, signal.SIGSTOP)
    try:
        with pytest.raises(errors.OverloadError):
            public.stream("SELECT length($1)", ["x" * 5_000_000])
    finally:
        os.kill(stopped, signal.SIGCONT)
    after: list[bool] = []
    asking = threading.Thread(target=lambda: after.append(answers(public)))
    asking.start()
    asking.join(3)
    watcher.execute("SELECT pg_terminate_backend(%s)", [stopped])
    asking.join(10)
    assert after == [True]


def test_text_is_utf8_whatever_the_environment_says(
    module_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    database = Database(replace(module_settings, connections=1))
    database.open()
    try:
        assert rows_of(database.stream("SELECT chr(233) || $1", ["é€"])) == ["éé€"]
        assert database.fetch("SELECT chr(8364)") == [("€",)]
    finally:
        database.close()


def test_sqlstates_are_known() -> None:
    """Those that psycopg knows; others by their first two characters."""
    found = [getattr(error, "sqlstate", None) for error in vars(psycopg.errors).values()]
    states = [state for state in found if isinstance(state, str)]
    assert len(states) > 200
    for state in states:
        assert db._class_of(state) is psycopg.errors.lookup(state)
    assert db._class_of("22VO1") is psycopg.errors.DataException
    assert db._class_of("57V99") is psycopg.errors.OperatorIntervention
    assert db._class_of("") is db._class_of("ZZ123") is psycopg.Error
