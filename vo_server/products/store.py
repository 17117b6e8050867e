"""What the database knows of products: where their files lie, and how large they are."""

from dataclasses import dataclass
from typing import Final

from vo_server.db import Database, storable
from vo_server.products.file import Record

FILE_OF_DATASET: Final = """
SELECT p.path, p.size, p.checksum, p.modified FROM ivoa.obscore AS o
JOIN vo.product AS p ON p.obs_publisher_did = o.obs_publisher_did
WHERE o.access_path = $1
ORDER BY p.product <> 'event-list' LIMIT 1
"""

PRODUCTS_OF_DATASET: Final = """
SELECT o.obs_id, p.product, p.hdu, p.hdu_class, p.path, p.size, p.checksum, p.modified
FROM ivoa.obscore AS o JOIN vo.product AS p ON p.obs_publisher_did = o.dataset
WHERE o.obs_publisher_did = $1
"""


@dataclass(frozen=True, slots=True)
class Product:
    """One HDU of an observation.

    `hdu` is its name, or its number where it has none; `hdu_class` its format as GADF calls it, where known.
    """

    obs_id: str
    product: str
    hdu: str
    hdu_class: str | None
    record: Record


def file_of_dataset(database: Database, access_path: str) -> Record | None:
    """The file behind the path of an access_url; None if there is no such dataset."""
    rows = database.fetch(FILE_OF_DATASET, [access_path])
    return Record(*rows[0]) if rows else None


def products_of_dataset(database: Database, did: str) -> dict[str, Product]:
    """All products of the observation that a dataset belongs to, by name; empty for an unknown one."""
    rows = database.fetch(PRODUCTS_OF_DATASET, [did]) if storable(did) else []
    return {
        product: Product(obs_id, product, hdu, hdu_class, Record(*record))
        for obs_id, product, hdu, hdu_class, *record in rows
    }
