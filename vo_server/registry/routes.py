"""`/oai` for harvesters, `/registry` for operators."""

from html import escape

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from vo_server import dali
from vo_server.db import Database
from vo_server.registry import oai as protocol
from vo_server.registry.readiness import wants
from vo_server.registry.records import OAI
from vo_server.registry.resource import DATESTAMP
from vo_server.registry.store import END, START, some
from vo_server.settings import Settings
from vo_server.templates import page as whole_page
from vo_server.templates import template

SHOWN = 200
"""Records that the page lists."""


async def oai(request: Request) -> Response:
    """OAI-PMH 2.0. Its errors are answers of status 200; only an unavailable database gives another one."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    pairs = request.query_params.multi_items()
    if request.method == "POST":
        async with dali.limited(request, settings.request_bytes).form() as form:
            pairs += [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    parts = await run_sync(protocol.answer, pairs, database, settings)
    return StreamingResponse(parts, media_type="text/xml")


def page(request: Request) -> Response:
    """What the registry holds, what is missing, and how it is registered."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    missing = "\n".join(
        f"<li>{escape(w.what)}: {escape(w.advice)}.</li>" for w in wants(settings, database.collections())
    )
    records = some(database, START.datestamp, END, START, SHOWN, documents=False)
    body = template("registry.html").substitute(
        title=escape(settings.title),
        url=escape(settings.url),
        oai=escape(settings.url + OAI),
        authority=escape(settings.authority),
        missing=f"<ul>{missing}</ul>" if missing else "<p>Nothing is missing.</p>",
        records="\n".join(
            _row(r.identifier, r.datestamp.strftime(DATESTAMP), r.document is None, settings) for r in records
        ),
    )
    return HTMLResponse(whole_page(f"Registry of {settings.title}", body))


def _row(identifier: str, datestamp: str, deleted: bool, settings: Settings) -> str:
    name = escape(identifier)
    if not deleted:
        query = f"verb=GetRecord&metadataPrefix=ivo_vor&identifier={identifier}"
        name = f'<a href="{escape(settings.url + OAI)}?{escape(query)}">{name}</a>'
    return f"<tr><td>{name}</td><td>{datestamp}{' (gone)' if deleted else ''}</td></tr>"
