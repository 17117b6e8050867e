"""`/collections`, and what search engines look for."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from vo_server.collections import urls
from vo_server.collections.find import find_collection
from vo_server.collections.numbers import numbers
from vo_server.collections.pages import collection_page, list_page
from vo_server.coverage.summary import summary
from vo_server.db import Database
from vo_server.registry import identifiers
from vo_server.settings import Settings

PAGES = ("/", "/collections", "/tap", "/tap/examples")
"""Pages beside those of the collections that search engines are to know."""

SKY_ORDER = 5
"""Order of the MOC in the metadata of a page (pixels of 1.8 deg)."""

CLOSED = (
    "/tap/sync",
    "/*/async",
    "/soda/",
    "/scs/",
    "/sia/",
    "/ssa/",
    "/bundles",
    "/products",
    "/files/",
    "/oai",
)
"""What costs work and tells search engines nothing."""


def listing(request: Request) -> Response:
    """All collections."""
    database: Database = request.app.state.database
    known = [(c, numbers(database, c), summary(database, c.name)) for c in database.collections()]
    return HTMLResponse(list_page(known, request.app.state.settings))


def page(request: Request) -> Response:
    """The landing page of the collection with this schema or name. Raises NotFoundError."""
    database: Database = request.app.state.database
    collections = database.collections()
    found = find_collection(collections, request.path_params["name"])
    identifier = identifiers.collections(collections)[found.name]
    counted, covered = numbers(database, found), summary(database, found.name, SKY_ORDER)
    return HTMLResponse(collection_page(found, identifier, counted, covered, request.app.state.settings))


def sitemap(request: Request) -> Response:
    """The pages of this server (sitemaps.org protocol 0.9)."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    pages = [settings.url + path for path in PAGES]
    pages += [urls.page(settings.url, c) for c in database.collections()]
    entries = "".join(f"<url><loc>{escape(page)}</loc></url>\n" for page in pages)
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{namespace}">\n{entries}</urlset>\n'
    return Response(text, media_type="application/xml")


def robots(request: Request) -> Response:
    """What search engines may visit (RFC 9309)."""
    settings: Settings = request.app.state.settings
    closed = "".join(f"Disallow: {path}\n" for path in CLOSED)
    return PlainTextResponse(f"User-agent: *\n{closed}Sitemap: {settings.url}/sitemap.xml\n")
