"""Requests that have just come go before answers that are long under way.

A large answer keeps all processors busy: the database, the thread that reads the rows and the one that
writes them. A small query beside it would wait at each of its steps. So those who make large answers ask
here between two pieces of work, and pause for a moment while a young request is not answered yet.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_YOUTH: Final = 0.02
"""Seconds for which a request counts as young: what takes longer is not small."""

_LONGEST: Final = 0.005
"""Seconds that one piece of work waits at most, so that large answers go on whatever comes."""


class Precedence:
    """Who is to go first; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._begun: dict[object, float] = {}

    @contextmanager
    def young(self) -> Iterator[None]:
        """A request, from its coming to the first octet of its answer."""
        key = object()
        with self._lock:
            self._begun[key] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._begun[key]
                self._lock.notify_all()

    def give_way(self) -> None:
        """Pause while there are young requests, for _LONGEST seconds at most."""
        if not self._begun:
            return
        with self._lock:
            self._lock.wait_for(self._none_is_young, _LONGEST)

    def _none_is_young(self) -> bool:
        now = time.monotonic()
        return all(now - begun > _YOUTH for begun in self._begun.values())


PRECEDENCE: Final = Precedence()
"""That of this process, whose processors and Python lock all its requests share."""


class YoungRequests:
    """Middleware: every request is young until its answer has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with ExitStack() as youth:
            youth.enter_context(PRECEDENCE.young())

            async def send_and_grow(message: Message) -> None:
                await send(message)
                if message["type"] == "http.response.body":
                    youth.close()

            await self.app(scope, receive, send_and_grow)
