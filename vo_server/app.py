"""The application: URL map, middleware, error handlers and lifespan on one screen."""

import contextlib
from collections.abc import AsyncIterator

from anyio import CapacityLimiter, to_thread
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vo_server import dali, errors, pages, vosi
from vo_server.bundles import routes as bundles
from vo_server.collections import routes as collections
from vo_server.coverage import routes as coverage
from vo_server.datalink import request as datalink_request
from vo_server.datalink import routes as datalink
from vo_server.db import MOST_WAITING, Database
from vo_server.hips import routes as hips
from vo_server.precedence import YoungRequests
from vo_server.previews import routes as previews
from vo_server.previews.service import Previews
from vo_server.products import routes as products
from vo_server.registry import routes as registry
from vo_server.scs import faults as scs_faults
from vo_server.scs import routes as scs
from vo_server.settings import Settings
from vo_server.sia import routes as sia
from vo_server.soda import faults as soda_faults
from vo_server.soda import routes as soda
from vo_server.ssa import faults as ssa_faults
from vo_server.ssa import routes as ssa
from vo_server.tap import pages as tap_pages
from vo_server.tap import routes as tap
from vo_server.upload.reaper import reaping
from vo_server.uws import routes as uws
from vo_server.uws.service import Jobs

ERROR_FORMS = {
    "/tap/sync": dali.render_error,
    "/tap/async": dali.render_error,
    "/datalink/links": datalink_request.render_error,
    "/soda": soda_faults.render,
    "/scs": scs_faults.render,
    "/sia": sia.render_error,
    "/ssa": ssa_faults.render,
}
"""How errors below a path are told; elsewhere as plain text."""

ROUTES = [
    Route("/", pages.landing),
    Route("/tap", tap_pages.page),
    Route("/tap/examples", tap_pages.examples),
    Route("/tap/sync", tap.sync, methods=["GET", "POST"]),
    Route("/soda/sync", soda.sync, methods=["GET", "POST"]),
    Route("/soda/availability", vosi.availability),
    Route("/soda/capabilities", soda.capabilities),
    Route("/scs/{collection}", scs.search, methods=["GET", "POST"]),
    Route("/scs/{collection}/availability", scs.availability),
    Route("/scs/{collection}/capabilities", scs.capabilities),
    Route("/ssa/{collection}", ssa.find, methods=["GET", "POST"]),
    Route("/ssa/{collection}/availability", ssa.availability),
    Route("/ssa/{collection}/capabilities", ssa.capabilities),
    Route("/spectra", ssa.by_id, methods=["GET", "POST"]),
    Route("/sia/query", sia.search, methods=["GET", "POST"]),
    Route("/sia/availability", vosi.availability),
    Route("/sia/capabilities", sia.capabilities),
    Route("/{service}/async", uws.jobs, methods=["GET", "POST"]),
    Route("/{service}/async/{id}", uws.job, methods=["GET", "POST", "DELETE"]),
    Route("/{service}/async/{id}/results/{name}", uws.result),
    Route("/{service}/async/{id}/parameters/{name:path}", uws.parameter),
    Route("/{service}/async/{id}/{child}", uws.child, methods=["GET", "POST"]),
    Route("/tap/availability", vosi.availability),
    Route("/tap/capabilities", vosi.capabilities),
    Route("/tap/tables", vosi.tables),
    Route("/tap/tables/{name}", vosi.table),
    Route("/datalink/links", datalink.links, methods=["GET", "POST"]),
    Route("/datalink/capabilities", datalink.capabilities),
    Route("/datalink/availability", vosi.availability),
    Route("/files/{path:path}/votable", ssa.by_path),
    Route("/files/{path:path}", products.file),
    Route("/previews/{name}", previews.preview),
    Route("/coverage/{collection}/{name}", coverage.coverage),
    Route("/hips/{collection}", hips.root),
    Route("/hips/{collection}/{path:path}", hips.file),
    Route("/hipslist", hips.listing),
    Route("/products", products.product, methods=["GET", "POST"]),
    Route("/bundles", bundles.bundles, methods=["GET", "POST"]),
    Route("/oai", registry.oai, methods=["GET", "POST"]),
    Route("/registry", registry.page),
    Route("/collections", collections.listing),
    Route("/collections/{name:path}", collections.page),
    Route("/sitemap.xml", collections.sitemap),
    Route("/robots.txt", collections.robots),
]
"""The URL map."""

OTHER_THREADS = 20
"""Threads for requests that do not wait for a connection of public queries."""


def create_app(settings: Settings) -> Starlette:
    """The server as an ASGI application."""
    database = Database(settings)
    jobs = Jobs.of(settings, database)
    pictures = Previews.of(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        database.open()
        to_thread.current_default_thread_limiter().total_tokens = (
            settings.connections + MOST_WAITING + OTHER_THREADS
        )
        async with jobs.running(), reaping(settings), pictures.running():
            yield
        await run_sync(database.close)

    handle = errors.handler(ERROR_FORMS)
    app = Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(YoungRequests),
            Middleware(ServerHeader),
            # Public data without cookies: pages of any site may query it.
            Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST", "DELETE"]),
        ],
        exception_handlers={
            errors.VOError: handle,
            HTTPException: handle,
            ClientDisconnect: handle,
            Exception: handle,
        },
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.database = database
    app.state.jobs = jobs
    app.state.previews = pictures
    app.state.changes = vosi.Changes()
    app.state.cutouts = CapacityLimiter(settings.cutouts)
    return app


class ServerHeader:
    """Names the software in every response (IVOA note on software identification, section 3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the header to the start of the response."""

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"server", dali.SOFTWARE.encode())]
            await send(message)

        await self.app(scope, receive, send_named)
