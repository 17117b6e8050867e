"""What draws the previews of a server, shared by all requests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from anyio.to_thread import run_sync

from vo_server.errors import OverloadError
from vo_server.previews.model import Picture
from vo_server.previews.processes import IDLE, Drawing
from vo_server.settings import Settings

LONGEST_WAIT: Final = 50.0
"""Seconds after which a client is told to come back; the drawing goes on."""


@dataclass(frozen=True)
class Previews:
    """What draws the previews of a server."""

    drawing: Drawing

    @classmethod
    def of(cls, settings: Settings) -> "Previews":
        """The previews of a server."""
        return cls(Drawing(settings))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """End idle processes while the block runs, and all at its end."""
        resting = asyncio.create_task(self._rest())
        try:
            yield
        finally:
            resting.cancel()
            await asyncio.gather(resting, return_exceptions=True)
            await run_sync(self.drawing.close)

    async def drawn(self, picture: Picture) -> bytes:
        """The picture when a process has drawn it. Raises OverloadError, and what `Drawing.draw` raises."""
        drawn = asyncio.wrap_future(self.drawing.draw(picture))
        done, _ = await asyncio.wait([drawn], timeout=LONGEST_WAIT)
        if not done:
            raise OverloadError("The picture is still being drawn; please try again later.")
        return drawn.result()

    async def _rest(self) -> None:
        while True:
            await asyncio.sleep(IDLE / 4)
            await run_sync(self.drawing.rest)
