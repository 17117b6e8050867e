"""The pool of Arrow connections: limits, replacement of dead connections, what it leaves behind."""

import threading
import time
from collections.abc import Iterator

import adbc_driver_manager as adbc
import psycopg
import pytest

from vo_server.errors import OverloadError
from vo_server.install import owner_url, reader_url
from vo_server.pool import Pool
from vo_server.settings import Settings

MINE = "FROM pg_stat_activity WHERE usename = 'vo_reader' AND datname = current_database()"


@pytest.fixture
def pool(module_settings: Settings) -> Iterator[Pool]:
    made = Pool(reader_url(module_settings), size=2, most_waiting=1)
    yield made
    made.close()


@pytest.fixture
def watcher(module_settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(owner_url(module_settings), autocommit=True) as connection:
        yield connection


def backends(watcher: psycopg.Connection) -> list[int]:
    return [pid for (pid,) in watcher.execute(f"SELECT pid {MINE}")]


def execute(connection: adbc.AdbcConnection, sql: str) -> None:
    with adbc.AdbcStatement(connection) as statement:
        statement.set_sql_query(sql)
        statement.execute_update()


def test_a_connection_is_used_again(pool: Pool, watcher: psycopg.Connection) -> None:
    for _ in range(3):
        pool.give(pool.take(1.0))
        assert len(backends(watcher)) == 1


def test_it_only_reads(pool: Pool) -> None:
    connection = pool.take(1.0)
    with pytest.raises(adbc.Error, match="read-only transaction"):
        execute(connection, "CREATE TABLE public.t (i int)")
    pool.give(connection)


def test_a_failed_transaction_is_over_when_it_is_taken_again(pool: Pool) -> None:
    connection = pool.take(1.0)
    with pytest.raises(adbc.Error):
        execute(connection, "SELECT 1 / 0")
    pool.give(connection)
    again = pool.take(1.0)
    execute(again, "SELECT 1")
    pool.give(again)


def test_a_connection_that_died_while_it_was_idle_is_replaced(
    pool: Pool, watcher: psycopg.Connection
) -> None:
    pool.give(pool.take(1.0))
    (before,) = backends(watcher)
    watcher.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
    connection = pool.take(1.0)
    execute(connection, "SELECT 1")
    pool.give(connection)
    assert backends(watcher) != [before]


def test_how_many_and_how_long(pool: Pool) -> None:
    taken = [pool.take(1.0), pool.take(1.0)]
    with pytest.raises(OverloadError):
        pool.take(0.1)
    waiting = threading.Thread(target=lambda: taken.append(pool.take(10.0)))
    waiting.start()
    end = time.monotonic() + 5
    while not pool._waiting:
        assert time.monotonic() < end
    with pytest.raises(OverloadError):
        pool.take(10.0)
    pool.give(taken.pop(0))
    waiting.join(5)
    assert len(taken) == 2
    for connection in taken:
        pool.give(connection)


def test_closed_while_a_connection_is_out(pool: Pool, watcher: psycopg.Connection) -> None:
    connection = pool.take(1.0)
    pool.close()
    pool.give(connection)
    end = time.monotonic() + 5
    while backends(watcher):
        assert time.monotonic() < end


def test_no_server() -> None:
    pool = Pool("host=/nowhere dbname=x", size=1, most_waiting=1)
    for _ in range(3):
        with pytest.raises(adbc.Error):
            pool.take(1.0)
    pool.close()
