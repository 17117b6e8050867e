"""`/coverage/<collection>/<kind>.<form>`: what a collection covers, as MOCs and as a picture."""

from collections.abc import Callable, Mapping
from typing import Final

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from moc.forms import FORMS
from moc.model import Moc, SpaceTimeMoc
from moc.shapes import sky_fraction
from moc.text import ascii_moc
from schema.collection import Collection
from vo_server.collections.find import find_collection
from vo_server.coverage import store
from vo_server.coverage.picture import SkyPicture
from vo_server.db import Database
from vo_server.errors import NotFoundError
from vo_server.previews.service import Previews
from vo_server.products.content import Content, Octets
from vo_server.products.delivery import Delivery

MAX_AGE: Final = 3600
"""Seconds for which a client need not ask again."""

PICTURE_ORDER: Final = 8
"""Order of the MOC in a picture; its pixels are not finer."""

KINDS: Final[Mapping[str, Callable[[Database, str], Moc | SpaceTimeMoc]]] = {
    "moc": store.sky,
    "tmoc": store.times,
    "stmoc": store.sky_by_time,
}
"""Kind of MOC -> how it is read."""

PICTURE: Final = "moc.png"


async def coverage(request: Request) -> Response:
    """The coverage of a collection in one of its forms. Raises NotFoundError."""
    database: Database = request.app.state.database
    name: str = request.path_params["name"]
    found = find_collection(await run_sync(database.collections), request.path_params["collection"])
    if name == PICTURE:
        previews: Previews = request.app.state.previews
        picture = await previews.drawn(await run_sync(_shown, database, found))
        content = Content((Octets(picture),), "image/png", PICTURE)
    else:
        content = await run_sync(_moc, database, found, name)
    answer = Delivery(content)
    answer.headers["Content-Disposition"] = f'inline; filename="{content.filename}"'
    answer.headers["Cache-Control"] = f"public, max-age={MAX_AGE}"
    return answer


def _moc(database: Database, collection: Collection, name: str) -> Content:
    kind, _, form = name.rpartition(".")
    if kind not in KINDS or form not in FORMS:
        there = ", ".join([*(f"{k}.{f}" for k in KINDS for f in FORMS), PICTURE])
        raise NotFoundError(f"There is no coverage {name[:40]!r}; there are {there}.")
    octets = FORMS[form].write(KINDS[kind](database, collection.name))
    return Content((Octets(octets),), FORMS[form].media_type, f"{collection.schema}_{name}")


def _shown(database: Database, collection: Collection) -> SkyPicture:
    covered = store.sky(database, collection.name)
    return SkyPicture(collection.name, ascii_moc(covered.degraded(PICTURE_ORDER)), sky_fraction(covered))
