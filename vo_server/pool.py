"""Connections that bring rows as Arrow record batches (ADBC): opened when needed, used again, replaced."""

import contextlib
import threading
from typing import Final

import adbc_driver_manager as adbc
import adbc_driver_postgresql as driver

from vo_server.errors import OverloadError

_STATUS: Final = driver.ConnectionOptions.TRANSACTION_STATUS.value

_BEGIN: Final = "SET TRANSACTION READ ONLY"
"""The first statement of every transaction; a connection that has died fails at it."""


class Pool:
    """At most `size` connections to the database at `conninfo`; safe to use from many threads.

    A connection that is taken is in a read-only transaction. At most `most_waiting` callers wait for one.
    """

    def __init__(self, conninfo: str, size: int, most_waiting: int) -> None:
        self._conninfo = conninfo
        self._room = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._most_waiting = most_waiting
        self._waiting = 0
        self._database: adbc.AdbcDatabase | None = None
        self._idle: list[adbc.AdbcConnection] = []
        self._taken = 0
        self._closed = False

    def take(self, wait: float) -> adbc.AdbcConnection:
        """A connection, to be given back.

        Raises OverloadError if none is free within `wait` seconds, and the driver's errors.
        """
        self._enter(wait)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._leave)
            connection = self._living() or self._connected()
            on_failure.pop_all()
        return connection

    def give(self, connection: adbc.AdbcConnection) -> None:
        """Take a connection back; what it still runs is cancelled, and a broken one is closed."""
        try:
            if self._is_clean(connection) and not self._closed:
                self._idle.append(connection)
            else:
                with contextlib.suppress(adbc.Error):
                    connection.close()
        finally:
            self._leave()

    def close(self) -> None:
        """End all connections: the idle ones now, the others when they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        self._close_database()

    def _enter(self, wait: float) -> None:
        """Wait for one's turn."""
        if not self._room.acquire(blocking=False):
            with self._lock:
                if self._waiting >= self._most_waiting:
                    raise OverloadError
                self._waiting += 1
            try:
                if not self._room.acquire(timeout=wait):
                    raise OverloadError
            finally:
                with self._lock:
                    self._waiting -= 1
        with self._lock:
            self._taken += 1

    def _leave(self) -> None:
        with self._lock:
            self._taken -= 1
        self._room.release()
        if self._closed:
            self._close_database()

    def _living(self) -> adbc.AdbcConnection | None:
        """The connection used last that still answers, None if there is none."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            try:
                _execute(connection, _BEGIN)
            except adbc.Error:
                connection.close()
            else:
                return connection

    def _connected(self) -> adbc.AdbcConnection:
        with self._lock:
            if self._database is None:
                # Results hold built-in types only: the others need not be looked up.
                options = {"adbc.postgresql.type_resolver_mode": "builtin"}
                self._database = driver.connect(self._conninfo, options)
        connection = adbc.AdbcConnection(self._database)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(connection.close)
            connection.set_autocommit(False)
            _execute(connection, _BEGIN)
            on_failure.pop_all()
        return connection

    def _is_clean(self, connection: adbc.AdbcConnection) -> bool:
        """Whether the connection could be brought back to where it has no transaction."""
        try:
            if connection.get_option(_STATUS) == "active":
                # A rollback would read all the rows that are left.
                connection.cancel()
            connection.rollback()
            return connection.get_option(_STATUS) == "idle"
        except adbc.Error:
            return False

    def _close_database(self) -> None:
        with self._lock:
            if self._database is not None and not self._taken:
                self._database.close()
                self._database = None


def _execute(connection: adbc.AdbcConnection, sql: str) -> None:
    with adbc.AdbcStatement(connection) as statement:
        statement.set_sql_query(sql)
        statement.execute_update()
