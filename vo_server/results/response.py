"""The HTTP response of a result that is still being read from the database."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from vo_server.errors import VOError, report
from vo_server.results import Format
from vo_server.results.coding import Coding, chosen
from vo_server.results.result import Result

log = logging.getLogger(__name__)

STALL_LIMIT: Final = 60.0
"""Seconds for which a client may take nothing before it is given up."""

_PIECE: Final = 1 << 18
"""Bytes sent at a time: the smaller, the slower a client can read without seeming to have stalled."""


class _StalledError(Exception):
    """The client takes nothing any more."""


@asynccontextmanager
async def cancelled_by_disconnect(
    receive: Receive, cancel: Callable[[], None]
) -> AsyncIterator[asyncio.Event]:
    """While the block runs, `cancel` is called (in a thread) as soon as the client goes away.

    The event is set then. The body of the request must have been read.
    """
    gone = asyncio.Event()

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()
        await run_sync(cancel)

    watcher = asyncio.create_task(watch())
    try:
        yield gone
    finally:
        watcher.cancel()


class ResultResponse(Response):
    """Streams a result from worker threads; ends its query at the end, or when the client goes or stalls.

    A failure before the first octets of the format raises, so that it becomes an error document. Later
    ones break the answer off, where its format cannot tell them.
    """

    def __init__(self, result: Result, form: Format, content_type: str) -> None:
        disposition = f'{"inline" if form.inline else "attachment"}; filename="result.{form.extension}"'
        super().__init__(headers={"Content-Type": content_type, "Content-Disposition": disposition})
        del self.headers["content-length"]
        self.result = result
        self.form = form
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the result (ASGI)."""
        send = _impatient(send)
        coding = self._coding(scope)
        started = False
        try:
            async with cancelled_by_disconnect(receive, self.result.cancel) as gone:
                chunks = iter(()) if scope["method"] == "HEAD" else self._chunks(coding)
                chunk = await run_sync(self._beginning, chunks)
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                started = True
                while chunk is not None and not gone.is_set():
                    await _send_chunk(send, chunk)
                    chunk = None if self._ended else await run_sync(next, chunks, None)
                await send({"type": "http.response.body", "body": b""})
        except _StalledError:
            # The server breaks off an answer that has not come to its end.
            log.warning("a client took nothing for %g s; its query is given up", STALL_LIMIT)
        except VOError as error:
            # The same: what cannot tell its failure must not look whole.
            if not started:
                raise
            log.warning("an answer was broken off: %s", report(error))
        finally:
            if not self._ended:
                with anyio.CancelScope(shield=True):
                    await run_sync(self.result.close)

    def _coding(self, scope: Scope) -> Coding | None:
        """The content coding that goes into the headers, if there is to be one."""
        if self.form.compressed:
            return None
        self.headers["Vary"] = "Accept-Encoding"
        coding = chosen(Headers(scope=scope).get("accept-encoding", ""))
        if coding is not None:
            self.headers["Content-Encoding"] = coding.names[0]
        return coding

    def _beginning(self, chunks: Iterator[bytes]) -> bytes | None:
        """What is sent first: the whole of a small answer, whose result is closed then.

        Every change of threads takes its time, most of all beside large answers.
        """
        first = next(chunks, None)
        if first is None or not self.result.complete:
            return first
        pieces = [first]
        for piece in chunks:
            pieces.append(piece)
            if sum(map(len, pieces)) > _PIECE:
                return b"".join(pieces)
        self.result.close()
        self._ended = True
        return b"".join(pieces)

    def _chunks(self, coding: Coding | None) -> Iterator[bytes]:
        if coding is None:
            yield from self.form.write(self.result)
            return
        encoder = coding.start()
        for chunk in self.form.write(self.result):
            if coded := encoder.compress(chunk):
                yield coded
        yield encoder.flush()


async def _send_chunk(send: Send, chunk: bytes) -> None:
    view = memoryview(chunk)
    for start in range(0, len(view), _PIECE):
        await send({"type": "http.response.body", "body": view[start : start + _PIECE], "more_body": True})


def _impatient(send: Send) -> Send:
    """`send`, with _StalledError when it does not return for STALL_LIMIT seconds."""

    async def send_in_time(message: Message) -> None:
        try:
            async with asyncio.timeout(STALL_LIMIT):
                await send(message)
        except TimeoutError as error:
            raise _StalledError from error

    return send_in_time
