"""Where the messages of an answer come from: the connection's socket, or libpq where it encrypts."""

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Generator
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

import psycopg
from psycopg import errors, pq
from psycopg.pq.abc import PGconn

from vo_server.rows import protocol
from vo_server.rows.protocol import Description

Connection = psycopg.Connection[Any]

_PATIENCE: Final = 0.5
"""Seconds after which it is asked, again and again, whether the query shall be stopped: a cancel may come to
PostgreSQL before the query does."""

_WAIT_FOR_SENDING: Final = 5.0
_WAIT_FOR_CANCEL: Final = 5.0

_ENOUGH: Final = 1 << 16
"""Octets of messages that are gathered from libpq at a time."""

_COPY_SIGNATURE: Final = 19
"""Octets before the first row of COPY: signature, flags, and the length of an extension, which is none."""

_COPY_END: Final = b"\xff\xff"


Stop = Callable[[], bool]
"""Whether a query shall be stopped."""


_ENCRYPTED: WeakKeyDictionary[Connection, bool] = WeakKeyDictionary()
"""What `_may_be_encrypted` has found out."""


class Source(Protocol):
    """The messages of one answer."""

    def receive(self, room: memoryview) -> int:
        """Wait for octets and put them there; returns how many. Raises psycopg.Error when none will come."""

    def close(self) -> None:
        """Let go of it."""


def cancel(connection: Connection) -> None:
    """Ask PostgreSQL to stop what the connection runs; a connection that is lost runs nothing."""
    with contextlib.suppress(psycopg.Error):
        connection.cancel_safe(timeout=_WAIT_FOR_CANCEL)


def source(connection: Connection, sql: str, stop: Stop) -> Source:
    """Send a query on an idle connection; what is returned brings its answer.

    Once `stop` says so, the query is cancelled; its answer then is an error, unless it has come to its end.
    Raises psycopg.Error and ValueError (`protocol.query`).
    """
    kind = Copied if _may_be_encrypted(connection) else Direct
    return kind(connection, sql, stop)


class _Brake:
    """Cancels a query while it shall be stopped: again and again, but not at every occasion."""

    def __init__(self, connection: Connection, stop: Stop) -> None:
        self._connection = connection
        self._stop = stop
        self._applied = -_PATIENCE

    def check(self) -> None:
        now = time.monotonic()
        if self._stop() and now - self._applied >= _PATIENCE:
            cancel(self._connection)
            self._applied = now


class Direct:
    """Reads the socket itself, which costs a third of what libpq takes.

    From the query to ReadyForQuery libpq is not asked for anything; before and after, its connection is
    idle and knows nothing of what went on.
    """

    def __init__(self, connection: Connection, sql: str, stop: Stop) -> None:
        self._brake = _Brake(connection, stop)
        messages = protocol.query(sql)
        self._socket = socket.socket(fileno=os.dup(connection.pgconn.socket))
        try:
            # With a limit of time the socket stays non-blocking, as libpq left it.
            self._socket.settimeout(_WAIT_FOR_SENDING)
            self._socket.sendall(messages)
            self._socket.settimeout(_PATIENCE)
        except OSError as error:
            self.close()
            # Half of the query may have been sent.
            connection.close()
            raise psycopg.OperationalError("the connection is lost") from error

    def receive(self, room: memoryview) -> int:
        """As in Source."""
        while True:
            self._brake.check()
            try:
                got = self._socket.recv_into(room)
            except TimeoutError:
                continue
            except OSError as error:
                raise psycopg.OperationalError("the connection is lost") from error
            if not got:
                raise psycopg.OperationalError("the connection was closed")
            return got

    def close(self) -> None:
        """As in Source."""
        self._socket.close()


class Copied:
    """Has libpq read, which alone can read what is encrypted: COPY brings rows of the same form."""

    def __init__(self, connection: Connection, sql: str, stop: Stop) -> None:
        self._pgconn = connection.pgconn
        self._brake = _Brake(connection, stop)
        self._messages = self._copied(sql)
        self._rest = memoryview(b"")

    def receive(self, room: memoryview) -> int:
        """As in Source."""
        got = 0
        while got < min(len(room), _ENOUGH):
            self._rest = self._rest or memoryview(next(self._messages, b""))
            if not self._rest:
                break
            size = min(len(room) - got, len(self._rest))
            room[got : got + size] = self._rest[:size]
            self._rest = self._rest[size:]
            got += size
        if not got:
            raise psycopg.OperationalError("the answer has come to its end")
        return got

    def close(self) -> None:
        """As in Source."""
        self._messages.close()

    def _copied(self, sql: str) -> Generator[bytes, None, None]:
        try:
            yield from self._rows(sql)
        except psycopg.Error as error:
            while self._pgconn.status == pq.ConnStatus.OK and self._pgconn.get_result():
                pass
            if self._pgconn.transaction_status != pq.TransactionStatus.IDLE:
                raise
            told = error.diag
            yield protocol.failed(error.sqlstate or "", told.message_primary or "", told.context or "")
        yield protocol.READY + b"I"

    def _rows(self, sql: str) -> Generator[bytes, None, None]:
        pgconn, skipped = self._pgconn, _COPY_SIGNATURE
        yield protocol.described(_described(pgconn, sql.encode()))
        pgconn.send_query(f"COPY ({sql}) TO STDOUT (FORMAT BINARY)".encode())
        while pgconn.flush():
            self._wait(select.POLLIN | select.POLLOUT)
        self._result(pq.ExecStatus.COPY_OUT)
        while True:
            size, data = pgconn.get_copy_data(1)
            if not size:
                self._wait()
                continue
            if size < 0:
                break
            row = bytes(data)[skipped:]
            skipped = 0
            if row and row != _COPY_END:
                yield protocol.HEAD.pack(protocol.DATA_ROW, 4 + len(row)) + row
        self._result(pq.ExecStatus.COMMAND_OK)
        pgconn.get_result()

    def _result(self, wanted: pq.ExecStatus) -> None:
        while self._pgconn.is_busy():
            self._wait()
        result = self._pgconn.get_result()
        if result is None or result.status != wanted:
            raise errors.error_from_result(result) if result else psycopg.OperationalError("no result")

    def _wait(self, events: int = select.POLLIN) -> None:
        """Until there is something to read."""
        poll = select.poll()
        poll.register(self._pgconn.socket, events)
        self._brake.check()
        while not poll.poll(1000 * _PATIENCE):
            self._brake.check()
        self._pgconn.consume_input()


def _may_be_encrypted(connection: Connection) -> bool:
    """Whether TLS is in use, or GSSAPI may be: libpq does not tell."""
    known = _ENCRYPTED.get(connection)
    if known is None:
        options = {option.keyword: option.val for option in connection.pgconn.info}
        known = connection.pgconn.ssl_in_use or options.get(b"gssencmode") != b"disable"
        _ENCRYPTED[connection] = known
    return known


def _described(pgconn: PGconn, sql: bytes) -> Description:
    for result in (pgconn.prepare(b"", sql), pgconn.describe_prepared(b"")):
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise errors.error_from_result(result)
    numbers = range(result.nfields)
    names = [(result.fname(n) or b"").decode() for n in numbers]
    return Description(names, [result.ftype(n) for n in numbers])
