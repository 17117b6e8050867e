"""Removes, at the start of the server and every ten minutes, uploads that a crash has left behind."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

import psycopg
from anyio.to_thread import run_sync

from vo_server.errors import OverloadError
from vo_server.settings import Settings
from vo_server.upload import store

log = logging.getLogger(__name__)

INTERVAL: Final = 600.0
"""Seconds between two rounds."""

_AGAIN: Final = 3.0
"""Seconds after which the tables are tried again that could not be dropped."""


@contextlib.asynccontextmanager
async def reaping(settings: Settings) -> AsyncIterator[None]:
    """While the block runs, uploads that no query uses are removed."""
    reaper = asyncio.create_task(_reap(settings))
    try:
        yield
    finally:
        reaper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reaper


async def _reap(settings: Settings) -> None:
    while True:
        try:
            count = await run_sync(store.reap, settings)
        except (psycopg.Error, OverloadError) as error:
            log.warning("uploads are not reaped: %s", error)
        else:
            if count:
                log.info("%d uploads that were left behind have been removed", count)
        for _ in range(int(INTERVAL / _AGAIN)):
            await asyncio.sleep(_AGAIN)
            await run_sync(store.drop_left, settings)
