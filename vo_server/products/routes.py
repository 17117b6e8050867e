"""`/files/...` delivers the file of a dataset as it is, `/products` one HDU of it alone."""

from urllib.parse import quote, unquote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from schema.products import EVENT_LIST, GTI, PRODUCTS
from vo_server import dali
from vo_server.db import Database
from vo_server.errors import NotFoundError, UsageError
from vo_server.products import store
from vo_server.products.content import FITS, Content, Extent
from vo_server.products.delivery import Delivery
from vo_server.products.file import look
from vo_server.products.hdus import alone
from vo_server.settings import Settings


async def file(request: Request) -> Response:
    """The file of a dataset. Raises NotFoundError.

    The path of the URL is looked up as a whole, so no request can name a file that was not ingested.
    """
    database: Database = request.app.state.database
    raw: bytes = request.scope["raw_path"]
    segments = raw.decode("ascii", "replace").split("?")[0].split("/")
    path = "/".join(quote(unquote(segment), safe="") for segment in segments)
    return Delivery(await run_sync(_whole_file, database, path))


async def product(request: Request) -> Response:
    """The HDU of the parameters ID (an obs_publisher_did) and PRODUCT as a FITS file of its own.

    An event list comes with its good time intervals. Raises UsageError and NotFoundError.
    """
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    parameters = await dali.read_parameters(request, settings)
    did, name = parameters.one("ID"), parameters.one("PRODUCT")
    if did is None:
        raise UsageError("ID is missing: the obs_publisher_did of a dataset")
    if name is None or name.lower() not in PRODUCTS:
        told = "is missing" if name is None else f"= {name[:40]!r} is not known"
        raise UsageError(f"PRODUCT {told}: it is one of {', '.join(PRODUCTS)}")
    return Delivery(await run_sync(_single_product, database, did, name.lower()))


def _whole_file(database: Database, access_path: str) -> Content:
    record = store.file_of_dataset(database, access_path)
    if record is None:
        raise NotFoundError("There is no such dataset.")
    found = look(record)
    return Content((Extent(found, 0, found.size),), FITS, found.name, found.modified_ns / 1e9)


def _single_product(database: Database, did: str, name: str) -> Content:
    products = store.products_of_dataset(database, did)
    if not products:
        raise NotFoundError(f"There is no dataset with the ID {did[:200]!r}.")
    if name not in products:
        there = ", ".join(n for n in PRODUCTS if n in products)
        raise NotFoundError(f"This dataset has no {name}; it has {there}.")
    parts = [products[name]]
    if name == EVENT_LIST and GTI in products:
        parts.append(products[GTI])
    files = [look(part.record) for part in parts]
    pieces = alone(list(zip(files, parts, strict=True)))
    stem = f"{parts[0].obs_id}_{name}".replace("/", "_")
    modified = max(found.modified_ns for found in files) / 1e9
    return Content(pieces, FITS, f"{stem}.fits", modified)
