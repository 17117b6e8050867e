"""The query resource of SIA 2.0, and what it tells about itself."""

from collections.abc import Mapping
from typing import Final

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from vo_server import dali
from vo_server.cancellation import Cancellation
from vo_server.db import Database
from vo_server.errors import DataError, UsageError
from vo_server.results.response import ResultResponse, cancelled_by_disconnect
from vo_server.settings import Settings
from vo_server.sia.capabilities import capabilities_document, descriptor
from vo_server.sia.request import request as sia_request
from vo_server.tap import query

FAULTS: Final = {
    **dict.fromkeys((400, 404, 405, 413), "UsageFault"),
    **dict.fromkeys((408, 429, 503), "TransientFault"),
    500: "FatalFault",
}
"""HTTP status -> what the message of an error begins with (SIA 2.0, section 3.2)."""

NO_POLYGON: Final = "POS: the sides of a polygon cross, touch or lie on one another"
"""The one fault that only the database finds in parameters."""


async def search(request: Request) -> Response:
    """The datasets that meet the parameters; runs as a query of TAP does."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    url = dali.public_request_url(request, settings)
    parameters = await dali.read_parameters(request, settings)
    collections = await run_sync(database.collections)
    wanted = sia_request(parameters, collections, settings)
    cancellation = Cancellation()
    async with cancelled_by_disconnect(request.receive, cancellation.cancel):
        try:
            result = await run_sync(query.run, wanted, database, settings, url, cancellation)
        except DataError as error:
            # It would speak of a query in ADQL, which nobody has written.
            raise UsageError(NO_POLYGON) from error
    result.services = (*result.services, descriptor(collections, settings))
    return ResultResponse(result, wanted.format, wanted.content_type)


def capabilities(request: Request) -> Response:
    """The services behind this URL (VOSI 1.1)."""
    return Response(capabilities_document(request.app.state.settings), media_type="text/xml")


def render_error(message: str, status_code: int, headers: Mapping[str, str]) -> Response:
    """An error as VOTable whose text begins with a fault."""
    return dali.render_error(f"{FAULTS.get(status_code, 'DefaultFault')}: {message}", status_code, headers)
