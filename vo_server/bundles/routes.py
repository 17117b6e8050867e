"""`/bundles`: the files of some observations in one download."""

from contextlib import closing

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from vo_server import dali
from vo_server.bundles.archives import ARCHIVES, Archive
from vo_server.bundles.bundle import ROWS_OF_OBSERVATION, bundle, check_count
from vo_server.cancellation import Cancellation
from vo_server.dali import Parameters
from vo_server.db import Database
from vo_server.errors import NotFoundError, UsageError
from vo_server.products.delivery import Delivery
from vo_server.results.response import cancelled_by_disconnect
from vo_server.settings import Settings
from vo_server.tap import query
from vo_server.tap.request import TapRequest

DID = "obs_publisher_did"


async def bundles(request: Request) -> Response:
    """The observations of ID (repeatable) or of an ADQL QUERY with the column obs_publisher_did.

    FORMAT is tar (the default) or zip. Raises UsageError and NotFoundError, and what the query raises.
    """
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    parameters = await dali.read_parameters(request, settings)
    archive = _archive(parameters.one("FORMAT") or parameters.one("RESPONSEFORMAT") or "tar")
    dids, adql = parameters.all("ID"), parameters.one("QUERY")
    if bool(dids) == bool(adql):
        raise UsageError(
            "either ID (an obs_publisher_did, repeatable) or QUERY (ADQL) is wanted, one of them"
        )
    cancellation = Cancellation()
    async with cancelled_by_disconnect(request.receive, cancellation.cancel):
        if adql is not None:
            url = dali.public_request_url(request, settings)
            dids = await run_sync(_selected, adql, database, settings, url, cancellation)
        content = await run_sync(bundle, dids, archive, database, settings)
    return Delivery(content)


def _archive(text: str) -> Archive:
    wanted = text.strip().lower()
    found = next((a for a in ARCHIVES.values() if wanted in {a.name, a.media_type}), None)
    if found is None:
        raise UsageError(f"FORMAT={text[:40]!r} is not offered; known are {', '.join(ARCHIVES)}")
    return found


def _selected(
    adql: str, database: Database, settings: Settings, url: str, cancellation: Cancellation
) -> tuple[str, ...]:
    """The identifiers that a query selects, each once. Raises UsageError if there are too many, or none."""
    sent = Parameters([("LANG", "ADQL"), ("QUERY", adql), ("MAXREC", str(settings.maxrec_hard))])
    tap_request = TapRequest.from_parameters(sent, settings)
    found: dict[str, None] = {}
    with closing(query.run(tap_request, database, settings, url, cancellation)) as result:
        names = [column.name.lower() for column in result.columns]
        if DID not in names:
            raise UsageError(f"the QUERY must select the column {DID}; it selects {', '.join(names)}")
        for batch in result.batches():
            found.update(dict.fromkeys(batch.column(names.index(DID)).drop_null().to_pylist()))
            check_count(len(found) / ROWS_OF_OBSERVATION, settings)
    if not found:
        raise NotFoundError("The QUERY selects no observation.")
    return tuple(found)
