"""Queries over a real connection, read by both sources, beside what psycopg says of the same queries."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.test_rows_decoder import VALUES, message, oid, row, same
from vo_server import cluster
from vo_server.roles import owner_url
from vo_server.rows import BackendError, Reader, RowsError, cancel, protocol, reader, sources
from vo_server.rows.protocol import Description
from vo_server.rows.sources import Copied, Direct
from vo_server.settings import Settings

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


class Handed:
    """A source that hands out octets, as many at a time as the sizes tell, again and again."""

    def __init__(self, octets: bytes, sizes: Sequence[int]) -> None:
        self.octets, self.sizes, self.times, self.position = octets, sizes, 0, 0

    def receive(self, room: memoryview) -> int:
        assert len(room), "no room"
        assert self.position < len(self.octets), "asked after the end"
        size = min(self.sizes[self.times % len(self.sizes)], len(room), len(self.octets) - self.position)
        self.times += 1
        room[:size] = self.octets[self.position : self.position + size]
        self.position += size
        return size

    def close(self) -> None:
        pass


class Counted(Reader):
    """Gives up rather than turn in circles."""

    turns = 0

    def _gather(self) -> None:
        self.turns += 1
        assert self.turns < 20_000, "turns in circles"
        super()._gather()


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Counted]:
    monkeypatch.setattr(reader, "_NAP", 0)

    def start(octets: bytes, sizes: Sequence[int], batch_bytes: int) -> Counted:
        monkeypatch.setattr(reader, "source", lambda *_: Handed(octets, sizes))
        return Counted(None, "", batch_bytes, never)  # type: ignore[arg-type]

    return start


KINDS = ["int4", "text", "text[]", "float8[]", "timestamp"]
LINES: list[list[Any]] = [
    [
        n,
        "x" * (n % 23) if n % 3 else None,
        ["é", None][: n % 4],
        [0.5] * (n % 5),
        datetime(2000 + n % 20, 1, 2),
    ]
    for n in range(17)
]
NOTICE = b"N\0\0\0\x0bSHINT\0\0"
STATUS = b"S\0\0\0\x08a\0b\0"
READY = b"Z\0\0\0\5I"
BEGIN = b"1\0\0\0\4" + b"2\0\0\0\4" + NOTICE + protocol.described(Description(KINDS, [oid(k) for k in KINDS]))
END = b"C\0\0\0\x0dSELECT 3\0" + STATUS + READY


def answer() -> bytes:
    between = [b"", NOTICE, STATUS + NOTICE]
    return BEGIN + b"".join(between[n % 7 % 3] + row(KINDS, line) for n, line in enumerate(LINES)) + END


@pytest.mark.parametrize("batch_bytes", [1, 2, 3, 4, 5, 6, 7, 30, 64, 65, 999, 5000, 1 << 20])
@pytest.mark.parametrize("sizes", [[1], [3, 1], [7, 50, 1], [1000], [1 << 20]], ids=str)
def test_cut_anywhere(handed: Callable[..., Counted], batch_bytes: int, sizes: list[int]) -> None:
    rows = handed(answer(), sizes, batch_bytes)
    batches = list(iter(rows.next, None))
    for batch in batches:
        batch.validate(full=True)
        assert batch.num_rows
    assert rows.finished
    for number in range(len(KINDS)):
        assert same(values(batches, number), [line[number] for line in LINES])
    assert rows.next() is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 200), min_size=1, max_size=20), st.integers(5, 4000), st.integers(0, 4))
def test_drained_at_any_time(
    handed: Callable[..., Counted], sizes: list[int], batch_bytes: int, read_before: int
) -> None:
    rows = handed(answer(), sizes, batch_bytes)
    for _ in range(read_before):
        rows.next()
    rows.drain()
    assert rows.finished
    assert rows._source.position == len(answer())  # type: ignore[attr-defined]


def test_rows_that_end_like_an_answer(handed: Callable[..., Counted]) -> None:
    """Text may hold what ReadyForQuery is."""
    kind = protocol.described(Description(["x"], [oid("text")]))
    text = READY.decode()
    octets = kind + row(["text"], [text]) * 50 + END
    for sizes in ([1], [len(kind) + len(row(["text"], [text]))], [1 << 20]):
        rows = handed(octets, sizes, 5000)
        assert values(list(iter(rows.next, None))) == [text] * 50


def test_an_error_among_the_rows(handed: Callable[..., Counted]) -> None:
    error = b"SERROR\0C22012\0Mno\0Wwhere\0\0"
    failed = b"E" + struct.pack("!I", 4 + len(error)) + error
    rows = handed(BEGIN + row(KINDS, LINES[0]) * 3 + failed + READY, [11], 64)
    found: list[pa.RecordBatch] = []
    for _ in range(2):
        with pytest.raises(BackendError) as told:
            found.extend(iter(rows.next, None))
        assert (told.value.sqlstate, told.value.message, told.value.context) == ("22012", "no", "where")
        assert rows.finished
    assert values(found) == [0, 0, 0]


def test_rows_of_other_columns_than_announced(handed: Callable[..., Counted]) -> None:
    octets = BEGIN + row(KINDS, LINES[0]) + message([b"abc"]) + row(KINDS, LINES[0]) + END
    rows = handed(octets, [9], 100)
    with pytest.raises(RowsError):
        list(iter(rows.next, None))
    rows.drain()
    assert rows.finished


def test_rows_that_were_never_announced(handed: Callable[..., Counted]) -> None:
    rows = handed(row(["int4"], [1]) + END, [1 << 20], BATCH)
    with pytest.raises(RowsError):
        rows.next()
    rows.drain()


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a PostgreSQL of our own listens, also over TLS."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    directory = tmp_path_factory.mktemp("tls")
    for parent in (directory, *list(directory.parents)[:2]):
        parent.chmod(0o755)
    mine = cluster.cluster(Settings(data_dir=directory, fsync=False))
    cluster.start(mine)
    port = _free_port()
    try:
        _certify(mine.directory)
        with psycopg.connect(mine.url.replace("/vo_server?", "/postgres?"), autocommit=True) as owner:
            for setting in ("ssl = on", "listen_addresses = '127.0.0.1'", f"port = {port}"):
                owner.execute(f"ALTER SYSTEM SET {setting}")
        cluster.stop(mine)
        cluster.start(mine)
        yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=require"
    finally:
        cluster.stop(mine)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _certify(directory: Path) -> None:
    key, certificate = directory / "server.key", directory / "server.crt"
    subprocess.run(
        [
            *("openssl", "req", "-new", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-newkey", "rsa:2048", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    owner = directory.stat()
    for path in (key, certificate):
        path.chmod(0o600)
        os.chown(path, owner.st_uid, owner.st_gid)


def test_what_is_encrypted_is_read_by_libpq(encrypted: str) -> None:
    sql = "SELECT i, repeat('é', i % 1000), ARRAY[i, NULL] FROM generate_series(1, 30000) AS i"
    with psycopg.connect(encrypted, autocommit=True, gssencmode="disable") as connection:
        assert connection.pgconn.ssl_in_use
        assert isinstance(sources.source(connection, "SELECT 1", never), Copied)
        found = read(connection, sql)
        assert values(found) == list(range(1, 30001))
        assert values(found, 1) == ["é" * (i % 1000) for i in range(1, 30001)]
        assert values(found, 2) == [[i, None] for i in range(1, 30001)]
        assert usable(connection)


@pytest.mark.parametrize(
    ("mode", "kind"), [("disable", Direct), ("prefer", Copied)], ids=["disable", "prefer"]
)
def test_what_may_be_encrypted_by_gssapi(encrypted: str, mode: str, kind: type) -> None:
    """libpq does not tell whether it is."""
    plain = encrypted.replace("sslmode=require", "sslmode=disable")
    with psycopg.connect(plain, autocommit=True, gssencmode=mode) as connection:
        found = sources.source(connection, "SELECT 1", never)
        assert type(found) is kind
        found.close()
