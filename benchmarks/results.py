"""Results over HTTP: whole downloads beside PostgreSQL's COPY, and small queries beside psycopg.

The server is a process of its own; downloads are read by curl and thrown away, so that the client costs
little on a machine where all share the cores.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlencode

import psycopg

from benchmarks.installation import installed
from benchmarks.measure import Benchmark, Figure
from vo_server import cluster, roles
from vo_server.settings import Settings

ROWS = 1_000_000
REPEATS = 3
_CURL = shutil.which("curl") or "curl"
SMALL = 200
"""Small queries of one measurement."""

FIRST_OCTET = 0.2
"""Seconds that the first octet of an answer may come after the first row that the database gives."""

MEMORY_LIMIT = 300.0
"""MB of the server process at its peak."""

_TABLE = """
INSERT INTO ivoa.obscore (
    dataproduct_type, calib_level, obs_collection, obs_id, obs_publisher_did, target_name, s_ra, s_dec, s_fov,
    s_resolution, s_xel1, s_xel2, t_min, t_max, t_exptime, t_resolution, t_xel, em_min, em_max, em_res_power,
    em_xel, o_ucd, pol_xel, facility_name, instrument_name, access_format, access_estsize, obs_title,
    data_rights, obs_release_date, dataset
)
SELECT 'event-list', 2, 'bench', i::text, 'ivo://bench/' || i, 'Source ' || i % 100, ra, dec, 5,
    0.1, NULL, NULL, 53000 + i / 1000.0, 53000.02 + i / 1000.0, 1680.5, 0.0001, i % 5000, 1e-19, 1e-17, 10.5,
    NULL, 'phys.energy;pos.eq.ra;pos.eq.dec', NULL, 'bench', 'camera', 'application/fits', i % 100000,
    'Observation ' || i, 'public', timestamp '2020-01-01' + i * interval '1 s', 'bench'
FROM (
    SELECT i, random() * 360 AS ra, degrees(asin(random() * 2 - 1)) AS dec
    FROM generate_series(1, $1::int) AS i
) AS drawn
"""

_INDEXES = """
SELECT indexrelid::regclass::text FROM pg_index
WHERE indrelid = 'ivoa.obscore'::regclass AND NOT indisprimary
"""

_POSITION = "CREATE INDEX obscore_position ON ivoa.obscore USING gist (spoint(radians(s_ra), radians(s_dec)))"

EIGHT = "obs_id, target_name, s_ra, s_dec, t_min, t_max, t_exptime, calib_level"
THIRTY = (
    "dataproduct_type, calib_level, obs_collection, obs_id, obs_publisher_did, target_name, s_ra, s_dec,"
    " s_fov, s_resolution, s_xel1, s_xel2, t_min, t_max, t_exptime, t_resolution, t_xel, em_min, em_max,"
    " em_res_power, em_xel, o_ucd, pol_xel, facility_name, instrument_name, access_format, access_estsize,"
    " obs_title, data_rights, obs_release_date"
)
WIDTHS = {8: EIGHT, 30: THIRTY}

FORMATS = {
    "votable": ("BINARY", 1.5),
    "votable/td": ("BINARY", 3.0),
    "csv": ("CSV", 2.0),
    "fits": ("BINARY", 4.0),
    "parquet": ("BINARY", 4.0),
    "arrow": ("BINARY", 1.5),
}
"""Our format -> that of COPY, and the largest ratio that is ok."""

TOP = "SELECT TOP 1 obs_id, s_ra, s_dec FROM ivoa.obscore"
TOP_SQL = "SELECT obs_id, s_ra, s_dec FROM ivoa.obscore LIMIT 1"
CONE = (
    "SELECT obs_id, s_ra, s_dec FROM ivoa.obscore"
    " WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.63, 22.01, 1))"
)
CONE_SQL = (
    "SELECT obs_id, s_ra, s_dec FROM ivoa.obscore WHERE spoint(radians(s_ra), radians(s_dec))"
    " <@ scircle(spoint(radians(83.63), radians(22.01)), radians(1)) LIMIT 20001"
)


@dataclass(frozen=True)
class Server:
    """A running server over a database."""

    settings: Settings
    port: int
    process: int

    def url(self, adql: str, form: str = "votable") -> str:
        """The address of a synchronous query that may return all rows."""
        return f"http://127.0.0.1:{self.port}{self.path(adql, form)}"

    def path(self, adql: str, form: str = "votable") -> str:
        """As `url`, without the host."""
        wanted = {"LANG": "ADQL", "QUERY": adql, "RESPONSEFORMAT": form}
        return "/tap/sync?" + urlencode({**wanted, "MAXREC": "10000000"})

    def download(self, adql: str, form: str) -> float:
        """Read a whole result; return the seconds to its first octet."""
        told = subprocess.run(
            [_CURL, "-sSf", "-o", "/dev/null", "-w", "%{time_starttransfer}", self.url(adql, form)],
            check=True,
            capture_output=True,
            text=True,
        )
        return float(told.stdout)

    def copy(self, sql: str, form: str) -> None:
        """PostgreSQL's own way to bring the rows out."""
        command = [str(cluster.binaries() / "psql"), "-qX", roles.reader_url(self.settings)]
        statement = f"COPY ({sql}) TO STDOUT (FORMAT {form})"
        subprocess.run([*command, "-c", statement], check=True, stdout=subprocess.DEVNULL)

    def peak(self) -> float:
        """The most memory that the server has had since `forget_peak`, in MB."""
        status = Path(f"/proc/{self.process}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def forget_peak(self) -> None:
        """Begin anew with what the server has now (proc(5), clear_refs)."""
        Path(f"/proc/{self.process}/clear_refs").write_text("5")

    def collections(self) -> list[str]:
        """The schemas of the published collections."""
        with roles.owner(self.settings) as connection:
            return [c.schema for c in roles.read_collections(connection)]

    def connection(self) -> psycopg.Connection:
        """A connection as that of public queries."""
        return psycopg.connect(roles.reader_url(self.settings), autocommit=True)


@contextmanager
def serving(worker: bool = False) -> Iterator[Server]:
    """A server over ROWS observations."""
    with installed() as settings:
        with roles.owner(settings) as connection:
            for (index,) in connection.execute(_INDEXES).fetchall():
                connection.execute(f"DROP INDEX {index}")
            psycopg.RawCursor(connection).execute(_TABLE.encode(), [ROWS])
            connection.execute(_POSITION)
            connection.execute("VACUUM ANALYZE ivoa.obscore")
        with serving_over(settings, worker) as server:
            yield server


@contextmanager
def serving_over(settings: Settings, worker: bool = False) -> Iterator[Server]:
    """A server process over a database."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "VO_SERVER_DATABASE_URL": roles.owner_url(settings),
        "VO_SERVER_READER_URL": roles.reader_url(settings),
        "VO_SERVER_DATA_DIR": str(settings.data_dir),
        "VO_SERVER_WORKER": str(worker).lower(),
    }
    command = [sys.executable, "-m", "vo_server", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            _until_listening(port)
            yield Server(settings, port, process.pid)
        finally:
            process.terminate()


def _until_listening(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def downloads() -> Iterator[Figure]:
    """Whole results of ROWS rows in every format, the time to their first octet, and peak memory."""
    with serving() as server:
        yield from _memory(server, ROWS // 10)
        for width, columns in WIDTHS.items():
            sql = f"SELECT {columns} FROM ivoa.obscore"
            for form, (theirs, limit) in FORMATS.items():
                ours, yardstick = _alternately(
                    lambda form=form, sql=sql: server.download(sql, form),
                    lambda theirs=theirs, sql=sql: server.copy(sql, theirs),
                )
                yield Figure(f"{form}, {width} columns", ours, yardstick, limit, f"COPY {theirs}")
            firsts = [server.download(sql, "votable") for _ in range(REPEATS)]
            row = _first_row(server, sql)
            note = f"yardstick: 0.2 s after the first row of the database, {1000 * row:.1f} ms"
            yield Figure(f"first octet, {width} columns", median(firsts), row + FIRST_OCTET, 1.0, note)
        yield from _memory(server, ROWS)
        yield from _memory(server, 5 * ROWS)


def _memory(server: Server, rows: int) -> Iterator[Figure]:
    part = f"SELECT {EIGHT} FROM ivoa.obscore"
    copies, rest = divmod(rows, ROWS)
    adql = " UNION ALL ".join([part] * copies) if not rest else f"SELECT TOP {rows} {EIGHT} FROM ivoa.obscore"
    for form in ("votable", "csv", "fits", "parquet"):
        server.forget_peak()
        server.download(adql, form)
        yield Figure(
            f"peak MB, {rows} rows, {form}", server.peak(), MEMORY_LIMIT, 1.0, "MB; the limit beside it"
        )


def _first_row(server: Server, sql: str) -> float:
    with server.connection() as connection:
        seconds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            with connection.cursor().copy(f"COPY ({sql}) TO STDOUT (FORMAT BINARY)") as copy:
                copy.read()
                seconds.append(time.perf_counter() - start)
                connection.cancel_safe()
                _drain(copy)
    return median(seconds)


def _drain(copy: psycopg.Copy) -> None:
    try:
        for _ in copy:
            pass
    except psycopg.errors.QueryCanceled:
        return


def small_queries() -> Iterator[Figure]:
    """What the server adds to small queries, alone, with several clients, and beside a download."""
    with serving() as server:
        for name, adql, sql in (("TOP 1", TOP, TOP_SQL), ("cone", CONE, CONE_SQL)):
            ours = _requests(server, adql, SMALL)
            theirs = _queries(server, sql, SMALL)
            note = f"share of the server {1000 * (median(ours) - median(theirs)):.2f} ms, limit 5 ms"
            limit = 1 + 0.005 / median(theirs)
            yield Figure(f"{name}, median", median(ours), median(theirs), limit, note)
        for clients in (1, 8, 32):
            ours_all = _rate(lambda n: _requests(server, TOP, n), clients)
            theirs_all = _rate(lambda n: _queries(server, TOP_SQL, n), clients)
            note = f"{1 / ours_all:.0f} and {1 / theirs_all:.0f} a second"
            yield Figure(f"TOP 1, {clients} clients", ours_all, theirs_all, 20.0, note)
        yield from _beside_a_download(server)


def _beside_a_download(server: Server) -> Iterator[Figure]:
    alone = quantiles(_requests(server, TOP, SMALL), n=10)[-1]
    for form in ("votable", "votable/td", "csv", "fits", "parquet"):
        adql = f"SELECT {THIRTY} FROM ivoa.obscore"
        done = threading.Event()

        def again(form: str = form, adql: str = adql, done: threading.Event = done) -> None:
            while not done.is_set():
                server.download(adql, form)

        reader = threading.Thread(target=again)
        reader.start()
        time.sleep(0.5)
        busy = quantiles(_requests(server, TOP, SMALL), n=10)[-1]
        done.set()
        reader.join()
        yield Figure(f"TOP 1 beside {form}, p90", busy, alone, 3.0, "yardstick: alone")


def _requests(server: Server, adql: str, count: int) -> list[float]:
    """Seconds of each of `count` requests on one connection."""
    connection = HTTPConnection("127.0.0.1", server.port)
    path = server.path(adql)
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - start)
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}")
    connection.close()
    return seconds


def _queries(server: Server, sql: str, count: int) -> list[float]:
    with server.connection() as connection:
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            connection.execute(sql.encode()).fetchall()
            seconds.append(time.perf_counter() - start)
    return seconds


def _rate(run: Callable[[int], Sequence[float]], clients: int) -> float:
    """Seconds per request with this many clients at a time."""
    with ThreadPoolExecutor(clients) as threads:
        start = time.perf_counter()
        list(threads.map(run, [SMALL // 4] * clients))
        return (time.perf_counter() - start) / (clients * (SMALL // 4))


def _alternately(ours: Callable[[], object], yardstick: Callable[[], object]) -> tuple[float, float]:
    pairs = [(_seconds(ours), _seconds(yardstick)) for _ in range(REPEATS)]
    return median(p[0] for p in pairs), median(p[1] for p in pairs)


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


BENCHMARKS: list[Benchmark] = [downloads, small_queries]
