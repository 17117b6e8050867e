"""The HTTP response of a result that is still being read from the database."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio.to_thread import run_sync
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from vo_server.results import Writer
from vo_server.results.result import Result

log = logging.getLogger(__name__)

STALL_LIMIT: Final = 60.0
"""Seconds for which a client may take nothing before it is given up."""

_PIECE: Final = 1 << 14
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
    """Streams a result from worker threads; ends its query at the end, or when the client goes or stalls."""

    def __init__(self, result: Result, write: Writer, content_type: str) -> None:
        super().__init__(headers={"Content-Type": content_type})
        del self.headers["content-length"]
        self.result = result
        self.write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the result (ASGI)."""
        send = _impatient(send)
        try:
            async with cancelled_by_disconnect(receive, self.result.cancel) as gone:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                if scope["method"] != "HEAD":
                    await self._send_chunks(send, gone)
                await send({"type": "http.response.body", "body": b""})
        except _StalledError:
            # The server breaks off an answer that has not come to its end.
            log.warning("a client took nothing for %g s; its query is given up", STALL_LIMIT)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self.result.close)

    async def _send_chunks(self, send: Send, gone: asyncio.Event) -> None:
        chunks = self.write(self.result)
        while not gone.is_set():
            chunk = await run_sync(next, chunks, None)
            if chunk is None:
                return
            for start in range(0, len(chunk), _PIECE):
                piece = chunk[start : start + _PIECE]
                await send({"type": "http.response.body", "body": piece, "more_body": True})


def _impatient(send: Send) -> Send:
    """`send`, with _StalledError when it does not return for STALL_LIMIT seconds."""

    async def send_in_time(message: Message) -> None:
        try:
            async with asyncio.timeout(STALL_LIMIT):
                await send(message)
        except TimeoutError as error:
            raise _StalledError from error

    return send_in_time
