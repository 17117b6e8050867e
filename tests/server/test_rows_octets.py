"""The reader on answers of a backend that are made here, cut anywhere."""

import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.reading import BATCH, never, values
from tests.server.test_rows_decoder import message, oid, row, same
from vo_server.rows import BackendError, Reader, RowsError, protocol, reader
from vo_server.rows.protocol import Description


class Handed:
    """A source that hands out octets, as many at a time as the sizes tell, again and again."""

    def __init__(self, octets: bytes, sizes: Sequence[int]) -> None:
        self.octets, self.sizes, self.times, self.position = octets, sizes, 0, 0

    def receive(self, room: memoryview) -> int:
        assert len(room), "no room"
        assert self.position < len(self.octets), "asked after the end"
        size = min(self.sizes[self.times % len(self.sizes)], len(room), len(self.octets) - self.position)
        self.times += 1
        room[:size] = self.octets[self.position : self.position + size]
        self.position += size
        return size

    def close(self) -> None:
        pass


class Counted(Reader):
    """Gives up rather than turn in circles."""

    turns = 0

    def _gather(self) -> None:
        self.turns += 1
        assert self.turns < 20_000, "turns in circles"
        super()._gather()


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Counted]:
    monkeypatch.setattr(reader, "_NAP", 0)

    def start(octets: bytes, sizes: Sequence[int], batch_bytes: int) -> Counted:
        monkeypatch.setattr(reader, "source", lambda *_: Handed(octets, sizes))
        return Counted(None, "", batch_bytes, never)  # type: ignore[arg-type]  # no connection is asked

    return start


KINDS = ["int4", "text", "text[]", "float8[]", "timestamp"]
LINES: list[list[Any]] = [
    [
        n,
        "x" * (n % 23) if n % 3 else None,
        ["é", None][: n % 4],
        [0.5] * (n % 5),
        datetime(2000 + n % 20, 1, 2),
    ]
    for n in range(17)
]
NOTICE = b"N\0\0\0\x0bSHINT\0\0"
STATUS = b"S\0\0\0\x08a\0b\0"
READY = b"Z\0\0\0\5I"
BEGIN = b"1\0\0\0\4" + b"2\0\0\0\4" + NOTICE + protocol.described(Description(KINDS, [oid(k) for k in KINDS]))
END = b"C\0\0\0\x0dSELECT 3\0" + STATUS + READY


def answer() -> bytes:
    between = [b"", NOTICE, STATUS + NOTICE]
    return BEGIN + b"".join(between[n % 7 % 3] + row(KINDS, line) for n, line in enumerate(LINES)) + END


@pytest.mark.parametrize("batch_bytes", [1, 2, 3, 4, 5, 6, 7, 30, 64, 65, 999, 5000, 1 << 20])
@pytest.mark.parametrize("sizes", [[1], [3, 1], [7, 50, 1], [1000], [1 << 20]], ids=str)
def test_cut_anywhere(handed: Callable[..., Counted], batch_bytes: int, sizes: list[int]) -> None:
    rows = handed(answer(), sizes, batch_bytes)
    batches = list(iter(rows.next, None))
    for batch in batches:
        batch.validate(full=True)
        assert batch.num_rows
    assert rows.finished
    for number in range(len(KINDS)):
        assert same(values(batches, number), [line[number] for line in LINES])
    assert rows.next() is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 200), min_size=1, max_size=20), st.integers(5, 4000), st.integers(0, 4))
def test_drained_at_any_time(
    handed: Callable[..., Counted], sizes: list[int], batch_bytes: int, read_before: int
) -> None:
    rows = handed(answer(), sizes, batch_bytes)
    for _ in range(read_before):
        rows.next()
    rows.drain()
    assert rows.finished
    assert rows._source.position == len(answer())  # type: ignore[attr-defined]


def test_rows_that_end_like_an_answer(handed: Callable[..., Counted]) -> None:
    """Text may hold what ReadyForQuery is."""
    kind = protocol.described(Description(["x"], [oid("text")]))
    text = READY.decode()
    octets = kind + row(["text"], [text]) * 50 + END
    for sizes in ([1], [len(kind) + len(row(["text"], [text]))], [1 << 20]):
        rows = handed(octets, sizes, 5000)
        assert values(list(iter(rows.next, None))) == [text] * 50


def test_an_error_among_the_rows(handed: Callable[..., Counted]) -> None:
    error = b"SERROR\0C22012\0Mno\0Wwhere\0\0"
    failed = b"E" + struct.pack("!I", 4 + len(error)) + error
    rows = handed(BEGIN + row(KINDS, LINES[0]) * 3 + failed + READY, [11], 64)
    found: list[pa.RecordBatch] = []
    for _ in range(2):
        with pytest.raises(BackendError) as told:
            found.extend(iter(rows.next, None))
        assert (told.value.sqlstate, told.value.message, told.value.context) == ("22012", "no", "where")
        assert rows.finished
    assert values(found) == [0, 0, 0]


def test_rows_of_other_columns_than_announced(handed: Callable[..., Counted]) -> None:
    octets = BEGIN + row(KINDS, LINES[0]) + message([b"abc"]) + row(KINDS, LINES[0]) + END
    rows = handed(octets, [9], 100)
    with pytest.raises(RowsError):
        list(iter(rows.next, None))
    rows.drain()
    assert rows.finished


def test_rows_that_were_never_announced(handed: Callable[..., Counted]) -> None:
    rows = handed(row(["int4"], [1]) + END, [1 << 20], BATCH)
    with pytest.raises(RowsError):
        rows.next()
    rows.drain()
