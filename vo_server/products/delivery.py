"""The HTTP response of a content: read in worker threads, no faster than the client takes it."""

import logging
import time
from collections import deque
from collections.abc import Iterator
from email.utils import formatdate
from itertools import islice
from typing import Final
from urllib.parse import quote

import anyio
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from vo_server.errors import VOError, report
from vo_server.products.conditions import Ranges, Version, judge
from vo_server.products.content import Content
from vo_server.results.response import STALL_LIMIT, StalledError, cancelled_by_disconnect, impatient

log = logging.getLogger(__name__)

MOST_CHUNKS: Final = 4
"""Chunks read ahead for a client that takes them promptly: each change of threads costs 0.2 ms."""

PROMPT: Final = 0.1
"""Seconds in which a prompt client takes them."""

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-+=,@()#")


class Delivery(Response):
    """A content with validators, whole or in ranges (RFC 9110); HEAD tells the same headers.

    A failure before the first octets raises, so that it becomes an error. A later one, a client that goes
    away and one that takes nothing for STALL_LIMIT seconds end the answer before its length is reached.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        headers = {
            "Content-Disposition": disposition(content.filename),
            "Content-Length": str(content.size),
            "Accept-Ranges": "bytes",
            "ETag": content.etag,
        }
        if content.modified is not None:
            # Not later than the Date of the answer (RFC 9110, section 8.8.2.1).
            headers["Last-Modified"] = formatdate(min(content.modified, time.time()), usegmt=True)
        super().__init__(headers=headers, media_type=content.media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what the request asks for (ASGI)."""
        version = Version(self.content.etag, self.content.modified, self.content.size)
        verdict = judge(scope["method"], Headers(scope=scope), version, time.time())
        chunks: Iterator[bytes] = iter(())
        if verdict.status in {412, 416}:
            await self._refuse(verdict.status, scope, receive, send)
            return
        if verdict.status == 304:
            del self.headers["content-length"]
        elif verdict.status == 206:
            chunks = self._partial(verdict.ranges)
        elif scope["method"] != "HEAD":
            chunks = self.content.chunks(0, self.content.size)
        self.status_code = verdict.status
        await self._stream(chunks, receive, impatient(send))

    async def _refuse(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        told = {412: "The file is not the version that was asked for.\n", 416: "The file ends before.\n"}
        headers = {"Content-Range": f"bytes */{self.content.size}"} if status == 416 else {}
        await PlainTextResponse(told[status], status, headers)(scope, receive, send)

    def _partial(self, ranges: Ranges) -> Iterator[bytes]:
        """The octets of a 206, whose headers are set here."""
        size = self.content.size
        if len(ranges) == 1:
            start, stop = ranges[0]
            self.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
            self.headers["Content-Length"] = str(stop - start)
            return self.content.chunks(start, stop)
        boundary = f"vo-server-{self.content.etag[1:-1]}"
        kind = self.headers["content-type"]
        heads = [
            f"\r\n--{boundary}\r\nContent-Type: {kind}\r\n"
            f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n\r\n".encode("latin-1")
            for start, stop in ranges
        ]
        end = f"\r\n--{boundary}--\r\n".encode("latin-1")
        length = sum(map(len, heads)) + sum(stop - start for start, stop in ranges) + len(end)
        self.headers["Content-Length"] = str(length)
        self.headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
        return self._multipart(ranges, heads, end)

    def _multipart(self, ranges: Ranges, heads: list[bytes], end: bytes) -> Iterator[bytes]:
        for head, (start, stop) in zip(heads, ranges, strict=True):
            yield head
            yield from self.content.chunks(start, stop)
        yield end

    async def _stream(self, chunks: Iterator[bytes], receive: Receive, send: Send) -> None:
        started = False
        try:
            async with cancelled_by_disconnect(receive, _nothing) as gone:
                waiting = await run_sync(_taken, chunks, 1)
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                started = True
                while waiting and not gone.is_set():
                    begun = time.monotonic()
                    while waiting:
                        await send(_body(waiting.popleft(), more=True))
                    count = MOST_CHUNKS if time.monotonic() - begun < PROMPT else 1
                    waiting = await run_sync(_taken, chunks, count)
                if not gone.is_set():
                    await send(_body(b"", more=False))
        except StalledError:
            log.warning("a client took nothing for %g s; its download is given up", STALL_LIMIT)
        except VOError as error:
            if not started:
                raise
            # The server breaks off an answer that has not come to its end.
            log.warning("a download was broken off: %s", report(error))
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(_close, chunks)


def disposition(filename: str) -> str:
    """Content-Disposition (RFC 6266): plain names as they are, others with an ASCII substitute."""
    plain = "".join(character if character in _PLAIN else "_" for character in filename)
    if plain == filename:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _taken(chunks: Iterator[bytes], count: int) -> deque[bytes]:
    """The next chunks, up to so many; none at the end."""
    return deque(islice(chunks, count))


def _body(chunk: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": more}


def _close(chunks: Iterator[bytes]) -> None:
    """Close the file that a generator holds open."""
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


def _nothing() -> None:
    """Nothing is to be cancelled: the loop looks whether the client is gone."""
