"""The doctor finds each thing that can be wrong, and nothing where nothing is."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.dl3files import Habits, write_dl3
from tests.ingesting import Archive
from vo_server.doctor import Finding, examine
from vo_server.install import install
from vo_server.roles import ALEMBIC, UPLOADS, owner_url
from vo_server.settings import Settings
from vo_server.upload.store import GRACE
from vo_server.uws.job import Caller
from vo_server.uws.results import ResultStore
from vo_server.uws.store import JobStore

ROLE = "vo_reader"
NEWEST = max(path.name[:4] for path in (ALEMBIC / "versions").glob("*.py"))


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for number in (1, 2):
        write_dl3(tmp_path / "r" / f"run{number}.fits", Habits(irfs=False, events=5, obs_id=number))
    return tmp_path / "r"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a directory of their own: tests of jobs leave files in that of all."""
    return replace(settings, data_dir=tmp_path / "data")


@pytest.fixture
def archive(settings: Settings, database: psycopg.Connection[Any], release: Path) -> Iterator[Archive]:
    archive = Archive(settings, database)
    archive.ingest(release, authority="org.example")
    return archive


def faults(settings: Settings, *, deep: bool = False) -> dict[str, str]:
    """What is to be done, by what it concerns."""
    return {f.what: f.advice or "" for f in examine(settings, deep=deep) if not f.ok and f.fatal}


def test_a_healthy_installation(archive: Archive) -> None:
    findings = list(examine(archive.settings, deep=True))
    assert [f.what for f in findings if not f.ok] == ["registry"]
    assert {f.what for f in findings} >= {
        *("database: PostgreSQL 15", "pgSphere", f"migrations: revision {NEWEST}", f"role {ROLE}"),
        *(f"rights of {ROLE}", f"connection as {ROLE}", "datasets", "files: 2 of 2 as ingested"),
    }


def test_an_installation_fit_for_the_registry(archive: Archive, release: Path) -> None:
    keys = {"title": "T", "description": "D", "licence": "CC0-1.0", "creators": ["A"], "reference": "2018A"}
    archive.ingest(release, authority="org.example", name="r", **keys)
    settings = replace(
        archive.settings,
        authority="org.example",
        public_url="https://vo.org.example.org",
        publisher="P",
        contact="a@org.example",
    )
    assert [f for f in examine(settings) if not f.ok] == []


def test_an_empty_installation(settings: Settings) -> None:
    assert faults(settings) == {}


def test_a_deleted_file(archive: Archive, release: Path) -> None:
    (release / "run1.fits").unlink()
    advice = "it cannot be read (No such file or directory): put it back, or ingest with --prune"
    assert faults(archive.settings) == {str(release / "run1.fits"): advice}
    assert Finding("files: 1 of 2 as ingested") in examine(archive.settings)


def test_a_file_of_another_size(archive: Archive, release: Path) -> None:
    path = release / "run1.fits"
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"more")
    assert faults(archive.settings) == {
        str(path): f"it has {size + 4} bytes, {size} were ingested: ingest its release again"
    }


def test_other_contents_are_seen_by_their_checksum_only(archive: Archive, release: Path) -> None:
    path = release / "run1.fits"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\x01")
    assert faults(archive.settings) == {}
    assert faults(archive.settings, deep=True) == {
        str(path): "its contents changed: ingest its release again"
    }


@pytest.mark.parametrize(
    ("change", "what", "advice"),
    [
        (
            "UPDATE tap_schema.columns SET unit = 'arcmin' WHERE column_name = 's_fov'",
            "TAP_SCHEMA.columns: ",
            "it is not what the catalogue says: run `vo-server init`",
        ),
        ("DELETE FROM tap_schema.key_columns", "TAP_SCHEMA.key_columns: 0 rows", "it is not what"),
        (
            f"REVOKE SELECT ON r.obs_index, tap_schema.keys FROM {ROLE}",
            f"rights of {ROLE}",
            'it cannot read "tap_schema"."keys", "r"."obs_index": run `vo-server init`',
        ),
        (
            f"REVOKE USAGE ON SCHEMA r FROM {ROLE}",
            f"rights of {ROLE}",
            'it cannot read "r"."obscore", "r"."obs_i',
        ),
        ("DROP VIEW r.obscore", "tables", "r.obscore missing: run `vo-server init`, then ingest again"),
        (
            "DROP TABLE tap_schema.key_columns",
            "tables",
            "tap_schema.key_columns missing: run `vo-server init`, then ingest again",
        ),
        (
            "DROP INDEX ivoa.obscore_t_min, r.obs_index_obs_id",
            "indexes",
            "ivoa.obscore_t_min, r.obs_index_obs_id missing: run `vo-server init`",
        ),
        (
            f"GRANT DELETE ON ivoa.obscore TO {ROLE}",
            f"rights of {ROLE}",
            "it may change ivoa.obscore: revoke that",
        ),
        (
            "UPDATE vo.revision SET version_num = '0'",
            "migrations",
            f"revision 0 where {NEWEST} is needed: run `vo-server",
        ),
        (
            "UPDATE vo.coverage SET t_max = 0 WHERE cell_order = 0",
            "coverage",
            "that of r is not up to date: ingest again",
        ),
        ("DELETE FROM vo.coverage", "coverage", "that of r is not up to date: ingest again"),
        ("UPDATE vo.coverage SET stale = cell_order = 26", "coverage", "that of r is not up to date: in"),
        (
            "DROP SCHEMA vo CASCADE",
            "migrations",
            f"revision None where {NEWEST} is needed: run `vo-server init`",
        ),
    ],
)
def test_damage(archive: Archive, change: str, what: str, advice: str) -> None:
    archive.connection.execute(change.encode())
    ((found, told),) = faults(archive.settings).items()
    assert found.startswith(what)
    assert told.startswith(advice)


@pytest.fixture
def with_events(archive: Archive, release: Path) -> Archive:
    archive.ingest(release, authority="org.example", events=True)
    return archive


@pytest.mark.parametrize(
    ("table", "what", "advice"),
    [
        ("r.obs_index", "r.obs_index", "ivo://org.example/r?1: not in the observation index"),
        ("r.events", "r.events", "ivo://org.example/r?1: their events are not all there"),
    ],
)
def test_lost_rows_of_a_collection_come_back_with_the_next_ingest(
    with_events: Archive, release: Path, table: str, what: str, advice: str
) -> None:
    archive = with_events
    query = f"SELECT * FROM {table} ORDER BY 1, 2, 3"
    before = archive.rows(query)
    archive.connection.execute(
        f"DELETE FROM {table} WHERE ctid = (SELECT min(ctid) FROM {table} WHERE obs_id = '1')".encode()
    )
    assert faults(archive.settings) == {what: f"{advice}: ingest their release again"}
    summary = archive.ingest(release, authority="org.example", events=True)
    assert (summary.updated, summary.unchanged) == (1, 1)
    assert archive.rows(query) == before
    assert faults(archive.settings) == {}


@pytest.mark.parametrize("loss", ["TABLE r.events", "TABLE r.obs_index CASCADE", "VIEW r.obscore"])
def test_lost_tables_come_back_with_init_and_their_rows_with_the_next_ingest(
    with_events: Archive, release: Path, loss: str
) -> None:
    archive = with_events
    query = "SELECT * FROM r.obscore NATURAL JOIN r.events ORDER BY obs_id, event_id"
    before = archive.rows(query)
    archive.connection.execute(f"DROP {loss}".encode())
    assert list(faults(archive.settings)) == ["tables"]
    install(archive.settings, print)
    assert "tables" not in faults(archive.settings)
    archive.ingest(release, authority="org.example", events=True)
    assert archive.rows(query) == before
    assert faults(archive.settings) == {}


def test_lost_indexes_come_back_with_init(archive: Archive) -> None:
    archive.connection.execute("DROP INDEX ivoa.obscore_position, r.obs_index_obs_id, vo.product_path")
    install(archive.settings, print)
    assert faults(archive.settings) == {}


def test_a_dataset_whose_events_are_refused_is_named(archive: Archive, release: Path) -> None:
    """Published while events were off; since they are on, it lacks them."""
    archive.ingest(release / "run2.fits", authority="org.example", name="r", schema="r", events=True)
    archive.connection.execute("ALTER TABLE r.events ADD CHECK (obs_id <> '1')")
    summary = archive.ingest(release, authority="org.example", events=True)
    assert [p.path for p in summary.problems] == [release / "run1.fits"]
    assert faults(archive.settings) == {
        "r.events": "ivo://org.example/r?1: their events are not all there: ingest their release again"
    }


@pytest.mark.parametrize("table", ["ivoa.obscore_hea", "vo.product"])
def test_lost_rows_come_back_with_the_next_ingest(archive: Archive, release: Path, table: str) -> None:
    before = archive.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
    archive.connection.execute(f"DELETE FROM {table} WHERE obs_publisher_did LIKE '%?1'".encode())
    assert faults(archive.settings) == {
        "datasets": "incomplete: ivo://org.example/r?1: ingest their release again"
    }
    summary = archive.ingest(release, authority="org.example")
    assert (summary.updated, summary.unchanged) == (1, 1)
    assert archive.rows(f"SELECT * FROM {table} ORDER BY 1, 2") == before
    assert faults(archive.settings) == {}


def test_a_reader_that_cannot_connect(archive: Archive) -> None:
    url = psycopg.conninfo.make_conninfo(archive.settings.database_url, user="nobody_here")
    ((found, told),) = faults(replace(archive.settings, reader_url=url)).items()
    assert found == f"connection as {ROLE}"
    assert 'role "nobody_here" does not exist: see the settings reader_url and reader_role' in told


def test_a_role_that_does_not_exist(archive: Archive) -> None:
    found = faults(replace(archive.settings, reader_role="nobody_here"))
    assert found == {"role nobody_here": "it does not exist: run `vo-server init`"}


def test_a_role_that_may_too_much(archive: Archive) -> None:
    found = faults(replace(archive.settings, reader_role="postgres"))
    assert found["role postgres"] == "it may do more than read: make it NOSUPERUSER NOCREATEROLE"


def test_no_authority_is_a_note_only(archive: Archive, tmp_path: Path) -> None:
    other = write_dl3(tmp_path / "other" / "run.fits", Habits(irfs=False, events=1))
    archive.ingest(other.parent)
    note, registry = [f for f in examine(archive.settings) if not f.ok]
    assert (registry.what, registry.fatal) == ("registry", False)
    assert "the authority x-unregistered is nobody's" in (registry.advice or "")
    assert (note.what, note.fatal) == ("collection other", False)
    assert "set VO_SERVER_AUTHORITY or the key `authority`" in (note.advice or "")


def test_no_database(settings: Settings) -> None:
    url = psycopg.conninfo.make_conninfo(owner_url(settings), dbname="absent")
    ((found, told),) = faults(replace(settings, database_url=url)).items()
    assert found == "database"
    assert 'database "absent" does not exist' in told


def left_behind(settings: Settings) -> dict[str, str | None]:
    """What is said of uploads and of files of jobs; both are notes where nothing is to be done."""
    return {f.what: f.advice for f in examine(settings) if f.what in {"uploads", "files of jobs"}}


def upload_of(connection: psycopg.Connection[Any], age: float) -> str:
    """A table as queries upload it, `age` seconds old."""
    name = f"u{int(time.time() - age)}_{secrets.token_hex(8)}"
    connection.execute(f"CREATE TABLE {UPLOADS}.{name} (a integer)".encode())
    return name


def test_nothing_is_left_behind(settings: Settings, database: psycopg.Connection[Any]) -> None:
    upload_of(database, age=GRACE - 60)
    database.execute(f"CREATE TABLE {UPLOADS}.of_somebody_else (a integer)".encode())
    assert left_behind(settings) == {"uploads": None, "files of jobs": None}


def test_tables_of_queries_that_are_gone_are_a_note(
    settings: Settings, database: psycopg.Connection[Any]
) -> None:
    names = [upload_of(database, age=GRACE + 60) for _ in range(3)]
    advice = "of queries that are gone: a running server removes them soon"
    assert left_behind(settings)["uploads"] == f"3 {advice}"
    with psycopg.connect(owner_url(settings)) as reading:
        reading.execute(f"SELECT * FROM {UPLOADS}.{names[0]}".encode())
        assert left_behind(settings)["uploads"] == f"2 {advice}"
    assert faults(settings) == {}


def test_files_of_jobs_that_there_are_not(settings: Settings, tmp_path: Path) -> None:
    settings = replace(settings, result_store=str(tmp_path / "results"))
    results, jobs = ResultStore(settings), JobStore(settings)
    jobs.open()
    try:
        jobs.create("there", "tap", Caller(owner=None, session="s", address="127.0.0.1"), [])
    finally:
        jobs.close()
    results.write("there/1/result", [b"kept"])
    assert left_behind(settings)["files of jobs"] is None
    for number in range(7):
        results.write(f"gone{number}/1/result", [b"lost"])
    told = "gone0, gone1, gone2, gone3, gone4: there are no such jobs, remove them"
    assert faults(settings) == {"files of jobs": told}


def test_a_result_store_that_does_not_answer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self: ResultStore) -> set[str]:
        raise OSError("it is away")

    monkeypatch.setattr(ResultStore, "jobs", away)
    assert faults(settings) == {"files of jobs": "the result store does not answer: it is away"}
