"""What the database knows of spectra."""

from dataclasses import dataclass
from typing import Any, Final

from schema.products import SPECTRUM
from vo_server.db import Database, storable
from vo_server.errors import NotFoundError, UsageError
from vo_server.products.file import Record

_SPECTRA: Final = """
SELECT o.obs_publisher_did, o.obs_collection, o.obs_title, o.target_name, o.facility_name, o.o_ucd, o.s_ra,
    o.s_dec, p.product, p.hdu, p.path, p.size, p.checksum, p.modified
FROM ivoa.obscore AS o LEFT JOIN vo.product AS p
    ON p.obs_publisher_did = o.obs_publisher_did AND p.product = 'spectrum'
"""
BY_ID: Final = f"{_SPECTRA} WHERE o.obs_publisher_did = $1"
BY_PATH: Final = f"{_SPECTRA} WHERE o.access_path = $1"

ANY_SPECTRUM: Final = """
SELECT s_ra, s_dec FROM ivoa.obscore WHERE obs_collection = $1 AND dataproduct_type = 'spectrum'
ORDER BY s_ra IS NULL, obs_publisher_did LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Published:
    """A spectrum as it is published; `ra` and `dec` (ICRS, deg) are None where nobody told them."""

    did: str
    collection: str
    title: str | None
    target: str | None
    facility: str | None
    flux_ucd: str | None
    ra: float | None
    dec: float | None
    hdu: str
    record: Record


def by_id(database: Database, did: str) -> Published:
    """The spectrum of a publisher DID. Raises NotFoundError, UsageError for a dataset that is none."""
    rows = database.fetch(BY_ID, [did]) if storable(did) else []
    if not rows:
        raise NotFoundError(f"ID: there is no dataset {did[:200]!r}")
    return _published(rows[0])


def by_path(database: Database, access_path: str) -> Published:
    """The spectrum in the file of this address. Raises as `by_id`."""
    rows = database.fetch(BY_PATH, [access_path])
    if not rows:
        raise NotFoundError("There is no such dataset.")
    return _published(rows[0])


def any_position(database: Database, collection: str) -> tuple[float | None, float | None] | None:
    """The position of one spectrum of a collection; None if it has no spectra."""
    rows = database.fetch(ANY_SPECTRUM, [collection])
    return (rows[0][0], rows[0][1]) if rows else None


def _published(row: tuple[Any, ...]) -> Published:
    *told, product, hdu, path, size, checksum, modified = row
    if product != SPECTRUM:
        raise UsageError(f"ID: {told[0]!r} is no spectrum")
    did, collection, title, target, facility, flux_ucd, ra, dec = told
    record = Record(path, size, checksum, modified)
    return Published(did, collection, title, target, facility, flux_ucd, ra, dec, hdu, record)
