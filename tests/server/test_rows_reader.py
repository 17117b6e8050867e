"""Queries over a real connection, read by both sources, beside what psycopg says of the same queries."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.reading import BATCH, Connection, never, pid, read, usable, values, within
from tests.server.test_rows_decoder import VALUES, same
from vo_server.roles import owner_url
from vo_server.rows import BackendError, Reader, RowsError, cancel, sources
from vo_server.rows.sources import Copied, Direct
from vo_server.settings import Settings


@pytest.fixture(scope="module")
def opened(module_settings: Settings) -> Iterator[Callable[[], Connection]]:
    """Makes connections to a database with functions to try."""
    made: list[Connection] = []

    def connect() -> Connection:
        url = owner_url(module_settings)
        made.append(psycopg.connect(url, autocommit=True, gssencmode="disable", connect_timeout=10))
        return made[-1]

    first = connect()
    first.execute(
        "CREATE FUNCTION loud(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'at %', i;"
        " PERFORM set_config('application_name', 'row ' || i, false); RETURN i; END $$;"
        "CREATE FUNCTION broken(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF i > 2 THEN"
        " RAISE EXCEPTION USING ERRCODE = '22VO1', MESSAGE = 'zu viel: é'; END IF; RETURN i; END $$;"
        "CREATE FUNCTION deep(i int) RETURNS int LANGUAGE sql AS $$ SELECT broken(i) / 1 $$;"
    )
    yield connect
    for connection in made:
        connection.close()


@pytest.fixture
def connection(opened: Callable[[], Connection]) -> Iterator[Connection]:
    made = opened()
    yield made
    made.close()


@pytest.fixture(params=[Direct, Copied])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Which source is chosen."""
    monkeypatch.setattr(sources, "_may_be_encrypted", lambda _: request.param is Copied)
    return request.param


EXTREMES: dict[str, list[str]] = {
    "int2": ["-32768", "32767", "0", "-1"],
    "int4": ["-2147483648", "2147483647", "-1"],
    "int8": ["-9223372036854775808", "9223372036854775807", "-1"],
    "float4": ["-0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "0.1"],
    "float8": ["-0", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "0.1"],
    "text": ["", "é😀", "NULL", "\\", "{", '"', "a\nb\tc\r", "\x01\x7f", "x" * 9000],
    "varchar": ["", "é😀", " ", "\u2028", "\\N", "\\."],
    "timestamp": [
        "0001-01-01",
        "1969-12-31 23:59:59.999999",
        "1999-12-31 23:59:59.999999",
        "2000-01-01",
        "2016-12-31 23:59:60",
        "9999-12-31 23:59:59.999999",
    ],
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_values(connection: Connection, kind: type, name: str) -> None:
    given = [*EXTREMES[name], None]
    if name in {"text", "varchar"}:
        given.append("long é " * 200_000)
    sql = (
        f"SELECT x, ARRAY[x], ARRAY[x, NULL, x], ARRAY[[x, NULL], [x, x]], '{{}}'::{name}[], NULL::{name}[],"
        f" ARRAY[]::{name}[], ARRAY[NULL]::{name}[] FROM unnest(%s::text[]::{name}[]) AS x"
    )
    text = psycopg.ClientCursor(connection).mogrify(sql, [given])
    wanted = connection.execute(text, binary=True).fetchall()
    found = read(connection, text)
    for number in (0, 1, 2, 4, 5, 6, 7):
        assert same(values(found, number), [line[number] for line in wanted])
    assert same(values(found, 3), [[x, None, x, x] for x, *_ in wanted])
    assert usable(connection)


ROWS = st.lists(
    st.tuples(
        *(st.none() | VALUES[n] for n in VALUES),
        *(st.none() | st.lists(st.none() | VALUES[n], max_size=4) for n in VALUES),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.integers(5, 3000))
def test_any_values(
    connection: Connection, kind: type, rows: list[tuple[Any, ...]], batch_bytes: int
) -> None:
    """As psycopg reads them, whatever the batches."""
    kinds = [*VALUES, *(f"{name}[]" for name in VALUES)]
    line = "({})".format(", ".join(f"(%s)::{name}" for name in kinds))
    sql = "VALUES " + ", ".join([line] * len(rows))
    text = psycopg.ClientCursor(connection).mogrify(sql, [value for values in rows for value in values])
    wanted = connection.execute(text, binary=True).fetchall()
    found = read(connection, text, batch_bytes)
    for number in range(len(kinds)):
        assert same(values(found, number), [line[number] for line in wanted]), kinds[number]


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "10000-01-01", "4713-01-01 BC", "290000-01-01"])
def test_moments_that_python_does_not_know(connection: Connection, kind: type, moment: str) -> None:
    ((wanted,),) = connection.execute(
        "SELECT CASE WHEN isfinite(t) THEN (extract(epoch FROM t) * 1000000)::numeric(30, 0)"
        f" WHEN t > now() THEN {2**63 - 1} ELSE {-(2**63)} END FROM (VALUES ('{moment}'::timestamp)) AS x (t)"
    ).fetchall()
    (batch,) = read(connection, f"SELECT '{moment}'::timestamp, ARRAY['{moment}'::timestamp]")
    assert batch.column(0).cast(pa.int64()).to_pylist() == [int(wanted)]
    assert batch.column(1).values.cast(pa.int64()).to_pylist() == [int(wanted)]


def test_many_columns(connection: Connection, kind: type) -> None:
    columns = [f"{n}::int4 AS c{n}, NULL::text AS t{n}" for n in range(800)]
    found = pa.Table.from_batches(read(connection, f"SELECT {', '.join(columns)} FROM generate_series(1, 3)"))
    assert (found.num_columns, found.num_rows) == (1600, 3)
    assert found.schema.names[1598:] == ["c799", "t799"]
    assert [c.to_pylist() for c in found.columns[1598:]] == [[799] * 3, [None] * 3]


def test_names(connection: Connection, kind: type) -> None:
    name = "é😀" * 20
    (batch,) = read(connection, f'SELECT 1 AS "a b", 2 AS "a b", 3, 4 AS "{name}"')
    assert batch.schema.names[:3] == ["a b", "a b", "?column?"]
    assert name.startswith(batch.schema.names[3])
    assert len(batch.schema.names[3].encode()) > 57


def test_a_row_larger_than_a_batch(connection: Connection, kind: type) -> None:
    sql = "SELECT i, repeat('é', i * 500000) FROM unnest(ARRAY[0, 20, 1, 0, 0, 2, 0]) AS i"
    batches = read(connection, sql, 1000)
    assert values(batches) == [0, 20, 1, 0, 0, 2, 0]
    assert [len(text) for text in values(batches, 1)] == [i * 500000 for i in (0, 20, 1, 0, 0, 2, 0)]


@pytest.mark.parametrize("batch_bytes", [5, 100, 65536, BATCH])
def test_many_rows(connection: Connection, kind: type, batch_bytes: int) -> None:
    count = 20 * min(batch_bytes, 2000)
    batches = read(connection, f"SELECT i, i::text FROM generate_series(1, {count}) AS i", batch_bytes)
    assert values(batches) == list(range(1, count + 1))
    assert values(batches, 1) == [str(i) for i in range(1, count + 1)]


def test_no_rows(connection: Connection, kind: type) -> None:
    assert read(connection, "SELECT 1 WHERE false") == []
    assert usable(connection)


def test_statements_without_rows(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_may_be_encrypted", lambda _: False)
    for sql in ("", " -- nothing", ";", "SET application_name = 'x'", "CREATE TEMP TABLE t (i int)"):
        assert read(connection, sql) == []
        assert usable(connection)


def test_a_long_query(connection: Connection, kind: type) -> None:
    """Longer than what a socket takes at once."""
    rows = Reader(connection, f"SELECT length('{'x' * 20_000_000}')", BATCH, within(5))
    batch = rows.next()
    assert batch is not None
    assert batch.column(0).to_pylist() == [20_000_000]
    assert rows.next() is None
    rows.close()


def test_notices_and_settings_among_the_rows(connection: Connection, kind: type) -> None:
    batches = read(connection, "SELECT loud(i), repeat('x', 500) FROM generate_series(1, 2000) AS i", 10_000)
    assert values(batches) == list(range(1, 2001))
    assert usable(connection)


FAILURES = [
    "SELEC 1",
    "SELECT nothing",
    "SELECT 1 FROM nowhere",
    "SELECT 1 / 0",
    "SELECT 'x'::text || chr(0)",
    "SELECT 'abc'::int",
    "SELECT 1 / (100000 - i) FROM generate_series(1, 200000) AS i",
    "SELECT broken(i) FROM generate_series(1, 5) AS i",
    "SELECT deep(i) FROM generate_series(1, 5) AS i",
    "SELECT i, repeat('x', 9000), sqrt(50 - i) FROM generate_series(1, 100) AS i",
]


def told(connection: Connection, run: Callable[[], object]) -> tuple[str | None, str | None, str]:
    """What an error says, and what of it the server's errors are made of."""
    try:
        run()
    except BackendError as error:
        return error.sqlstate, error.message, error.context
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary, error.diag.context or ""
    raise AssertionError("no error")


@pytest.mark.parametrize("sql", FAILURES)
@pytest.mark.parametrize("batch_bytes", [20_000, BATCH])
def test_errors(connection: Connection, kind: type, sql: str, batch_bytes: int) -> None:
    """As psycopg has them; the connection is used again, and with both sources."""
    wanted = told(connection, lambda: connection.execute(sql))
    assert told(connection, lambda: read(connection, sql, batch_bytes)) == wanted
    assert usable(connection)


def test_the_rows_before_an_error_come(connection: Connection, kind: type) -> None:
    sql = "SELECT i, 1 / (100000 - i) FROM generate_series(1, 200000) AS i"
    rows = Reader(connection, sql, BATCH, never)
    found: list[pa.RecordBatch] = []
    with pytest.raises((BackendError, psycopg.Error), match="division by zero"):
        found.extend(iter(rows.next, None))
    rows.close()
    assert values(found) == list(range(1, 100000))


@pytest.mark.parametrize("cast", ["numeric", "bool::int::bool", "oid", "bpchar", "name"])
def test_types_that_cannot_be_read(connection: Connection, kind: type, cast: str) -> None:
    rows = Reader(connection, f"SELECT '1'::{cast} FROM generate_series(1, 100000)", BATCH, never)
    for _ in range(2):
        with pytest.raises(RowsError):
            rows.next()
    cancel(connection)
    rows.drain()
    assert rows.finished
    rows.close()
    assert usable(connection)


def test_void(connection: Connection, kind: type) -> None:
    rows = Reader(connection, "SELECT pg_sleep(0)", BATCH, never)
    with pytest.raises(RowsError):
        rows.next()
    rows.drain()
    rows.close()
    assert usable(connection)


SLOW = {
    "waits": "SELECT 1 FROM pg_sleep(30)",
    "sorts": "SELECT i FROM generate_series(1, 30000000) AS i ORDER BY md5(i::text)",
    "streams": "SELECT generate_series(1, 100000000), repeat('x', 1000)",
    "trickles": "SELECT i, pg_sleep(0.05)::text, repeat('x', 9000) FROM generate_series(1, 1000) AS i",
}


@pytest.mark.parametrize("sql", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("after", [0.0, 0.1])
def test_stopped(connection: Connection, kind: type, sql: str, after: float) -> None:
    """At any time, and soon."""
    end = time.monotonic() + after
    rows = Reader(connection, sql, BATCH, lambda: time.monotonic() > end)
    with pytest.raises((BackendError, psycopg.Error)) as found:
        list(iter(rows.next, None))
    assert getattr(found.value, "sqlstate", "") == "57014"
    assert time.monotonic() < end + 5
    rows.drain()
    rows.close()
    assert usable(connection)


@pytest.mark.parametrize("sql", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("batches", [0, 1])
def test_left(connection: Connection, kind: type, sql: str, batches: int) -> None:
    """Cancelled from outside and drained, with and without batches read before."""
    backend = pid(connection)
    rows = Reader(connection, sql, BATCH, never)
    if batches and ("repeat" in sql):
        assert rows.next() is not None
    time.sleep(0.05)
    end = time.monotonic() + 5
    while not rows.finished and time.monotonic() < end:
        # Over TLS nothing has been sent before it is asked for.
        killer = threading.Timer(0.1, cancel, [connection])
        killer.start()
        rows.drain()
        killer.join()
    rows.close()
    assert usable(connection)
    assert pid(connection) == backend


def test_a_cancel_after_the_end(connection: Connection, kind: type) -> None:
    for _ in range(20):
        read(connection, "SELECT 1")
        cancel(connection)
    assert usable(connection)


def test_a_backend_that_dies(opened: Callable[[], Connection], connection: Connection, kind: type) -> None:
    mine = opened()
    rows = Reader(mine, SLOW["trickles"], 20_000, never)
    assert rows.next() is not None
    connection.execute("SELECT pg_terminate_backend(%s)", [mine.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        list(iter(rows.next, None))
    with pytest.raises(psycopg.OperationalError):
        rows.drain()
    rows.close()
    cancel(mine)


def test_a_connection_that_is_dead_before(
    opened: Callable[[], Connection], connection: Connection, kind: type
) -> None:
    mine = opened()
    connection.execute("SELECT pg_terminate_backend(%s, 5000)", [mine.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        read(mine, "SELECT 1")
    mine.close()
    with pytest.raises(psycopg.OperationalError):
        read(mine, "SELECT 1")


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("sql", ["SELECT '\0'", "SELECT '\ud800'"])
def test_text_that_cannot_be_sent(connection: Connection, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left open."""
    monkeypatch.setattr(sources, "_may_be_encrypted", lambda _: False)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        Reader(connection, sql, BATCH, never)
    assert len(os.listdir("/proc/self/fd")) == before
    assert usable(connection)


def test_a_backend_that_does_not_listen(
    opened: Callable[[], Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query half of which was sent: nobody may use the connection again."""
    monkeypatch.setattr(sources, "_WAIT_FOR_SENDING", 0.5)
    mine = opened()
    backend = mine.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(psycopg.OperationalError):
            Direct(mine, f"SELECT length('{'x' * 20_000_000}')", never)
    finally:
        os.kill(backend, signal.SIGCONT)
    assert mine.closed
