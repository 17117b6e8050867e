"""Uploads in the database: who sees them, how long they are there, and which index serves them."""

import contextlib
import io
import socket
import time

import httpx
import numpy as np
import psycopg
import pytest
from psycopg import sql

from schema.load import core_catalogue
from tests.server.uploading import message_of, rows_of, send
from vo_server.adql import translate
from vo_server.cancellation import Cancellation
from vo_server.errors import UsageError
from vo_server.roles import owner_url, reader_url
from vo_server.settings import Settings
from vo_server.upload import store
from vo_server.upload.parameters import Reference
from vo_server.upload.uploads import load

POSITIONS = b"ra,dec\n" + b"".join(b"%f,%f\n" % (i / 10, i / 100) for i in range(200))


class Part:
    """The bytes of a part, as a form has them."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __call__(self) -> contextlib.AbstractContextManager[io.BytesIO]:
        return contextlib.nullcontext(io.BytesIO(self.content))


def names(connection: psycopg.Connection) -> list[str]:
    found = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'vo_upload'::regnamespace")
    return [name for (name,) in found if not name.startswith("pg_")]


@pytest.fixture
def owner(module_settings: Settings) -> contextlib.AbstractContextManager[psycopg.Connection]:
    return psycopg.connect(owner_url(module_settings), autocommit=True)


def wait_until_empty(connection: psycopg.Connection) -> None:
    deadline = time.monotonic() + 10
    while names(connection):
        assert time.monotonic() < deadline, names(connection)
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("SELECT * FROM TAP_UPLOAD.t", 200),
        ("SELECT nothing FROM TAP_UPLOAD.t", 400),
        ("SELECT 1 / (ra - ra) FROM TAP_UPLOAD.t", 400),
        ("SELECT * FROM TAP_UPLOAD.other", 400),
    ],
)
@pytest.mark.parametrize("maxrec", ["0", "1", "1000"])
def test_gone_when_the_query_has_ended(
    client: httpx.Client, owner: psycopg.Connection, query: str, status: int, maxrec: str
) -> None:
    if maxrec == "0" and "/" in query:
        status = 200
    with owner as connection:
        assert send(client, POSITIONS, query, MAXREC=maxrec).status_code == status
        wait_until_empty(connection)


def test_gone_when_the_second_upload_fails(client: httpx.Client, owner: psycopg.Connection) -> None:
    with owner as connection:
        message = message_of(send(client, POSITIONS, UPLOAD="t,param:table;u,param:none"))
        assert message.startswith("UPLOAD u: the request has no part named 'none'")
        assert names(connection) == []


def test_gone_when_the_client_goes(client: httpx.Client, owner: psycopg.Connection) -> None:
    """It leaves while a cross join of the upload with itself runs."""
    query = (
        "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t AS a, TAP_UPLOAD.t AS b, TAP_UPLOAD.t AS c, TAP_UPLOAD.t AS d"
    )
    form = {"LANG": "ADQL", "QUERY": query, "UPLOAD": "t,param:table"}
    request = client.build_request("POST", "/tap/sync", data=form, files={"table": ("t", POSITIONS)})
    url = client.base_url
    head = (
        f"POST /tap/sync HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: {request.headers['content-type']}\r\n"
    )
    body = request.read()
    with owner as connection:
        with socket.create_connection((url.host, url.port or 80)) as leaving:
            leaving.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            deadline = time.monotonic() + 10
            while not names(connection):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        wait_until_empty(connection)


def test_nobody_else_can_name_it(client: httpx.Client, module_settings: Settings) -> None:
    uploads = load([Reference("t", part="p")], {"p": Part(POSITIONS)}, module_settings, Cancellation())
    try:
        (table,) = uploads.tables
        assert table.stored_as is not None
        schema, name = table.stored_as
        for written in (f"{schema}.{name}", f'"{schema}"."{name}"', "TAP_UPLOAD.t"):
            form = {"LANG": "ADQL", "QUERY": f"SELECT * FROM {written}"}
            assert "unknown table" in message_of(client.post("/tap/sync", data=form))
        with psycopg.connect(reader_url(module_settings)) as reader:
            assert reader.execute(f"SELECT count(*) FROM {schema}.{name}".encode()).fetchone() == (200,)
            with pytest.raises(psycopg.Error):
                reader.execute(f"DELETE FROM {schema}.{name}".encode())
    finally:
        uploads.drop()


def test_what_a_crash_leaves_is_reaped(module_settings: Settings, owner: psycopg.Connection) -> None:
    """But not what a query reads, what is new, or what is not ours."""
    old, used, new = (f"u{at}_{'0' * 15}{n}" for at, n in ((1, 1), (1, 2), (int(time.time()), 3)))
    with owner as connection, psycopg.connect(owner_url(module_settings)) as reading:
        for name in (old, used, new, "other"):
            connection.execute(
                sql.SQL("CREATE UNLOGGED TABLE {} ()").format(sql.Identifier("vo_upload", name))
            )
        reading.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier("vo_upload", used)))
        assert store.reap(module_settings) == 1
        assert sorted(names(connection)) == sorted([used, new, "other"])
        reading.rollback()
        assert store.reap(module_settings) == 1
        assert store.reap(module_settings, age=-1) == 1
        connection.execute("DROP TABLE vo_upload.other")


def test_a_failed_copy_leaves_nothing(module_settings: Settings, owner: psycopg.Connection) -> None:
    content = b"t\n2020-01-01\n2020-02-31\n"
    with owner as connection:
        with pytest.raises(UsageError, match="UPLOAD t: row 2, column t: date/time field value out of range"):
            load([Reference("t", part="p")], {"p": Part(content)}, module_settings, Cancellation())
        assert names(connection) == []


def test_a_crossmatch_uses_the_index(module_settings: Settings, owner: psycopg.Connection) -> None:
    """Each uploaded position looks its neighbours up; the large table is never read as a whole."""
    rows = 20_000
    rng = np.random.default_rng(1)
    positions = zip(rng.uniform(0, 360, rows), rng.uniform(-90, 90, rows), strict=True)
    query = """SELECT o.obs_id FROM TAP_UPLOAD.t AS t JOIN ivoa.obscore AS o
      ON CONTAINS(POINT(t.ra, t.dec), CIRCLE(o.s_ra, o.s_dec, 1 / 60.)) = 1"""
    with owner as connection:
        fill(connection, [(float(ra), float(dec)) for ra, dec in positions])
        uploads = load([Reference("t", part="p")], {"p": Part(POSITIONS)}, module_settings, Cancellation())
        try:
            translation = translate(query, uploads.catalogue(core_catalogue()))
            cursor = psycopg.RawCursor(connection)
            plan = cursor.execute(f"EXPLAIN {translation.sql}".encode(), translation.parameters).fetchall()
        finally:
            uploads.drop()
        connection.execute("DELETE FROM ivoa.obscore")
    text = "\n".join(line for (line,) in plan)
    assert "obscore_position" in text
    assert "Seq Scan on obscore" not in text


def fill(connection: psycopg.Connection, positions: list[tuple[float, float]]) -> None:
    """Datasets of which the positions matter only."""
    required = connection.execute(
        "SELECT attname, atttypid::regtype::text FROM pg_attribute WHERE attrelid = 'ivoa.obscore'::regclass"
        " AND attnotnull AND attnum > 0 AND attname NOT IN ('s_ra', 's_dec', 'obs_publisher_did')"
    ).fetchall()
    columns = ", ".join(name for name, _ in required)
    values = ", ".join("'x'" if kind == "text" else "0" for _, kind in required)
    connection.execute("CREATE TEMP TABLE sent (ra float8, dec float8)")
    with connection.cursor().copy("COPY sent FROM STDIN") as copy:
        copy.write("".join(f"{ra!r}\t{dec!r}\n" for ra, dec in positions))
    connection.execute(
        f"INSERT INTO ivoa.obscore (obs_publisher_did, s_ra, s_dec, {columns})"
        f" SELECT ra::text || dec::text, ra, dec, {values} FROM sent".encode()
    )
    connection.execute("ANALYZE ivoa.obscore")


def test_names_are_not_lost_in_errors(client: httpx.Client) -> None:
    message = message_of(send(client, POSITIONS, "SELECT rax FROM TAP_UPLOAD.t"))
    assert "unknown column rax" in message
    assert "did you mean ra" in message
    assert rows_of(
        send(client, POSITIONS, "SELECT COUNT(*) AS n FROM tap_upload.T", RESPONSEFORMAT="csv")
    ) == [["200"]]
