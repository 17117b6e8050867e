"""The rows of one query, batch by batch, over one connection."""

import time
from typing import Final

import pyarrow as pa

from vo_server.precedence import PRECEDENCE
from vo_server.rows import protocol
from vo_server.rows.decoder import Decoder
from vo_server.rows.protocol import BackendError, Description
from vo_server.rows.sources import Connection, Stop, source

_SMALL: Final = 1 << 16
_NAP: Final = 0.0005
"""PostgreSQL sends 8 kB at a time. Who wakes for each of them spends more on waking than on reading, and
slows the database down, too: after less than _SMALL octets the socket is left alone for this many seconds."""

_LONGEST: Final = 1.0
"""Seconds for which rows that are there wait for more of their batch."""


class Reader:
    """Sends a query and reads its rows in batches of about `batch_bytes`.

    The first batch is what comes first, so that it comes soon. Once `finished`, the connection is idle
    again, and `next` only tells what has come; left before, it must be drained or closed. `stop` is asked
    from time to time whether the query shall be cancelled.
    """

    def __init__(self, connection: Connection, sql: str, batch_bytes: int, stop: Stop) -> None:
        self._source = source(connection, sql, stop)
        self._octets = memoryview(bytearray(min(max(batch_bytes, protocol.HEAD.size), _SMALL)))
        self._wanted = max(batch_bytes, protocol.HEAD.size)
        self._start = self._end = 0
        self._columns = Description([], [])
        self._decoder: Decoder | None = None
        self._error: BackendError | None = None
        self._is_first = True
        self.finished = False

    def next(self) -> pa.RecordBatch | None:
        """The next batch; None at the end.

        Raises BackendError, RowsError if rows are not as they were announced, and psycopg.Error if the
        connection is lost.
        """
        while True:
            batch = self._rows()
            self._heed_others()
            if batch is not None:
                self._is_first = False
                return batch
            if self.finished:
                break
            if not self._has_row():
                self._gather()
        if self._error is not None:
            raise self._error
        return None

    def drain(self) -> None:
        """Read what is left and forget it: soon done when the query has been cancelled before.

        Raises psycopg.Error if the connection is lost.
        """
        while not self.finished:
            self._heed_others()
            while self._has_row():
                self._start += self._whole()
                self._heed_others()
            if not self.finished:
                self._gather()

    def close(self) -> None:
        """Let go of the connection."""
        self._source.close()

    def _rows(self) -> pa.RecordBatch | None:
        """The rows that are there."""
        if not self._has_row():
            return None
        if self._decoder is None:
            self._decoder = Decoder(*self._columns)
        batch, used = self._decoder.decode(self._octets[self._start : self._end])
        self._start += used
        return batch

    def _heed_others(self) -> None:
        """Heed the messages up to the next row."""
        while (size := self._whole()) and self._octets[self._start] != protocol.DATA_ROW:
            body = self._octets[self._start + protocol.HEAD.size : self._start + size]
            self._heed(self._octets[self._start], body.tobytes())
            self._start += size

    def _has_row(self) -> bool:
        return bool(self._whole()) and self._octets[self._start] == protocol.DATA_ROW

    def _whole(self) -> int:
        """The size of the next message, 0 if it has not come wholly."""
        if self._end - self._start < protocol.HEAD.size:
            return 0
        size: int = 1 + protocol.HEAD.unpack_from(self._octets, self._start)[1]
        return size if size <= self._end - self._start else 0

    def _heed(self, kind: int, body: bytes) -> None:
        if kind == protocol.ROW_DESCRIPTION:
            self._columns = protocol.description(body)
        elif kind == protocol.ERROR:
            self._error = protocol.error(body)
        elif kind == protocol.READY_FOR_QUERY:
            self.finished = True

    def _gather(self) -> None:
        """Read about a batch; less at first, at the end, and when rows come slowly."""
        self._make_room()
        started = time.monotonic()
        while self._end < len(self._octets):
            got = self._source.receive(self._octets[self._end :])
            self._end += got
            # Should something else end like that: no harm is done.
            is_last = self._octets[max(self._end - 6, 0) : self._end - 1].tobytes() == protocol.READY
            if is_last or self._is_first or time.monotonic() - started > _LONGEST:
                return
            if got < _SMALL:
                time.sleep(_NAP)
            PRECEDENCE.give_way()

    def _make_room(self) -> None:
        """Move what is left to the beginning; more room if a single message needs it."""
        left = self._octets[self._start : self._end]
        size = len(self._octets) if self._is_first else self._wanted
        if len(left) >= protocol.HEAD.size:
            size = max(size, 1 + protocol.HEAD.unpack_from(left)[1])
        octets = self._octets if size == len(self._octets) else memoryview(bytearray(size))
        octets[: len(left)] = left
        self._octets, self._start, self._end = octets, 0, len(left)
