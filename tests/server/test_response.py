"""A result being streamed: ended exactly once, at its end, at a failure, or when the client goes away."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx
import pyarrow as pa
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from tests.server.rowlists import batch, columns
from tests.server.serving import served
from vo_server.errors import QueryTimeoutError
from vo_server.results import find_format, response
from vo_server.results.response import ResultResponse
from vo_server.results.result import Result

ROWS = batch(columns("INTEGER"), [(n,) for n in range(2000)])


@dataclass
class Source:
    """`batches` batches of numbers, each after `pause` seconds unless cancelled, then a failure if any."""

    batches: int
    pause: float = 0.0
    failure: Exception | None = None
    sent: int = 0
    closed: int = 0
    cancelled: threading.Event = field(default_factory=threading.Event)
    complete: bool = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for _ in range(self.batches):
            if self.cancelled.wait(self.pause):
                raise QueryTimeoutError
            self.sent += 1
            yield ROWS
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.closed += 1

    def cancel(self) -> None:
        self.cancelled.set()


@pytest.fixture
def serve() -> Iterator[Callable[[Source], str]]:
    """Serves a source as CSV, or in the format that the path names; gives the URL."""
    sources: list[Source] = []

    async def answer(request: Request) -> Response:
        form, content_type = find_format(request.path_params["form"] or "text/csv;header=present")
        return ResultResponse(Result(columns("INTEGER"), sources[-1], 10**9), form, content_type)

    with served(Starlette(routes=[Route("/{form:path}", answer)])) as url:

        def start(source: Source) -> str:
            sources.append(source)
            return url

        yield start


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_whole_result(serve: Callable[[Source], str]) -> None:
    source = Source(batches=3)
    answer = httpx.get(serve(source))
    assert answer.headers["content-type"] == "text/csv;header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="result.csv"'
    assert len(answer.text.split()) == 1 + 3 * 2000
    until(lambda: source.closed == 1)
    assert not source.cancelled.is_set()


def test_head_runs_nothing_and_closes(serve: Callable[[Source], str]) -> None:
    source = Source(batches=3)
    assert httpx.head(serve(source)).content == b""
    until(lambda: source.closed == 1)
    assert source.sent == 0


def test_failure_breaks_the_transfer_off(
    serve: Callable[[Source], str], caplog: pytest.LogCaptureFixture
) -> None:
    """And the log has a line of it, for a time limit is no incident."""
    source = Source(batches=2, failure=QueryTimeoutError())
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(serve(source), headers={"Accept-Encoding": "identity"})
    until(lambda: source.closed == 1)
    told = [r.getMessage() for r in caplog.records if r.name.startswith("vo_server")]
    assert told == [f"an answer was broken off: {QueryTimeoutError.__doc__}"]
    assert not [r for r in caplog.records if r.exc_info]


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("form", ["csv", "votable", "fits", "json"])
def test_content_coding(serve: Callable[[Source], str], form: str, coding: str) -> None:
    url = f"{serve(Source(batches=3))}/{form}"
    with httpx.Client(headers={"Accept-Encoding": "identity"}) as client:
        plain = client.get(url)
        assert "content-encoding" not in plain.headers
        coded = client.get(url, headers={"Accept-Encoding": coding})
        assert coded.headers["content-encoding"] == coding
        assert coded.headers["vary"] == "Accept-Encoding"
        assert coded.content == plain.content
        assert int(coded.num_bytes_downloaded) < len(plain.content) / 1.3


def test_no_coding_of_what_is_compressed(serve: Callable[[Source], str]) -> None:
    answer = httpx.get(f"{serve(Source(batches=3))}/parquet", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert answer.content[-4:] == b"PAR1"


@pytest.mark.parametrize("form", ["fits", "text"])
def test_failure_before_anything_was_sent_is_an_error(serve: Callable[[Source], str], form: str) -> None:
    """Formats that need all rows first can still tell."""
    source = Source(batches=2, failure=QueryTimeoutError())
    assert httpx.get(f"{serve(source)}/{form}").status_code == 500
    until(lambda: source.closed == 1)


def test_a_coded_failure_breaks_the_transfer_off(serve: Callable[[Source], str]) -> None:
    source = Source(batches=2, failure=QueryTimeoutError())
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(serve(source), headers={"Accept-Encoding": "gzip"})


def test_client_that_goes_away_while_waiting(serve: Callable[[Source], str]) -> None:
    source = Source(batches=2, pause=60.0)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(serve(source), timeout=0.5)
    until(lambda: source.cancelled.is_set() and source.closed == 1)
    assert source.sent == 0


def test_client_that_goes_away_while_reading(serve: Callable[[Source], str]) -> None:
    """An unread result does not run on into memory, and ends when its reader is gone."""
    source = Source(batches=100_000)
    url = httpx.URL(serve(source))
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(100)
        until(lambda: 0 < source.sent == sent_after(source, 0.3), 20)  # the buffers of the kernel are full
        assert source.sent < 10_000
    until(lambda: source.closed == 1)


def test_client_that_takes_nothing(serve: Callable[[Source], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up although it stays connected."""
    monkeypatch.setattr(response, "STALL_LIMIT", 0.5)
    source = Source(batches=100_000)
    with asking(serve(source)):
        until(lambda: source.closed == 1, 20)
        assert 0 < source.sent < 10_000


def test_client_that_reads_slowly(serve: Callable[[Source], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the whole result, although that takes longer than it may take nothing."""
    monkeypatch.setattr(response, "STALL_LIMIT", 1.0)
    source = Source(batches=200)
    with asking(serve(source)) as connection:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            assert connection.recv(4096)
            time.sleep(0.02)
        connection.settimeout(10)
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            received = received[-10:] + connection.recv(1 << 20)
    assert source.sent == 200


@contextlib.contextmanager
def asking(url: str) -> Iterator[socket.socket]:
    """A connection with a small buffer, on which the answer is asked for and not read."""
    where = httpx.URL(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((where.host, where.port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        yield connection


def sent_after(source: Source, seconds: float) -> int:
    time.sleep(seconds)
    return source.sent


Asked = tuple[list[Message], list[int]]


def asked(
    source: Source, form: str = "csv", method: str = "GET", coding: str = "", gone_after: int | None = None
) -> Asked:
    """The messages of an answer, and how often its result had been closed before each.

    The client goes away after so many messages, if it does.
    """
    sent: list[Message] = []
    closed: list[int] = []
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        closed.append(source.closed)
        if len(sent) == gone_after:
            gone.set()
            await asyncio.sleep(0.05)

    async def main() -> None:
        found, content_type = find_format(form)
        answer = ResultResponse(Result(columns("INTEGER"), source, 10**9), found, content_type)
        headers = [(b"accept-encoding", coding.encode())]
        await answer({"type": "http", "method": method, "headers": headers}, receive, send)

    asyncio.run(main())
    return sent, closed


def body_of(messages: Sequence[Message]) -> bytes:
    return b"".join(bytes(message.get("body", b"")) for message in messages)


@pytest.mark.parametrize("form", ["csv", "votable", "json", "fits", "parquet", "text", "html"])
@pytest.mark.parametrize("batches", [0, 1, 3])
def test_a_small_answer_goes_out_in_one_piece(form: str, batches: int) -> None:
    """Its connection has been given back by then."""
    source = Source(batches, complete=True)
    sent, closed = asked(source, form)
    assert [m["type"] for m in sent] == ["http.response.start"] + ["http.response.body"] * 2
    assert (sent[1]["more_body"], sent[2].get("more_body", False), sent[2]["body"]) == (True, False, b"")
    assert closed == [1, 1, 1]
    assert source.closed == 1
    assert not source.cancelled.is_set()
    assert body_of(sent) == body_of(asked(Source(batches), form)[0])


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_small_answer_that_is_coded(coding: str) -> None:
    source = Source(1, complete=True)
    sent, closed = asked(source, coding=coding)
    assert len(sent) == 3
    assert closed == [1, 1, 1]
    assert body_of(sent) == body_of(asked(Source(1), coding=coding)[0])


@pytest.mark.parametrize("complete", [True, False])
def test_a_large_answer_comes_in_pieces(complete: bool) -> None:
    """Also one whose rows have all arrived: it need not lie in memory as text, too."""
    source = Source(200, complete=complete)
    sent, closed = asked(source)
    assert len(body_of(sent).split()) == 1 + 200 * 2000
    assert len(sent) > 5
    assert max(len(m.get("body", b"")) for m in sent) <= 1 << 18
    assert closed == [0] * len(sent)
    assert source.closed == 1


@pytest.mark.parametrize("batches", [0, 1, 100])
def test_a_failure_at_the_beginning_closes_the_result(batches: int) -> None:
    source = Source(batches, failure=QueryTimeoutError(), complete=True)
    if batches < 100:
        with pytest.raises(QueryTimeoutError):
            asked(source)
    else:
        sent, _ = asked(source)
        assert sent[-1]["more_body"]  # broken off
    assert source.closed == 1


@pytest.mark.parametrize("complete", [True, False])
def test_head(complete: bool) -> None:
    source = Source(2, complete=complete)
    sent, _ = asked(source, method="HEAD")
    assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]
    assert body_of(sent) == b""
    assert (source.sent, source.closed) == (0, 1)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("gone_after", [1, 2, 4])
def test_a_client_that_goes_away_in_between(complete: bool, gone_after: int) -> None:
    source = Source(500, complete=complete)
    sent, _ = asked(source, gone_after=gone_after)
    assert len(sent) < gone_after + 20
    assert source.sent < 500
    assert source.cancelled.is_set()
    assert source.closed == 1
