"""The landing page."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schema.collection import Collection
from schema.model import Table
from vo_server.collections import urls
from vo_server.collections.terms import terms
from vo_server.db import Database
from vo_server.settings import Settings
from vo_server.templates import page, template

EXAMPLE = "SELECT TOP 5 obs_id, target_name, s_ra, s_dec FROM ivoa.obscore"


def landing(request: Request) -> Response:
    """What this is, where TAP is, and what there is to query."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    contact = f"Questions: {escape(settings.contact)}." if settings.contact else ""
    body = template("landing.html").substitute(
        title=escape(settings.title),
        url=escape(settings.url),
        example=escape(EXAMPLE),
        contact=contact,
        collections=_collections(database.collections(), settings.url),
        tables="\n".join(table_row(t, settings.url) for t in database.catalogue().tables),
    )
    return HTMLResponse(page(settings.title, body))


def _collections(collections: tuple[Collection, ...], url: str) -> str:
    if not collections:
        return "<p>Nothing has been ingested yet.</p>"
    return f"<ul>{''.join(_collection(c, url) for c in collections)}</ul>"


def _collection(c: Collection, url: str) -> str:
    """A collection, linked to its page, with the terms that go with every copy of its data."""
    simulated = " <b>Simulated data.</b>" if c.simulated else ""
    told = {**dict(terms(c)), **({"Reference": escape(c.reference)} if c.reference else {})}
    more = "".join(f"<br/>{name}: {text}" for name, text in told.items())
    return (
        f'<li><b><a href="{escape(urls.page(url, c))}">{escape(c.name)}</a></b>:'
        f" {escape(c.title or c.description)}"
        f" (schema <code>{escape(c.schema)}</code>).{simulated}{more}</li>"
    )


def table_row(table: Table, url: str) -> str:
    """A row of the list of tables."""
    name = escape(table.adql_name)
    return (
        f'<tr><td><a href="{escape(url)}/tap/tables/{name}">{name}</a></td>'
        f"<td>{len(table.columns)}</td><td>{escape(table.description)}</td></tr>"
    )
