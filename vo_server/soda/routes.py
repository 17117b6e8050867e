"""The synchronous cutout service and what it tells of itself (SODA 1.0, sections 2 and 5)."""

from typing import Final

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from vo_server import dali
from vo_server.cancellation import Cancellation
from vo_server.db import Database
from vo_server.errors import OverloadError
from vo_server.products.delivery import Delivery
from vo_server.results.response import cancelled_by_disconnect
from vo_server.settings import Settings
from vo_server.soda.capabilities import capabilities_document
from vo_server.soda.request import CutoutRequest
from vo_server.soda.run import run

_WAIT: Final = 10.0
"""Seconds that a request waits for its turn."""


async def sync(request: Request) -> Response:
    """The cutout, or 204 if no event meets the conditions (SODA 1.0, section 5.2)."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    turns: CapacityLimiter = request.app.state.cutouts
    wanted = CutoutRequest.single(await dali.read_parameters(request, settings))
    cancellation = Cancellation()
    async with cancelled_by_disconnect(request.receive, cancellation.cancel):
        await _turn(turns, request)
        try:
            made = await run_sync(run, wanted, database, cancellation, settings.sync_timeout)
        finally:
            turns.release_on_behalf_of(request)
    return Response(status_code=204) if made is None else Delivery(made.content)


def capabilities(request: Request) -> Response:
    """The capabilities document."""
    return Response(capabilities_document(request.app.state.settings), media_type="text/xml")


async def _turn(turns: CapacityLimiter, request: Request) -> None:
    try:
        with anyio.fail_after(_WAIT):
            await turns.acquire_on_behalf_of(request)
    except TimeoutError as error:
        raise OverloadError from error
