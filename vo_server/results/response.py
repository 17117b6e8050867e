"""The HTTP response of a result that is still being read from the database."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final, Self

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


class StalledError(Exception):
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
        self._chunks: Iterator[bytes] | None = None
        self._first: bytes | None = None
        self._ended = False

    def begin(self, scope: Scope) -> Self:
        """Make the first octets of the answer to a request; a small one is whole then, and its result closed.

        For threads; `__call__` does it otherwise. Every change of threads takes its time, most of all beside
        large answers. Raises what the result and its writer raise, the result being closed.
        """
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._end)
            coding = self._coding(scope)
            self._chunks = iter(()) if scope["method"] == "HEAD" else self._coded(coding)
            self._first = self._beginning(self._chunks)
            on_failure.pop_all()
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the result (ASGI)."""
        send = impatient(send)
        try:
            async with cancelled_by_disconnect(receive, self.result.cancel) as gone:
                if self._chunks is None:
                    await run_sync(self.begin, scope)
                await self._send(send, gone)
        except StalledError:
            # The server breaks off an answer that has not come to its end.
            log.warning("a client took nothing for %g s; its query is given up", STALL_LIMIT)
        finally:
            if not self._ended:
                with anyio.CancelScope(shield=True):
                    await run_sync(self._end)

    async def _send(self, send: Send, gone: asyncio.Event) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        chunk, chunks = self._first, self._chunks or iter(())
        try:
            while chunk is not None and not gone.is_set():
                await _send_chunk(send, chunk)
                chunk = None if self._ended else await run_sync(next, chunks, None)
        except VOError as error:
            # The server breaks the answer off: what cannot tell its failure must not look whole.
            log.warning("an answer was broken off: %s", report(error))
        else:
            await send({"type": "http.response.body", "body": b""})

    def _coding(self, scope: Scope) -> Coding | None:
        """The content coding that goes into the headers, if there is to be one."""
        if self.form.compressed:
            return None
        self.headers.add_vary_header("Accept-Encoding")
        coding = chosen(Headers(scope=scope).get("accept-encoding", ""))
        if coding is not None:
            self.headers["Content-Encoding"] = coding.names[0]
        return coding

    def _beginning(self, chunks: Iterator[bytes]) -> bytes | None:
        """What is sent first: the whole of a small answer."""
        first = next(chunks, None)
        if first is None or not self.result.complete:
            return first
        pieces = [first]
        for piece in chunks:
            pieces.append(piece)
            if sum(map(len, pieces)) > _PIECE:
                return b"".join(pieces)
        self._end()
        return b"".join(pieces)

    def _end(self) -> None:
        self._ended = True
        self.result.close()

    def _coded(self, coding: Coding | None) -> Iterator[bytes]:
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


def impatient(send: Send) -> Send:
    """`send`, with StalledError when it does not return for STALL_LIMIT seconds."""

    async def send_in_time(message: Message) -> None:
        try:
            async with asyncio.timeout(STALL_LIMIT):
                await send(message)
        except TimeoutError as error:
            raise StalledError from error

    return send_in_time
