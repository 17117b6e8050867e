"""The links endpoint and what it tells about itself."""

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vo_server import dali
from vo_server.datalink.answer import TABLEDATA, answer
from vo_server.datalink.capabilities import capabilities_document
from vo_server.datalink.dataset import datasets
from vo_server.datalink.links import MEDIA_TYPE
from vo_server.datalink.pages import links_page
from vo_server.datalink.request import Form, LinksRequest, wants_page
from vo_server.db import Database
from vo_server.results.response import ResultResponse
from vo_server.settings import Settings


async def links(request: Request) -> Response:
    """The links of datasets (DataLink 1.1, section 2): a VOTable, or a page for whoever uses a browser."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    parameters = await dali.read_parameters(request, settings)
    wanted = LinksRequest.from_parameters(parameters, settings)
    found = await run_sync(datasets, database, wanted.ids)
    collections = await run_sync(database.collections)
    if wanted.form is Form.PAGE or (wanted.form is None and wants_page(request.headers.get("accept", ""))):
        page = await run_sync(links_page, wanted.ids, found, collections, settings)
        missing = wanted.ids and not found
        return HTMLResponse(page, 404 if missing else 200, {"Vary": "Accept"})
    shortened = f"The first {len(wanted.ids)} identifiers are answered; {wanted.left_out} more were sent."
    url = dali.public_request_url(request, settings)
    result = answer(wanted.ids, found, collections, settings, url, shortened if wanted.left_out else "")
    response = ResultResponse(result, TABLEDATA, MEDIA_TYPE)
    response.headers["Vary"] = "Accept"
    return response


def capabilities(request: Request) -> Response:
    """The services behind this URL (VOSI 1.1)."""
    return Response(capabilities_document(request.app.state.settings), media_type="text/xml")
