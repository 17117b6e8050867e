"""What must not bring the server down, or leave anything behind: kills, restarts, full disks, bad clients.

One private cluster and, after the first test has killed its own, one server for the whole module.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psycopg
import pytest

from tests.acceptance.conftest import Installation, free_port
from tests.server.test_uws import SLOW, TRIVIAL, create, executing, finished, text
from tests.server.test_worker import SECONDS
from vo_server import cluster
from vo_server.roles import owner_url
from vo_server.settings import Settings

STORE_MB = 2
"""Size of the disk that the results of jobs lie on."""

COLUMNS = "tap_schema.columns AS c{}"
ENDLESS = {
    "LANG": "ADQL",
    "MAXREC": "10000000",
    "QUERY": f"SELECT c0.description FROM {', '.join(COLUMNS.format(n) for n in range(4))}",
}
SMALL = {"LANG": "ADQL", "QUERY": "SELECT TOP 1 schema_name FROM tap_schema.schemas", "RESPONSEFORMAT": "csv"}
LONG_UPLOAD = {
    "LANG": "ADQL",
    "UPLOAD": "t,param:table",
    "QUERY": "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t AS a, TAP_UPLOAD.t AS b, TAP_UPLOAD.t AS c,"
    " TAP_UPLOAD.t AS d",
}
TABLE = b"x\n" + b"".join(b"%d\n" % n for n in range(1000))

BROKEN = (httpx.RemoteProtocolError, httpx.ReadError)
"""How a client sees that a transfer was broken off."""


class Site(Installation):
    """An installation, looked into from behind."""

    @property
    def read_settings(self) -> Settings:
        return Settings(data_dir=self.directory, fsync=False)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(owner_url(self.read_settings), autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def uploads(self) -> list[tuple[object, ...]]:
        return self.rows("SELECT relname FROM pg_class WHERE relnamespace = 'vo_upload'::regnamespace")

    def age_uploads(self) -> None:
        """As if hours had passed since the uploads that are there came."""
        with psycopg.connect(owner_url(self.read_settings), autocommit=True) as connection:
            for (name,) in self.uploads():
                old = "u1_" + str(name).partition("_")[2]
                connection.execute(f"ALTER TABLE vo_upload.{name} RENAME TO {old}".encode())

    def queries(self) -> list[tuple[object, ...]]:
        """What the public role runs."""
        return self.rows(
            "SELECT pid, left(query, 60) FROM pg_stat_activity"
            " WHERE usename = 'vo_reader' AND state <> 'idle'"
        )

    def files(self) -> set[str]:
        """Files of jobs, in any state."""
        root = self.directory / "results"
        return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}

    def orphans(self) -> list[object]:
        """Queries that nobody waits for, tables of no query, files of no job, and jobs that nobody runs."""
        jobs = {name for (name,) in self.rows("SELECT id FROM vo.job")}
        stuck = self.rows("SELECT id, phase FROM vo.job WHERE phase IN ('QUEUED', 'EXECUTING')")
        staged = [f for f in self.files() if f.split("/")[0] not in jobs or "#" in f]
        return [*self.queries(), *self.uploads(), *stuck, *staged]

    def assert_clean(self) -> None:
        """Within seconds nothing is left."""
        soon(lambda: not self.orphans(), 12, self.orphans)

    def examine(self) -> None:
        """The doctor finds nothing that was left behind."""
        told = self.run("doctor").stdout
        for finding in ("uploads", "files of jobs"):
            (line,) = [line for line in told.splitlines() if finding in line]
            assert line.startswith("ok "), line
        assert "FAULT" not in told


def soon(condition: Callable[[], bool], seconds: float, state: Callable[[], object] = str) -> None:
    """Return when the condition holds, which must be within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, state()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    directory = Path(tempfile.mkdtemp(prefix="vo-server-survival-"))
    directory.chmod(0o755)
    site = Site(directory, free_port(), {"WORKER_SILENCE": "1"})
    results = directory / "results"
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={STORE_MB}m", "tmpfs", str(results)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        with cluster.running(site.read_settings):
            site.run("init")
            yield site
    finally:
        if mounted:
            subprocess.run(["umount", str(results)], check=True)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    with site.process() as process:
        yield process
        site.examine()


@pytest.fixture
def client(site: Site, server: subprocess.Popen[bytes]) -> Iterator[httpx.Client]:
    """A client of the module's server, which lives on and leaves nothing behind."""
    log = site.directory / "serve.log"
    os.truncate(log, 0)
    with httpx.Client(base_url=site.url, timeout=30) as client:
        yield client
    assert server.poll() is None
    site.assert_clean()
    failures = log.read_text().replace("\0", "")
    assert "incident" not in failures, failures
    assert "Exception in ASGI" not in failures, failures


def small(client: httpx.Client) -> httpx.Response:
    return client.post("/tap/sync", data=SMALL)


@contextlib.contextmanager
def downloading(url: str, **parameters: str) -> Iterator[Iterator[bytes]]:
    """The pieces of an endless answer that has begun."""
    form, plain = {**ENDLESS, **parameters}, {"Accept-Encoding": "identity"}
    with httpx.stream("POST", f"{url}/tap/sync", data=form, headers=plain, timeout=30) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_raw()
        assert next(pieces)
        yield pieces


def broken_off(pieces: Iterator[bytes]) -> bool:
    """Read on; whether the end is a broken transfer."""
    try:
        for _ in pieces:
            pass
    except BROKEN:
        return True
    return False


def uploading(url: str) -> httpx.Response:
    return httpx.post(f"{url}/tap/sync", data=LONG_UPLOAD, files={"table": ("t", TABLE)}, timeout=60)


def test_the_server_is_killed(site: Site) -> None:
    with (
        site.process() as process,
        httpx.Client(base_url=site.url, timeout=30) as client,
        ThreadPoolExecutor(2) as threads,
        downloading(site.url) as pieces,
    ):
        running = create(client, **SECONDS, PHASE="RUN")
        writing = create(client, **{**ENDLESS, "MAXREC": "10000"}, PHASE="RUN")
        waiting = create(client, **TRIVIAL)
        for_ever = threads.submit(uploading, site.url)
        executing(client, running)
        soon(lambda: bool(site.uploads()), 10)
        process.kill()
        process.wait()
        assert broken_off(pieces)
        assert isinstance(for_ever.exception(), BROKEN)
    assert site.uploads()
    site.age_uploads()
    with site.process(), httpx.Client(base_url=site.url, timeout=30) as client:
        assert text(finished(client, running), "phase") == "COMPLETED"
        assert text(finished(client, writing), "phase") == "COMPLETED"
        client.post(f"{waiting}/phase", data={"PHASE": "RUN"})
        assert text(finished(client, waiting), "phase") == "COMPLETED"
        site.assert_clean()
        site.examine()
        for url in (running, writing, waiting):
            client.delete(url)
        assert site.files() == set()


@pytest.mark.parametrize(("how", "patience"), [("fast", False), ("immediate", True)])
def test_postgres_is_restarted(site: Site, client: httpx.Client, how: str, patience: bool) -> None:
    """`fast` ends the sessions with a word, `immediate` without one; requests wait some seconds for it."""
    answers: list[tuple[float, int, str]] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=site.url, timeout=30) as asking:
            while not over.is_set():
                answer = small(asking)
                answers.append((time.monotonic(), answer.status_code, answer.text))
                time.sleep(0.02)

    with (
        ThreadPoolExecutor(8) as threads,
        downloading(site.url, RESPONSEFORMAT="csv") as cut,
        downloading(site.url) as told,
        contextlib.ExitStack() as at_last,
    ):
        at_last.callback(over.set)
        asking = [threads.submit(ask) for _ in range(4)]
        upload = threads.submit(uploading, site.url)
        job = create(client, **SECONDS, PHASE="RUN")
        executing(client, job)
        soon(lambda: bool(site.uploads()), 10)
        ended = threads.submit(broken_off, cut)
        tail = threads.submit(lambda: b"".join(told)[-500:])
        stop_postgres(site, how)
        assert b'name="QUERY_STATUS" value="ERROR"' in tail.result(20)
        assert ended.result(20)
        if patience:
            time.sleep(3)
        else:
            refused = client.post("/tap/async", data={**TRIVIAL, "PHASE": "RUN"})
            assert_busy(refused.status_code, refused.text)
        cluster.start(cluster.cluster(site.read_settings))
        back = time.monotonic()
        soon(lambda: small(client).status_code == 200, 10)
        again = time.monotonic()
        time.sleep(1)
        over.set()
        for future in asking:
            future.result(30)
        assert_busy(upload.result(20).status_code, upload.result().text)
    assert text(finished(client, job), "phase") == "COMPLETED"
    assert again - back < 5
    counted = Counter(status for _, status, _ in answers)
    assert counted[200]
    assert set(counted) <= {200, 503}
    assert patience or counted[503]
    for when, status, message in answers:
        if status != 200:
            assert_busy(status, message)
            assert when < again + 1
    for url in (job, create(client, **TRIVIAL, PHASE="RUN")):
        assert text(finished(client, url), "phase") == "COMPLETED"
        client.delete(url)


def stop_postgres(site: Site, how: str) -> None:
    mine = cluster.cluster(site.read_settings)
    command = [str(cluster.binaries() / "pg_ctl"), "stop", "-D", str(mine.directory), "-m", how, "-w"]
    subprocess.run(command, user=mine.user, cwd="/", check=True, capture_output=True)


def assert_busy(status: int, message: str) -> None:
    assert status == 503, (status, message)
    assert "The service is busy; please try again later." in message


def test_the_disk_for_results_is_full(site: Site, client: httpx.Client) -> None:
    results = site.directory / "results"
    if not results.is_mount():
        pytest.skip("only root can make a small disk")
    large = [create(client, **{**ENDLESS, "MAXREC": "300000"}, PHASE="RUN") for _ in range(2)]
    others = [create(client, **SECONDS, PHASE="RUN")]
    for url in large:
        root = finished(client, url)
        assert text(root, "phase") == "ERROR"
        told = root.findtext("{*}errorSummary/{*}message") or ""
        assert told.startswith("The result could not be stored: the disk for results is full"), told
    others.append(create(client, **TRIVIAL, PHASE="RUN"))
    for url in others:
        assert text(finished(client, url), "phase") == "COMPLETED"
    assert sum((results / name).stat().st_size for name in site.files()) < 10_000
    assert shutil.disk_usage(results).free > (STORE_MB << 20) * 0.9
    for url in (*large, *others):
        client.delete(url)
    full = {"table": ("t", b"x\n" + b"1\n" * (STORE_MB << 20))}
    refused = client.post("/tap/async", data={**LONG_UPLOAD, "PHASE": "RUN"}, files=full)
    assert refused.status_code == 500
    assert "The result could not be stored: the disk" in refused.text
    for (left,) in site.rows("SELECT id FROM vo.job"):
        client.delete(f"/tap/async/{left}")
    log = site.directory / "serve.log"
    assert "No space left on device" in log.read_text()
    os.truncate(log, 0)


def test_half_an_upload(site: Site, client: httpx.Client) -> None:
    """Some clients go, others stay without a word more."""
    request = client.build_request("POST", "/tap/sync", data=LONG_UPLOAD, files={"table": ("t", TABLE)})
    body = request.read()
    head = f"Content-Type: {request.headers['content-type']}\r\nContent-Length: {len(body)}\r\n"
    with contextlib.ExitStack() as staying:
        for n in range(40):
            half = socket.create_connection(("127.0.0.1", site.port))
            path = "/tap/async" if n % 4 > 1 else "/tap/sync"
            half.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
            for at in range(0, len(body) // 2, 1000):
                half.sendall(body[at : at + 1000])
                time.sleep(0.002)
            if n % 2:
                staying.enter_context(half)
            else:
                half.close()
        assert small(client).status_code == 200
        assert site.rows("SELECT count(*) FROM vo.job") == [(0,)]
        assert site.uploads() == []


def test_a_client_leaves_a_download(site: Site, client: httpx.Client) -> None:
    with downloading(site.url):
        assert len(site.queries()) == 1
    soon(lambda: not site.queries(), 3)


def test_200_clients_that_read_slowly(site: Site, client: httpx.Client) -> None:
    """A byte a second each: small queries of others go on all the while."""
    over = threading.Event()
    request = f"GET /tap/sync?{urlencode(ENDLESS)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with ThreadPoolExecutor(1) as thread, contextlib.ExitStack() as slow:
        slow.callback(over.set)
        clients = []
        for _ in range(200):
            reader = slow.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", site.port))
            reader.sendall(request)
            reader.setblocking(False)
            clients.append(reader)

        def read() -> None:
            while not over.wait(1):
                for reader in clients:
                    with contextlib.suppress(OSError):
                        reader.recv(1)

        thread.submit(read)
        # Until all have been heard, the queue for connections is full, and who comes is told to come back.
        soon(lambda: small(client).status_code == 200, 5)
        time.sleep(1)
        times = []
        statuses: Counter[int] = Counter()
        end = time.monotonic() + 6
        while time.monotonic() < end:
            started = time.monotonic()
            statuses[small(client).status_code] += 1
            times.append(time.monotonic() - started)
            time.sleep(0.05)
    assert set(statuses) == {200}, statuses
    assert sorted(times)[len(times) * 9 // 10] < 1


@pytest.mark.parametrize("end", ["ABORT", "DELETE"])
@pytest.mark.parametrize("phase", ["PENDING", "QUEUED", "EXECUTING", "COMPLETED"])
def test_abort_in_each_phase(site: Site, client: httpx.Client, phase: str, end: str) -> None:
    """QUEUED behind others that take all slots of its lane."""
    blocking = [create(client, **SLOW, PHASE="RUN") for _ in range(2 if phase == "QUEUED" else 0)]
    for url in blocking:
        executing(client, url)
    query = TRIVIAL if phase == "COMPLETED" else SLOW
    url = create(client, **query)
    if phase != "PENDING":
        client.post(f"{url}/phase", data={"PHASE": "RUN"})
    soon(lambda: client.get(f"{url}/phase").text == phase, 10)
    if end == "ABORT":
        answer = client.post(f"{url}/phase", data={"PHASE": "ABORT"})
        done = phase == "COMPLETED"
        assert answer.status_code == (403 if done else 303)
        assert client.get(f"{url}/phase").text == ("COMPLETED" if done else "ABORTED")
    soon(lambda: len(site.queries()) == len(blocking) + (end == "DELETE" and phase == "EXECUTING"), 5)
    for made in (*blocking, url):
        assert client.delete(made).status_code == 303
        assert client.get(made).status_code == 404
    soon(lambda: not site.queries(), 5)
    assert site.files() == set()


def test_a_job_is_deleted_while_it_writes(site: Site, client: httpx.Client) -> None:
    files = {"table": ("t", TABLE)}
    form = {
        **LONG_UPLOAD,
        "QUERY": f"SELECT a.x FROM TAP_UPLOAD.t AS a, {COLUMNS.format(1)}, {COLUMNS.format(2)}",
    }
    answer = client.post("/tap/async", data={**form, "PHASE": "RUN", "MAXREC": "10000000"}, files=files)
    url = answer.headers["location"]
    soon(lambda: any("#" in name for name in site.files()), 10, site.files)
    client.delete(url)
    assert client.get(url).status_code == 404
    soon(lambda: not site.queries() and not site.files(), 5, site.files)
