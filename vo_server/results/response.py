"""The HTTP response of a result that is still being read from the database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.to_thread import run_sync
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vo_server.results import Writer
from vo_server.results.result import Result


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
    """Streams a result from worker threads; ends its query when the client goes away or at the end."""

    def __init__(self, result: Result, write: Writer, content_type: str) -> None:
        super().__init__(headers={"Content-Type": content_type})
        del self.headers["content-length"]
        self.result = result
        self.write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the result (ASGI)."""
        try:
            async with cancelled_by_disconnect(receive, self.result.cancel) as gone:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                if scope["method"] != "HEAD":
                    await self._send_chunks(send, gone)
                await send({"type": "http.response.body", "body": b""})
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self.result.close)

    async def _send_chunks(self, send: Send, gone: asyncio.Event) -> None:
        chunks = self.write(self.result)
        while not gone.is_set():
            chunk = await run_sync(next, chunks, None)
            if chunk is None:
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
