"""Jobs and uploads over HTTP beside what they are to take, and the events of a release beside COPY."""

import io
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from statistics import median
from urllib.parse import urlencode, urlsplit

import numpy as np
from astropy.table import Table

from benchmarks.bundles import published
from benchmarks.measure import Benchmark, Figure, compare
from benchmarks.results import Server, serving

REPEATS = 5
AT_ONCE = 50

TRIVIAL = "SELECT TOP 1 obs_id FROM ivoa.obscore"

UPLOADED = 10_000
MATCHED = (
    "SELECT COUNT(*) FROM tap_upload.mine AS u JOIN ivoa.obscore AS o"
    " ON 1 = CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(u.ra, u.dec, 0.0166667))"
)

AIMS = {"one job": 0.1, "jobs at once": 3.0, "upload": 0.3}
"""Seconds that the whole may take on a machine of two cores."""

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def jobs() -> Iterator[Figure]:
    """From the request that creates a job to the client's knowledge that it is completed; an upload."""
    with serving(worker=True) as server:
        _wait(server, _submit(server))
        one = median(_seconds(server, 1) for _ in range(REPEATS))
        yield Figure("one job", one, AIMS["one job"], 1.0, "yardstick: what it may take")
        many = _seconds(server, AT_ONCE)
        yield Figure(
            f"{AT_ONCE} jobs at once", many, AIMS["jobs at once"], 1.0, "yardstick: what it may take"
        )
        body = _body(server)
        _crossmatch(server, body)
        taken = median(_crossmatch(server, body) for _ in range(REPEATS))
        note = "yardstick: what it may take; with a table of a million positions"
        yield Figure(f"crossmatch of {UPLOADED} uploaded", taken, AIMS["upload"], 1.0, note)


def events() -> Iterator[Figure]:
    """All rows of the table of events of a release as BINARY2 beside COPY."""
    with published(events=True) as (server, data):
        (schema,) = server.collections()
        sql = f"SELECT * FROM {schema}.events"
        yield compare(
            "all events",
            lambda: server.download(sql, "votable"),
            lambda: server.copy(sql, "BINARY"),
            limit=1.5,
            note=data.note,
        )


def _seconds(server: Server, count: int) -> float:
    start = time.perf_counter()
    for path in [_submit(server) for _ in range(count)]:
        _wait(server, path)
    return time.perf_counter() - start


def _submit(server: Server) -> str:
    """The path of a job that has been created and started by one request."""
    connection = HTTPConnection("127.0.0.1", server.port)
    connection.request(
        "POST", "/tap/async", urlencode({"LANG": "ADQL", "QUERY": TRIVIAL, "PHASE": "RUN"}), _FORM
    )
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return urlsplit(answer.headers["Location"]).path


def _wait(server: Server, path: str) -> None:
    """Until the job has come to its end."""
    connection = HTTPConnection("127.0.0.1", server.port)
    text = ""
    while "COMPLETED" not in text:
        if "ERROR" in text or "ABORTED" in text:
            raise RuntimeError(text)
        connection.request("GET", f"{path}?WAIT=30")
        text = connection.getresponse().read().decode()
    connection.close()


def _body(server: Server) -> tuple[bytes, str]:
    """A form with a query and a table of positions, and its Content-Type."""
    drawn = np.random.default_rng(1)
    table = Table(
        {"ra": drawn.uniform(0, 360, UPLOADED), "dec": np.degrees(np.arcsin(drawn.uniform(-1, 1, UPLOADED)))}
    )
    votable = io.BytesIO()
    table.write(votable, format="votable", tabledata_format="binary2")
    texts = {"LANG": "ADQL", "QUERY": MATCHED, "UPLOAD": "mine,param:table", "RESPONSEFORMAT": "csv"}
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in texts.items()
    ]
    head = b'--B\r\nContent-Disposition: form-data; name="table"; filename="t.vot"\r\n\r\n'
    return b"".join(parts) + head + votable.getvalue() + b"\r\n--B--\r\n", "multipart/form-data; boundary=B"


def _crossmatch(server: Server, body: tuple[bytes, str]) -> float:
    connection = HTTPConnection("127.0.0.1", server.port)
    start = time.perf_counter()
    connection.request("POST", "/tap/sync", body[0], {"Content-Type": body[1]})
    answer = connection.getresponse()
    text = answer.read()
    seconds = time.perf_counter() - start
    connection.close()
    if answer.status != 200:
        raise RuntimeError(text.decode())
    return seconds


BENCHMARKS: list[Benchmark] = [jobs, events]
