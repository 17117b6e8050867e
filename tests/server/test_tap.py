"""Synchronous TAP queries over a socket, against the core tables in a real database."""

import contextlib
import csv
import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import numpy as np
import psycopg
import pyarrow as pa
import pytest
import pyvo
from astropy.io import fits
from astropy.io.votable import parse_single_table
from pyarrow import parquet

from schema import tap_schema
from schema.collection import Collection
from schema.load import core_catalogue
from schema.model import Column
from schema.types import DOUBLE
from tests.dl3files import Habits, write_dl3
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from tests.xmlcheck import VOTABLE, parsed
from vo_server import db
from vo_server.app import create_app
from vo_server.results import response
from vo_server.roles import COLLECTIONS
from vo_server.settings import Settings

NS = {"v": VOTABLE}
MEDIA_TYPE = "application/x-votable+xml"
SCHEMAS = [row[0] for row in tap_schema.rows(core_catalogue())["schemas"]]
COLUMNS = len(tap_schema.rows(core_catalogue())["columns"])


def query(client: httpx.Client, text: str, **parameters: str) -> httpx.Response:
    return client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": text, **parameters})


def statuses(answer: httpx.Response) -> list[str | None]:
    infos = parsed(answer.content).findall("v:RESOURCE/v:INFO[@name='QUERY_STATUS']", NS)
    return [i.get("value") for i in infos]


def error_text(answer: httpx.Response, status: int = 400) -> str:
    """The message of an error document."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    root = parsed(answer.content)
    (info,) = root.findall("v:RESOURCE/v:INFO", NS)
    assert info.get("value") == "ERROR"
    assert root.find(".//v:TABLE", NS) is None
    return info.text or ""


def test_rows_come_back(client: httpx.Client) -> None:
    answer = query(client, "SELECT schema_name, schema_index FROM tap_schema.schemas ORDER BY schema_index")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPE
    parsed(answer.content)
    array = parse_single_table(io.BytesIO(answer.content), verify="exception").array
    assert list(array["schema_name"]) == SCHEMAS
    assert list(array["schema_index"]) == list(range(1, len(SCHEMAS) + 1))


@pytest.mark.parametrize("multipart", [False, True])
def test_post_is_the_same(client: httpx.Client, multipart: bool) -> None:
    text = "SELECT schema_name FROM tap_schema.schemas ORDER BY schema_index"
    form = {"REQUEST": "doQuery", "VERSION": "1.0", "lang": "ADQL-2.1", "Query": text, "format": "csv"}
    sent = {"files": {n: (None, v) for n, v in form.items()}} if multipart else {"data": form}
    answer = client.post("/tap/sync", **sent)
    assert answer.headers["content-type"] == "text/csv;header=present;charset=utf-8"
    assert answer.text.split() == ["schema_name", *SCHEMAS]


def test_every_serialisation_holds_the_same_rows(client: httpx.Client) -> None:
    text = "SELECT * FROM tap_schema.columns ORDER BY table_name, column_index"
    arrays = [
        parse_single_table(io.BytesIO(query(client, text, RESPONSEFORMAT=f).content)).array
        for f in ("votable/b2", "votable/td")
    ]
    assert len(arrays[0]) == COLUMNS
    for name in arrays[0].dtype.names:
        assert arrays[0][name].tolist() == arrays[1][name].tolist()


def as_votable(content: bytes) -> list[tuple[Any, ...]]:
    array = parse_single_table(io.BytesIO(content)).array
    return [tuple(None if np.ma.is_masked(v) else v for v in row) for row in array]


def as_fits(content: bytes) -> list[tuple[Any, ...]]:
    hdu = fits.open(io.BytesIO(content), memmap=False)[1]
    null = hdu.header["TNULL3"]
    return [(a, int(b), None if c == null else int(c)) for a, b, c in hdu.data]


def as_rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(c.to_pylist() for c in table.columns), strict=True))


READERS: dict[str, Callable[[bytes], list[tuple[Any, ...]]]] = {
    "votable": as_votable,
    "votable/b": as_votable,
    "votable/td": as_votable,
    "fits": as_fits,
    "parquet": lambda content: as_rows(parquet.read_table(io.BytesIO(content))),
    "arrow": lambda content: as_rows(pa.ipc.open_stream(content).read_all()),
    "json": lambda content: [tuple(row) for row in json.loads(content)["data"]],
}


@pytest.mark.parametrize("form", READERS)
def test_every_format_holds_the_same_rows(client: httpx.Client, form: str) -> None:
    text = (
        'SELECT column_name, column_index, "size" FROM tap_schema.columns ORDER BY table_name, column_index'
    )
    _, *lines = csv.reader(query(client, text, RESPONSEFORMAT="csv").text.splitlines())
    expected = [(a, int(b), int(c) if c else None) for a, b, c in lines]
    assert None in [row[2] for row in expected]
    assert READERS[form](query(client, text, RESPONSEFORMAT=form).content) == expected


@pytest.mark.parametrize(("form", "rows"), [("html", b"<td>ivoa</td>"), ("text", b"\nivoa ")])
def test_formats_for_people(client: httpx.Client, form: str, rows: bytes) -> None:
    answer = query(client, "SELECT schema_name, schema_index FROM tap_schema.schemas", RESPONSEFORMAT=form)
    assert rows in answer.content
    assert answer.headers["content-disposition"].startswith("inline")


def test_a_fits_file_of_a_failing_query_is_an_error(client: httpx.Client) -> None:
    text = (
        "SELECT 1 / (c1.column_index - c1.column_index + c2.column_index - 5) FROM tap_schema.columns AS c1,"
        " tap_schema.columns AS c2"
    )
    assert "division by zero" in error_text(query(client, text, RESPONSEFORMAT="fits"))


def test_timestamps_that_cannot_be_written(client: httpx.Client) -> None:
    text = "SELECT CAST('infin' || 'ity' AS TIMESTAMP) AS t FROM tap_schema.schemas"
    answer = query(client, text)
    assert statuses(answer) == ["OK", "ERROR"], answer.text
    assert "Column t has a timestamp outside of the years 1 to 9999" in answer.text


def test_requested_media_type_comes_back(client: httpx.Client) -> None:
    text = "SELECT schema_name FROM tap_schema.schemas"
    assert query(client, text, RESPONSEFORMAT="text/xml").headers["content-type"] == "text/xml"


@pytest.mark.parametrize(
    ("maxrec", "rows", "status"),
    [
        ("0", 0, ["OK", "OVERFLOW"]),
        ("1", 1, ["OK", "OVERFLOW"]),
        (str(COLUMNS - 1), COLUMNS - 1, ["OK", "OVERFLOW"]),
        (str(COLUMNS), COLUMNS, ["OK"]),
        (str(10**12), COLUMNS, ["OK"]),
    ],
)
def test_maxrec(client: httpx.Client, maxrec: str, rows: int, status: list[str]) -> None:
    answer = query(client, "SELECT column_name FROM tap_schema.columns", MAXREC=maxrec)
    assert len(parse_single_table(io.BytesIO(answer.content)).array) == rows
    assert statuses(answer) == status


def test_top_is_no_overflow(client: httpx.Client) -> None:
    answer = query(client, "SELECT TOP 3 column_name FROM tap_schema.columns", MAXREC="100")
    assert statuses(answer) == ["OK"]
    assert statuses(query(client, "SELECT TOP 3 column_name FROM tap_schema.columns", MAXREC="2")) == [
        "OK",
        "OVERFLOW",
    ]


def test_result_says_where_it_comes_from(client: httpx.Client) -> None:
    text = "SELECT schema_name FROM tap_schema.schemas WHERE schema_name <> 'a&b'"
    answer = query(client, text)
    infos = {i.get("name"): i.get("value") for i in parsed(answer.content).findall("v:INFO", NS)}
    assert infos["query"] == text
    assert infos["request"] == str(answer.request.url)
    assert infos["service_protocol"] == "ivo://ivoa.net/std/TAP"
    assert infos["contact"] == "a@b.org"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"QUERY": "SELECT 1"}, "LANG is missing"),
        ({"LANG": "OOBLECK", "QUERY": "SELECT 1"}, "unknown query language LANG='OOBLECK'"),
        ({"LANG": "ADQL"}, "QUERY is missing"),
        ({"LANG": "ADQL", "QUERY": "SELECT 1", "MAXREC": "-1"}, "MAXREC must be a whole number"),
        ({"LANG": "ADQL", "QUERY": "SELECT 1", "RESPONSEFORMAT": "pdf"}, "RESPONSEFORMAT='pdf'"),
        ({"LANG": "ADQL", "QUERY": "SELECT 1", "UPLOAD": "t,ftp://x"}, "no place to read from"),
        ({"LANG": "ADQL", "QUERY": "SELECT 1", "RUNID": "x" * 65}, "RUNID may have 64 characters"),
        ({"LANG": "ADQL", "QUERY": "x" * 1_000_001}, "QUERY is longer than"),
    ],
)
def test_wrong_parameters(client: httpx.Client, parameters: dict[str, str], message: str) -> None:
    assert message in error_text(client.post("/tap/sync", data=parameters))


def test_repeated_parameter(client: httpx.Client) -> None:
    answer = client.get("/tap/sync?LANG=ADQL&lang=ADQL&QUERY=SELECT+1")
    assert "LANG may be given once only" in error_text(answer)


def test_unknown_parameters_are_ignored(client: httpx.Client) -> None:
    answer = query(client, "SELECT schema_name FROM tap_schema.schemas", DUMMY="ignore-me")
    assert statuses(answer) == ["OK"]


def test_wrong_adql_says_where(client: httpx.Client) -> None:
    message = error_text(query(client, "SELECT schema_nam FROM tap_schema.schemas"))
    assert "line 1, column 8" in message
    assert "schema_name" in message


def test_wrong_adql_is_found_with_maxrec_0(client: httpx.Client) -> None:
    error_text(query(client, "SELECT nothing FROM tap_schema.schemas", MAXREC="0"))


def test_data_error_is_the_users(client: httpx.Client) -> None:
    message = error_text(query(client, "SELECT 1/(schema_index - schema_index) FROM tap_schema.schemas"))
    assert "division by zero" in message


def test_too_large_request(client: httpx.Client) -> None:
    answer = client.post("/tap/sync", data={"QUERY": "x" * 33_000_000})
    assert "32000000 bytes" in error_text(answer, 413)


def test_pyvo(client: httpx.Client) -> None:
    service = pyvo.dal.TAPService(str(client.base_url.join("/tap")))
    result = service.search("SELECT table_name FROM tap_schema.tables WHERE schema_name = 'ivoa'")
    assert sorted(result["table_name"]) == ["ivoa.obscore", "ivoa.obscore_hea", "ivoa.obscore_healpix"]
    assert service.maxrec == 20000
    assert service.hardlimit == 10_000_000
    assert "ivoa.obscore" in service.tables
    with pytest.raises(pyvo.DALQueryError, match="line 1, column 8"):
        service.search("SELECT foo FROM ivoa.obscore")


SLOW = """
    SELECT COUNT(*) FROM tap_schema.columns AS c0, tap_schema.columns AS c1, tap_schema.columns AS c2,
    tap_schema.columns AS c3, tap_schema.columns AS c4, tap_schema.columns AS c5
"""
"""Runs for hours."""


@pytest.fixture
def hasty(settings: Settings) -> Iterator[httpx.Client]:
    """A server with a time limit of one second."""
    listener = free_socket()
    settings = replace(settings, public_url=url_of(listener), sync_timeout=1.0)
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def test_time_limit(hasty: httpx.Client) -> None:
    assert "time limit" in error_text(query(hasty, SLOW), 408)
    assert statuses(query(hasty, "SELECT schema_name FROM tap_schema.schemas")) == ["OK"]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("POLYGON(0, 0, 1, 1, 1, 0, 0, 1)", "sides of the polygon cross"),
        ("POLYGON(0, 0, 1, 1, 1, 0, 0, schema_index)", "a line segment overlaps or polygon too large"),
        ("CIRCLE(0, 0, -1 - schema_index)", "radii go from 0 to 180 degrees"),
    ],
)
def test_faults_of_shapes_are_the_users(client: httpx.Client, shape: str, message: str) -> None:
    text = f"SELECT schema_name FROM tap_schema.schemas WHERE 1 = CONTAINS(POINT(0, 0), {shape})"
    assert message in error_text(query(client, text))


def test_clients_that_take_nothing_hold_nothing_for_long(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile others are told to come back, and the service is available."""
    monkeypatch.setattr(db, "_WAIT_FOR_CONNECTION", 0.3)
    monkeypatch.setattr(response, "STALL_LIMIT", 3.0)
    listener = free_socket()
    settings = replace(settings, public_url=url_of(listener), connections=2)
    cheap = "SELECT schema_name FROM tap_schema.schemas"
    endless = "SELECT c0.description FROM tap_schema.columns AS c0, tap_schema.columns AS c1, {}".format(
        "tap_schema.columns AS c2, tap_schema.columns AS c3"
    )
    with (
        served(create_app(settings), listener) as url,
        httpx.Client(base_url=url, timeout=30) as client,
        contextlib.ExitStack() as stalled,
    ):
        address = f"/tap/sync?{urlencode({'LANG': 'ADQL', 'MAXREC': '10000000', 'QUERY': endless})}"
        for _ in range(2):
            stalled.enter_context(unread(url, address))
        busy = query(client, cheap)
        assert busy.headers["retry-after"] == "10"
        assert "The service is busy" in error_text(busy, 503)
        assert ">true<" in client.get("/tap/availability").text
        assert client.get("/tap/capabilities").status_code == 200
        end = time.monotonic() + 10
        while query(client, cheap).status_code == 503:
            assert time.monotonic() < end
        assert statuses(query(client, cheap)) == ["OK"]


@contextlib.contextmanager
def unread(url: str, address: str) -> Iterator[None]:
    """A client with a small buffer that sees its answer begin, and reads no further."""
    where = httpx.URL(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((where.host, where.port))
        connection.sendall(f"GET {address} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        yield


def test_tables_that_an_ingest_has_just_changed(
    settings: Settings, database: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalogue that is behind costs nobody an answer."""
    monkeypatch.setattr(db, "CATALOGUE_AGE", 3600.0)
    write_dl3(tmp_path / "release" / "1.fits", Habits(events=5, obs_id="1"))
    archive = Archive(settings, database)
    assert archive.ingest(tmp_path / "release", events=True).problems == []
    (schema,) = database.execute("SELECT tap_schema FROM vo.collection").fetchone()
    now = Collection.from_json(database.execute(COLLECTIONS).fetchone()[0])

    def publish(collection: Collection) -> None:
        database.execute("UPDATE vo.collection SET definition = %s", [collection.to_json()])

    publish(replace(now, event_extras=(Column("dropped", DOUBLE),)))
    with served(create_app(settings)) as url, httpx.Client(base_url=url, timeout=30) as client:
        text = f"SELECT COUNT(*) AS n FROM {schema}.events"
        assert query(client, text, RESPONSEFORMAT="csv").text.split() == ["n", "5"]
        publish(now)
        assert statuses(query(client, f"SELECT * FROM {schema}.events")) == ["OK"]
        database.execute(f"ALTER TABLE {schema}.events RENAME TO gone")
        message = error_text(query(client, text), 503)
        assert message == "The published tables are being changed at this moment; please try again."
        publish(replace(now, events=False))
        assert f"unknown table {schema}.events" in error_text(query(client, text))


RUNNING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() AND query ~ 'c5'
"""


def test_disconnect_cancels_the_query(settings: Settings, database: psycopg.Connection) -> None:
    """The database stops working long before the time limit of 20 s once nobody waits for the answer."""

    def running() -> int:
        return database.execute(RUNNING).fetchone()[0]

    with served(create_app(settings)) as url, httpx.Client(base_url=url, timeout=1.0) as client:
        with pytest.raises(httpx.ReadTimeout):
            query(client, SLOW)
        end = time.monotonic() + 3
        while running() and time.monotonic() < end:
            time.sleep(0.05)
        assert running() == 0
