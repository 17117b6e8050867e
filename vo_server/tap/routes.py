"""The synchronous TAP endpoint (TAP 1.1, section 2.2)."""

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from vo_server import dali
from vo_server.cancellation import Cancellation
from vo_server.db import Database
from vo_server.results.response import ResultResponse, cancelled_by_disconnect
from vo_server.settings import Settings
from vo_server.tap import query
from vo_server.tap.request import TapRequest


async def sync(request: Request) -> Response:
    """Run the query of the request; the answer starts when the first rows are there."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    url = dali.public_request_url(request, settings)
    cancellation = Cancellation()
    async with dali.read_form(request, settings) as form:
        tap_request = TapRequest.from_parameters(form.parameters, settings, form.parts)

        def answer() -> Response:
            result = query.run(tap_request, database, settings, url, cancellation)
            return ResultResponse(result, tap_request.format, tap_request.content_type).begin(request.scope)

        async with cancelled_by_disconnect(request.receive, cancellation.cancel):
            return await run_sync(answer)
