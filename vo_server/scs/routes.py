"""The cone search of each collection, and what it tells about itself."""

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from schema.model import Table
from vo_server import dali, vosi
from vo_server.cancellation import Cancellation
from vo_server.collections.find import find_collection
from vo_server.db import Database
from vo_server.errors import NotFoundError
from vo_server.results.response import ResultResponse, cancelled_by_disconnect
from vo_server.scs import cone
from vo_server.scs.capabilities import capabilities_document
from vo_server.settings import Settings
from vo_server.tap import query


async def search(request: Request) -> Response:
    """The datasets of a collection in a cone; runs as a query of TAP does."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    url = dali.public_request_url(request, settings)
    parameters = await dali.read_parameters(request, settings)
    table = await run_sync(_datasets, database, request.path_params["collection"])
    wanted = cone.request(parameters, table, settings)
    cancellation = Cancellation()
    async with cancelled_by_disconnect(request.receive, cancellation.cancel):
        result = await run_sync(query.run, wanted, database, settings, url, cancellation)
    result.columns = cone.named(result.columns)
    return ResultResponse(result, wanted.format, wanted.content_type)


def capabilities(request: Request) -> Response:
    """The services behind this URL (VOSI 1.1)."""
    database: Database = request.app.state.database
    collection = find_collection(database.collections(), request.path_params["collection"])
    document = capabilities_document(collection, database, request.app.state.settings)
    return Response(document, media_type="text/xml")


def availability(request: Request) -> Response:
    """Whether the service is up, if there is such a collection."""
    database: Database = request.app.state.database
    find_collection(database.collections(), request.path_params["collection"])
    return vosi.availability(request)


def _datasets(database: Database, wanted: str) -> Table:
    """The table of the datasets of a collection. Raises NotFoundError."""
    collection = find_collection(database.collections(), wanted)
    table = database.catalogue().by_name.get(f"{collection.schema}.obscore")
    if table is None:
        raise NotFoundError(f"The collection {collection.name} is being changed; please try again.")
    return table
