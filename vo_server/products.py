"""Delivers the files behind the datasets, from where they lie."""

from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from vo_server.db import Database
from vo_server.errors import NotFoundError

MEDIA_TYPE: Final = "application/fits"

FILE_OF_DATASET: Final = """
SELECT p.path FROM ivoa.obscore AS o
JOIN vo.product AS p ON p.obs_publisher_did = o.obs_publisher_did
WHERE o.access_path = $1
ORDER BY p.product <> 'event-list' LIMIT 1
"""


async def file(request: Request) -> Response:
    """The file of a dataset, with ranges and validators (RFC 9110).

    The path of the URL is looked up as a whole, so no request can name a file that was not ingested.
    Raises NotFoundError.
    """
    database: Database = request.app.state.database
    raw: bytes = request.scope["raw_path"]
    segments = raw.decode("ascii", "replace").split("?")[0].split("/")
    path = "/".join(quote(unquote(segment), safe="") for segment in segments)
    rows = await run_sync(database.fetch, FILE_OF_DATASET, [path])
    if not rows:
        raise NotFoundError("There is no such dataset.")
    found = Path(rows[0][0])
    if not await run_sync(found.is_file):
        raise NotFoundError("The file of this dataset is missing; the operators have been told.")
    return FileResponse(found, media_type=MEDIA_TYPE, filename=found.name)
