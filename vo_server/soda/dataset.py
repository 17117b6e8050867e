"""Which files and HDUs a dataset consists of."""

from dataclasses import dataclass
from typing import Final

from schema.products import EVENT_LIST
from vo_server.db import Database, storable
from vo_server.errors import NotFoundError, UsageError
from vo_server.products.file import Place, Record

PRODUCTS: Final = """
SELECT p.obs_publisher_did = $1, o.obs_id, p.product, p.hdu, p.path, p.size, p.checksum, p.modified
FROM vo.product AS p JOIN ivoa.obscore AS o USING (obs_publisher_did)
WHERE p.obs_publisher_did = $1 OR p.path = (
    SELECT path FROM vo.product WHERE obs_publisher_did = $1 AND product = 'event-list')
ORDER BY p.product
"""
"""The products of a dataset, and those of others in the file of its events."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """An event list with what belongs to it. `foreign` are HDUs of its file that belong to others only."""

    did: str
    obs_id: str
    products: dict[str, Place]
    foreign: frozenset[str]


def find(database: Database, did: str) -> Dataset:
    """The dataset of a publisher DID.

    Raises NotFoundError for an unknown one, UsageError for one that is no event list.
    """
    rows = database.fetch(PRODUCTS, [did]) if storable(did) else []
    own: dict[str, Place] = {}
    others: list[Place] = []
    obs_id = ""
    for is_own, name, product, hdu, *record in rows:
        place = Place(Record(*record), hdu)
        if is_own:
            own[product] = place
            obs_id = name
        else:
            others.append(place)
    if not own:
        raise NotFoundError(f"ID: there is no dataset {did[:200]!r}")
    if EVENT_LIST not in own:
        raise UsageError(f"ID: {did!r} is no event list; cutouts are made of event lists")
    path = own[EVENT_LIST].record.path
    kept = {place.hdu for place in own.values() if place.record.path == path}
    return Dataset(did, obs_id, own, frozenset(place.hdu for place in others) - kept)
