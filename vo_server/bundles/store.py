"""What the database knows of the observations of a bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schema.collection import Collection
from schema.ddl import quote, quoted
from schema.load import collection_schema
from schema.model import Table
from vo_server.db import Database, storable
from vo_server.errors import CatalogueChangedError, NotFoundError
from vo_server.products.file import Record

OBSERVATIONS: Final = """
SELECT obs_publisher_did, dataset, obs_collection, obs_id FROM ivoa.obscore
WHERE obs_publisher_did = ANY($1::text[])
"""
PRODUCTS: Final = """
SELECT obs_publisher_did, product, hdu, hdu_class, path, size, checksum, modified FROM vo.product
WHERE obs_publisher_did = ANY($1::text[]) ORDER BY obs_publisher_did, product
"""
INDEX_ROWS: Final = "SELECT {columns} FROM {table} WHERE obs_publisher_did = ANY($1::text[])"


@dataclass(frozen=True, slots=True)
class Product:
    """An HDU of an observation in a file; `hdu_class` is that of GADF, where known."""

    product: str
    hdu: str
    hdu_class: str | None
    record: Record


@dataclass(frozen=True, slots=True)
class Observation:
    """An event list with its response functions.

    `index` is its row of the collection's obs_index by column name (times in s since the reference of the
    row), empty if it has none.
    """

    did: str
    collection: Collection
    obs_id: str
    products: tuple[Product, ...]
    index: Mapping[str, Any]

    @property
    def order(self) -> tuple[str, int, str]:
        """By collection, then by identifier, numbers as numbers."""
        number = int(self.obs_id) if self.obs_id.isascii() and self.obs_id.isdecimal() else 0
        return self.collection.name, number, self.did


def observations(database: Database, dids: Sequence[str]) -> list[Observation]:
    """The observations that these datasets belong to, each once, in order.

    Raises NotFoundError for datasets that there are not.
    """
    possible = [did for did in dids if storable(did)]
    found = {row[0]: row[1:] for row in database.fetch(OBSERVATIONS, [possible])}
    unknown = [did for did in dids if did not in found]
    if unknown:
        more = f" and {len(unknown) - 3} others" if len(unknown) > 3 else ""
        raise NotFoundError(f"There is no dataset {', '.join(map(repr, unknown[:3]))}{more}.")
    wanted = {dataset: (name, obs_id) for dataset, name, obs_id in found.values()}
    products: dict[str, list[Product]] = {did: [] for did in wanted}
    for did, product, hdu, hdu_class, *record in database.fetch(PRODUCTS, [list(wanted)]):
        products[did].append(Product(product, hdu, hdu_class, Record(*record)))
    collections = {c.name: c for c in database.collections()}
    if not {name for name, _ in wanted.values()} <= set(collections):
        raise CatalogueChangedError
    rows: dict[str, Mapping[str, Any]] = {}
    for name in {name for name, _ in wanted.values()}:
        rows |= _index_rows(database, collections[name], [d for d, (n, _) in wanted.items() if n == name])
    made = (
        Observation(did, collections[name], obs_id, tuple(products[did]), rows.get(did, {}))
        for did, (name, obs_id) in wanted.items()
    )
    return sorted(made, key=lambda o: o.order)


def obs_index(collection: Collection) -> Table:
    """The observation index of a collection."""
    return next(t for t in collection_schema(collection).tables if t.name == "obs_index")


def _index_rows(
    database: Database, collection: Collection, dids: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    table = obs_index(collection)
    names = [c.name for c in table.stored]
    query = INDEX_ROWS.format(columns=", ".join(map(quote, names)), table=quoted(table))
    rows = (dict(zip(names, row, strict=True)) for row in database.fetch(query, [list(dids)]))
    return {row["obs_publisher_did"]: row for row in rows}
