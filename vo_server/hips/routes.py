"""`/hips/<collection>/...`: files of a HiPS; `/hipslist`: which there are (HiPS 1.0, sections 4 and 5)."""

import re
from typing import Final

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from vo_server.collections import urls
from vo_server.collections.find import find_collection
from vo_server.coverage.routes import MAX_AGE
from vo_server.db import Database
from vo_server.errors import NotFoundError
from vo_server.hips.model import current, directory_of
from vo_server.hips.properties import PROPERTIES, SERVICE_URL, read_properties
from vo_server.products.content import Content, Extent, Octets
from vo_server.products.delivery import Delivery
from vo_server.products.file import Record, look
from vo_server.settings import Settings

_FILES: Final = re.compile(
    r"properties|index\.html|Moc\.fits|Norder\d+/(Dir\d+/Npix\d+|Allsky)\.(fits|png)", re.ASCII
)
"""All files of a HiPS; so no request can name another one."""

_MEDIA_TYPES: Final = {"fits": "application/fits", "png": "image/png", "html": "text/html"}
"""Ending of the name -> media type; others are plain text."""

_LISTED: Final = (
    *("creator_did", "hips_release_date", "hips_status", "obs_title", "dataproduct_type", "hips_frame"),
    *("hips_order", "hips_tile_format", "moc_sky_fraction"),
)
"""Keys of `properties` that /hipslist repeats (section 5.3.2)."""


async def root(request: Request) -> Response:
    """To the page of a HiPS, whose links need the slash."""
    return RedirectResponse(f"{request.url.path}/")


async def file(request: Request) -> Response:
    """A file of a HiPS. Raises NotFoundError."""
    database: Database = request.app.state.database
    settings: Settings = request.app.state.settings
    wanted, path = request.path_params["collection"], request.path_params["path"] or "index.html"
    content = await run_sync(_content, database, settings, wanted, path)
    answer = Delivery(content)
    answer.headers["Content-Disposition"] = "inline"
    answer.headers["Cache-Control"] = f"public, max-age={MAX_AGE}"
    return answer


async def listing(request: Request) -> Response:
    """All HiPS of this server, a record each."""
    database: Database = request.app.state.database
    settings: Settings = request.app.state.settings
    return PlainTextResponse(await run_sync(_listing, database, settings))


def _content(database: Database, settings: Settings, wanted: str, path: str) -> Content:
    collection = find_collection(database.collections(), wanted)
    tree = current(directory_of(settings, collection))
    if tree is None:
        raise NotFoundError(f"The collection {collection.name} has no HiPS; `vo-server hips` makes it.")
    if _FILES.fullmatch(path) is None:
        raise NotFoundError("There is no such file in a HiPS.")
    place = tree.resolve() / path
    if not place.exists():
        raise NotFoundError("There is no such tile: nothing was counted there.")
    found = look(Record(str(place), 0, "", None))
    pieces = [Extent(found, 0, found.size)]
    kind = _MEDIA_TYPES.get(path.rpartition(".")[2], "text/plain")
    modified = found.modified_ns / 1e9
    if path == PROPERTIES:
        url = Octets(f"{SERVICE_URL:<20} = {urls.hips(settings.url, collection)}\n".encode())
        return Content((*pieces, url), kind, found.name, modified)
    return Content(tuple(pieces), kind, found.name, modified)


def _listing(database: Database, settings: Settings) -> str:
    records = []
    for collection in database.collections():
        tree = current(directory_of(settings, collection))
        if tree is not None and (tree / PROPERTIES).is_file():
            told = read_properties(tree / PROPERTIES)
            told = {key: told[key] for key in _LISTED if key in told}
            told[SERVICE_URL] = urls.hips(settings.url, collection)
            records.append("".join(f"{key:<20} = {value}\n" for key, value in told.items()))
    return "\n".join(records)
