"""Hears of changed jobs: one connection that listens, however many clients wait."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg
from psycopg import sql

from vo_server.settings import Settings
from vo_server.uws.job import Phase
from vo_server.uws.store import CHANNEL, connection_options

log = logging.getLogger(__name__)

_AGAIN: Final = 1.0

Heard = Callable[[str, Phase], None]


class Listener:
    """Passes on which job came into which phase. Everything happens in one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.heard: list[Heard] = []

    @contextlib.contextmanager
    def waiting(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the job may have changed; look at it after entering, not before."""
        event = asyncio.Event()
        self._waiting.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is made again."""
        while True:
            try:
                await self._listen()
            except psycopg.OperationalError as error:
                log.warning("no news of jobs, the database does not answer: %s", error)
            self._wake_all()
            await asyncio.sleep(_AGAIN)

    async def _listen(self) -> None:
        options: dict[str, Any] = connection_options(self._settings)
        connection = await psycopg.AsyncConnection.connect(
            options["conninfo"], autocommit=True, **options["kwargs"]
        )
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            # What changed while nobody listened.
            self._wake_all()
            async for notification in connection.notifies():
                job_id, _, phase = notification.payload.partition(" ")
                self._wake(job_id)
                for heard in self.heard:
                    heard(job_id, Phase(phase))

    def _wake(self, job_id: str) -> None:
        for event in self._waiting.get(job_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for job_id in self._waiting:
            self._wake(job_id)
