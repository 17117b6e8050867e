"""The spectral search of each collection, what it tells about itself, and spectra as VOTables."""

from typing import Final
from urllib.parse import quote, unquote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from vo_server import dali, vosi
from vo_server.cancellation import Cancellation
from vo_server.collections.find import find_collection
from vo_server.datalink.services import linked_by
from vo_server.db import Database
from vo_server.errors import UsageError
from vo_server.results import find_format
from vo_server.results.response import ResultResponse, cancelled_by_disconnect
from vo_server.results.result import Info
from vo_server.results.votable import metadata_document
from vo_server.settings import Settings
from vo_server.ssa import store
from vo_server.ssa.capabilities import capabilities_document, input_params
from vo_server.ssa.fields import DID, FORMS, VOTABLE, VOTABLE_PATH, fields
from vo_server.ssa.request import DEFAULT_FORMAT, search
from vo_server.ssa.spectrum import spectrum
from vo_server.tap import query

_PROTOCOL: Final = Info("SERVICE_PROTOCOL", "1.1", "SSAP")
_SPECTRUM_FORMAT: Final = f"{VOTABLE};serialization=TABLEDATA"


async def find(request: Request) -> Response:
    """The spectra of a collection that meet the parameters; runs as a query of TAP does."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    url = dali.public_request_url(request, settings)
    parameters = await dali.read_parameters(request, settings)
    collection = find_collection(await run_sync(database.collections), request.path_params["collection"])
    wanted = search(parameters, collection, settings)
    cancellation = Cancellation()
    async with cancelled_by_disconnect(request.receive, cancellation.cancel):
        result = await run_sync(query.run, wanted.request, database, settings, url, cancellation)
    result.columns = [field.column for field in fields(FORMS[0], "")]
    result.data_infos = (*result.data_infos, _PROTOCOL)
    number = next(n for n, column in enumerate(result.columns) if column.name == DID)
    links = linked_by(number, DID, settings)
    result.field_ids, result.field_links, result.services = links
    if wanted.metadata:
        result.params = input_params()
        return Response(metadata_document(result), headers={"Content-Type": DEFAULT_FORMAT})
    return ResultResponse(result, wanted.request.format, wanted.request.content_type)


async def capabilities(request: Request) -> Response:
    """The services behind this URL (VOSI 1.1)."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    collection = find_collection(await run_sync(database.collections), request.path_params["collection"])
    document = await run_sync(capabilities_document, collection, database, settings)
    return Response(document, media_type="text/xml")


def availability(request: Request) -> Response:
    """Whether the service is up, if there is such a collection."""
    database: Database = request.app.state.database
    find_collection(database.collections(), request.path_params["collection"])
    return vosi.availability(request)


async def by_id(request: Request) -> Response:
    """The spectrum of ID, a publisher DID. Raises UsageError, NotFoundError, and what reading raises."""
    settings: Settings = request.app.state.settings
    parameters = await dali.read_parameters(request, settings)
    did = parameters.one("ID")
    if did is None:
        raise UsageError("ID is missing: the obs_publisher_did of a spectrum")
    asked = parameters.one("RESPONSEFORMAT") or _SPECTRUM_FORMAT
    published = await run_sync(store.by_id, request.app.state.database, did)
    return await _answer(published, request, asked)


async def by_path(request: Request) -> Response:
    """The spectrum in a file, below the address of which it is."""
    raw: bytes = request.scope["raw_path"]
    path = raw.decode("ascii", "replace").split("?")[0].removesuffix(VOTABLE_PATH)
    segments = (quote(unquote(segment), safe="") for segment in path.split("/"))
    published = await run_sync(store.by_path, request.app.state.database, "/".join(segments))
    return await _answer(published, request, _SPECTRUM_FORMAT)


async def _answer(published: store.Published, request: Request, asked: str) -> Response:
    settings: Settings = request.app.state.settings
    chosen, content_type = find_format(asked)
    result = await run_sync(spectrum, published)
    result.votable_version = settings.votable_version
    url = dali.public_request_url(request, settings)
    result.infos = dali.origin(settings, "ivo://ivoa.net/std/SpectrumDM", url)
    return ResultResponse(result, chosen, content_type)
