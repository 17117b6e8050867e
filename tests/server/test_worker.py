"""Workers in processes of their own: what becomes of jobs when they are killed, stopped, or many."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.server.serving import free_socket, served, url_of
from tests.server.test_uws import SLOW, TRIVIAL, create, document, executing, finished, no_query_runs, text
from vo_server.app import create_app
from vo_server.settings import Settings
from vo_server.uws import queue

SECONDS = {
    "LANG": "ADQL",
    "QUERY": "SELECT COUNT(*) FROM tap_schema.columns a, tap_schema.columns b, tap_schema.columns c,"
    " tap_schema.keys d WHERE a.description || d.key_id < b.description || c.description",
}
"""Takes a second or two."""


@contextlib.contextmanager
def server(settings: Settings, **changes: Any) -> Iterator[httpx.Client]:
    """A client of a server that has no worker, unless the changes say so."""
    listener = free_socket()
    settings = replace(settings, **{"public_url": url_of(listener), "worker": False, **changes})
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=70) as client:
        yield client


@contextlib.contextmanager
def worker(settings: Settings, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`vo-server worker`, stopped at the end if it still runs."""
    variables = {
        "DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "READER_URL": settings.reader_url,
        "WORKER_SILENCE": "1",
        **environment,
    }
    command = [sys.executable, "-m", "vo_server", "worker"]
    named = {f"VO_SERVER_{name}": value for name, value in variables.items()}
    process = subprocess.Popen(command, env={**os.environ, **named}, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(20) in {0, -9}


def row(database: psycopg.Connection, url: str, columns: str) -> Any:
    """Columns of the row of a job."""
    query = f"SELECT {columns} FROM vo.job WHERE id = %s"
    return database.execute(query.encode(), [url.rsplit("/", 1)[1]]).fetchone()


def wait_for(database: psycopg.Connection, url: str, columns: str, expected: tuple[Any, ...]) -> None:
    deadline = time.monotonic() + 15
    while (found := row(database, url, columns)) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_a_job_of_a_killed_worker_is_run_by_another(settings: Settings, database: psycopg.Connection) -> None:
    with server(settings) as client:
        url = create(client, **SECONDS, PHASE="RUN")
        with worker(settings) as first:
            executing(client, url)
            first.kill()
            first.wait()
        assert client.get(f"{url}/phase").text == "EXECUTING"
        with worker(settings):
            wait_for(database, url, "attempt, interruptions", (2, 1))
            assert text(finished(client, url), "phase") == "COMPLETED"
        assert client.get(f"{url}/results/result").status_code == 200
    assert database.execute("SELECT count(*) FROM procrastinate.procrastinate_jobs").fetchone() == (0,)


def test_a_job_is_not_run_for_ever(settings: Settings, database: psycopg.Connection) -> None:
    with server(settings) as client:
        url = create(client, **SLOW, PHASE="RUN")
        with worker(settings) as first:
            executing(client, url)
            first.kill()
            first.wait()
        with worker(settings, JOB_ATTEMPTS="1"):
            root = finished(client, url)
        assert text(root, "phase") == "ERROR"
        assert "The job was started 1 times" in client.get(f"{url}/error").text


def test_the_query_of_a_killed_worker_ends(settings: Settings) -> None:
    with server(settings) as client, worker(settings) as first:
        executing(client, create(client, **SLOW, PHASE="RUN"))
        first.kill()
        first.wait()
        assert no_query_runs(settings)


def test_a_worker_that_stops_gives_its_jobs_back(settings: Settings, database: psycopg.Connection) -> None:
    with server(settings, worker=True) as client:
        url = create(client, **SECONDS, PHASE="RUN")
        executing(client, url)
    assert row(database, url, "phase, interruptions") == ("QUEUED", 0)
    with server(settings, worker=True) as client:
        moved = str(client.base_url).rstrip("/") + "/tap/async/" + url.rsplit("/", 1)[1]
        assert text(finished(client, moved), "phase") == "COMPLETED"
    assert row(database, url, "attempt, interruptions") == (2, 0)


def test_two_workers_share_the_work(settings: Settings, database: psycopg.Connection) -> None:
    with (
        server(settings, worker=True, fast_slots=1) as client,
        worker(settings, FAST_SLOTS="1", WORKER_SILENCE="20"),
    ):
        deadline = time.monotonic() + 10
        workers = "SELECT count(*) FROM procrastinate.procrastinate_workers"
        while database.execute(workers.encode()).fetchone() != (4,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        urls = [create(client, **SECONDS, PHASE="RUN") for _ in range(2)]
        for url in urls:
            executing(client, url)
        for url in urls:
            assert text(finished(client, url), "phase") == "COMPLETED"
        assert {row(database, url, "attempt") for url in urls} == {(1,)}


def test_big_jobs_leave_the_small_ones_their_slots(settings: Settings, database: psycopg.Connection) -> None:
    with server(settings, worker=True, fast_slots=1, slow_slots=1) as client:
        big = [create(client, **SLOW, PHASE="RUN") for _ in range(3)]
        assert {row(database, url, "lane") for url in big} == {("slow",)}
        small = create(client, **TRIVIAL, PHASE="RUN")
        assert text(finished(client, small), "phase") == "COMPLETED"
        assert row(database, small, "lane") == ("fast",)
        places = [document(client, url).findtext("{*}jobInfo/placeInQueue") for url in big]
        assert places == [None, "1", "2"]


def test_a_job_that_is_in_the_way_changes_lanes(settings: Settings, database: psycopg.Connection) -> None:
    limits = {"fast_slots": 1, "slow_slots": 1, "fast_lane_cost": 10**12, "fast_lane_seconds": 0.5}
    with server(settings, worker=True, **limits) as client:
        big = create(client, **SLOW, PHASE="RUN")
        executing(client, big)
        small = create(client, **TRIVIAL, PHASE="RUN")
        assert text(finished(client, small), "phase") == "COMPLETED"
        wait_for(database, big, "phase, lane, attempt, interruptions", ("EXECUTING", "slow", 2, 0))


def test_a_job_may_not_take_longer_than_it_said(settings: Settings) -> None:
    with server(settings, worker=True) as client:
        url = create(client, **SLOW)
        client.post(f"{url}/executionduration", data={"EXECUTIONDURATION": "1"})
        client.post(f"{url}/phase", data={"PHASE": "RUN"})
        root = finished(client, url)
        assert text(root, "phase") == "ABORTED"
        assert "took longer than its execution duration of 1 s" in client.get(f"{url}/error").text
        assert no_query_runs(settings)


def test_when_its_time_has_come_a_job_vanishes(settings: Settings, database: psycopg.Connection) -> None:
    with server(settings, worker=True, job_retention=2, worker_silence=1.0) as client:
        done = create(client, **TRIVIAL, PHASE="RUN")
        running = create(client, **SLOW, PHASE="RUN")
        finished(client, done)
        executing(client, running)
        deadline = time.monotonic() + 10
        while database.execute("SELECT count(*) FROM vo.job").fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert client.get(done).status_code == client.get(running).status_code == 404
        assert no_query_runs(settings)
    assert not (settings.data_dir / "results" / done.rsplit("/", 1)[1]).exists()


def test_an_attempt_that_was_overtaken_changes_nothing(
    settings: Settings, database: psycopg.Connection
) -> None:
    """As after a worker that hung for a while: the job is then another worker's."""
    with server(settings, worker=True) as client:
        url = create(client, **SECONDS, PHASE="RUN")
        executing(client, url)
        database.execute("UPDATE vo.job SET attempt = 7")
        assert no_query_runs(settings)
        time.sleep(0.2)
        assert row(database, url, "phase, results") == ("EXECUTING", "[]")
    assert not (settings.data_dir / "results" / url.rsplit("/", 1)[1]).exists()


def test_jobs_that_the_queue_has_lost_come_back(settings: Settings, database: psycopg.Connection) -> None:
    """As after an upgrade of procrastinate, whose tables are then made anew."""
    with server(settings) as client:
        url = create(client, **TRIVIAL, PHASE="RUN")
        database.execute("COMMENT ON SCHEMA procrastinate IS '0.0.1'")
        queue.create(database)
        assert database.execute("SELECT count(*) FROM procrastinate.procrastinate_jobs").fetchone() == (0,)
        with worker(settings):
            assert text(finished(client, url), "phase") == "COMPLETED"


def test_a_worker_outlives_its_connections(settings: Settings, database: psycopg.Connection) -> None:
    with server(settings, worker=True) as client:
        assert text(finished(client, create(client, **TRIVIAL, PHASE="RUN")), "phase") == "COMPLETED"
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert text(finished(client, create(client, **TRIVIAL, PHASE="RUN")), "phase") == "COMPLETED"


@pytest.mark.parametrize("scheme", ["file://{}", "{}", "memory:///"])
def test_results_lie_where_the_setting_says(settings: Settings, tmp_path: Path, scheme: str) -> None:
    place = scheme.format(tmp_path / "results")
    with server(settings, worker=True, result_store=place) as client:
        url = create(client, **TRIVIAL, PHASE="RUN")
        finished(client, url)
        assert client.get(f"{url}/results/result").text.splitlines()[0] == "schema_name"
        files = [p for p in tmp_path.rglob("*") if p.is_file()]
        assert len(files) == ("memory" not in scheme)
        client.delete(url)
        assert client.get(f"{url}/results/result").status_code == 404
        assert not [p for p in tmp_path.rglob("*") if p.is_file()]
