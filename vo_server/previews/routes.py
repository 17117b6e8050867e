"""`/previews/<kind>.<form>?ID=...` shows a dataset: from the cache, else drawn at the first request."""

import re
from typing import Final

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from vo_server import dali
from vo_server.db import Database, storable
from vo_server.errors import NotFoundError, UsageError
from vo_server.previews.kinds import FORMS, KINDS
from vo_server.previews.model import Preview
from vo_server.previews.published import event_list
from vo_server.previews.service import Previews
from vo_server.products.conditions import Version, known

MAX_AGE: Final = 3600
"""Seconds for which a client need not ask again; a dataset that is ingested anew looks different."""


async def preview(request: Request) -> Response:
    """The preview of the event list with the ID of the request. Raises UsageError and NotFoundError.

    Its validator is known before it is drawn, so a client that has it costs nothing.
    """
    previews: Previews = request.app.state.previews
    wanted = await run_sync(_wanted, request)
    headers = _headers(wanted)
    if known(request.headers, Version(headers["ETag"], None, 0)):
        return Response(status_code=304, headers=headers)
    picture = await run_sync(previews.drawing.cache.read, wanted.key)
    if picture is None:
        picture = await previews.drawn(wanted)
    return Response(picture, headers=headers, media_type=FORMS[wanted.form])


def _wanted(request: Request) -> Preview:
    kind, _, form = request.path_params["name"].rpartition(".")
    if kind not in KINDS or form not in FORMS:
        there = ", ".join(f"{known}.{ending}" for known in KINDS for ending in FORMS)
        raise NotFoundError(f"There is no such kind of preview; there are {there}.")
    did = dali.Parameters(request.query_params.multi_items()).one("ID")
    if did is None:
        raise UsageError("ID is missing: the obs_publisher_did of a dataset")
    database: Database = request.app.state.database
    found = event_list(database, did) if storable(did) else None
    if found is None:
        raise NotFoundError(f"There is no event list with the ID {did[:200]!r}.")
    return Preview(found, kind, form)


def _headers(wanted: Preview) -> dict[str, str]:
    found = wanted.event_list
    stem = re.sub(r"[^A-Za-z0-9._+-]+", "_", f"{found.collection}_{found.obs_id}_{wanted.kind}")
    return {
        "ETag": f'"{wanted.key}"',
        "Cache-Control": f"public, max-age={MAX_AGE}",
        "Content-Disposition": f'inline; filename="{stem}.{wanted.form}"',
    }
