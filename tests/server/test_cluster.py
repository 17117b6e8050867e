"""The private cluster: started, found running, stopped; and what it says when it cannot be."""

import os
import pwd
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from vo_server import cluster
from vo_server.cluster import ClusterError
from vo_server.settings import Settings

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def private(template: Settings) -> Settings:
    """The settings of the run's own cluster, which is running."""
    return template


def test_a_cluster_that_runs_is_left_alone(private: Settings) -> None:
    mine = cluster.cluster(private)
    before = (mine.directory / "postmaster.pid").read_text()
    assert cluster.start(mine) is False
    with cluster.running(private):
        pass
    assert (mine.directory / "postmaster.pid").read_text() == before


def test_only_its_owner_can_enter_it(private: Settings) -> None:
    mine = cluster.cluster(private)
    owner = pwd.getpwnam("postgres").pw_uid if AS_ROOT else os.geteuid()
    for path in (mine.directory, mine.socket):
        assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o700, owner)
    with psycopg.connect(mine.url) as connection:
        row = connection.execute("SELECT current_setting('listen_addresses'), inet_server_addr()").fetchone()
    assert row == ("", None)


def test_a_whole_life_with_a_long_path(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.mktemp("life")
    for parent in (base, base.parent, base.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    settings = Settings(data_dir=base / ("long" * 25), fsync=False)
    mine = cluster.cluster(settings)
    assert len(str(mine.socket)) < 90
    assert not mine.socket.is_relative_to(settings.data_dir)
    try:
        assert cluster.start(mine) is True
        assert (mine.directory / "postmaster.pid").exists()
        assert cluster.start(mine) is False
        cluster.stop(mine)
        assert not (mine.directory / "postmaster.pid").exists()
        cluster.stop(mine)
        with cluster.running(settings):
            url = psycopg.conninfo.make_conninfo(mine.url, dbname="postgres")
            with psycopg.connect(url) as connection:
                assert connection.execute("SHOW fsync").fetchone() == ("off",)
        assert not (mine.directory / "postmaster.pid").exists()
        configuration = (mine.directory / "postgresql.conf").read_text()
        assert configuration.count("include_if_exists = 'vo-server.conf'") == 1
    finally:
        cluster.stop(mine)
        mine.socket.rmdir()


def test_who_is_connected_keeps_it_running(private: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "start", lambda mine: True)
    mine = cluster.cluster(private)
    before = (mine.directory / "postmaster.pid").read_text()
    url = psycopg.conninfo.make_conninfo(mine.url, dbname="postgres")
    with psycopg.connect(url), cluster.running(private):
        pass
    assert (mine.directory / "postmaster.pid").read_text() == before


def test_a_directory_that_shuts_the_system_user_out_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0o700)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    mine = cluster.Cluster(closed / "data" / "postgres", closed / "data" / "run", "postgres")
    with pytest.raises(ClusterError) as told:
        cluster._check_reachable(mine)
    assert str(told.value) == (
        f"the user postgres, who runs Postgres, cannot enter {closed}; choose another data directory with"
        " VO_SERVER_DATA_DIR"
    )


def test_nothing_happens_where_a_database_is_given(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", database_url="postgresql:///nowhere")
    with cluster.running(settings):
        assert not settings.data_dir.exists()


def test_missing_programs_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ClusterError, match="PostgreSQL is not installed"):
        cluster.binaries()


def test_failures_of_postgres_are_told_with_its_own_words(private: Settings, tmp_path: Path) -> None:
    mine = replace(cluster.cluster(private), directory=tmp_path / "absent", socket=tmp_path)
    with pytest.raises(ClusterError, match=r"pg_ctl failed:\n.*absent"):
        cluster._run(mine, "pg_ctl", "reload", "-D", str(mine.directory))
