"""What the database knows of datasets that links are wanted for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schema.products import EVENT_LIST, FLUX_POINTS
from vo_server.db import Database, storable

COLUMNS: Final = (
    *("obs_publisher_did", "dataset", "obs_collection", "obs_id", "obs_title", "dataproduct_subtype"),
    *("target_name", "facility_name", "instrument_name", "obs_release_date", "s_ra", "s_dec", "s_region"),
    *("t_min", "t_max", "t_exptime", "em_min", "em_max", "access_url"),
)
"""Columns of ivoa.obscore that links or the page of a dataset are made from."""

_OBSCORE: Final = ", ".join(
    "current_setting('vo.public_url', true) || o.access_path" if name == "access_url" else f"o.{name}"
    for name in COLUMNS
)

DATASETS_BY_ID: Final = f"""
SELECT {_OBSCORE}, h.ev_xel, p.products
FROM ivoa.obscore AS o
LEFT JOIN ivoa.obscore_hea AS h ON h.obs_publisher_did = o.obs_publisher_did
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(product, path, hdu, size, hdu_size)) AS products
    FROM vo.product WHERE obs_publisher_did = o.dataset
) AS p
WHERE o.obs_publisher_did = ANY($1)
"""  # noqa: S608  names of columns only
"""Datasets with the products of their observations, those of all identifiers at once."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product of a dataset: its file (absolute path) and HDU, and the sizes of both in bytes."""

    name: str
    path: str
    hdu: str
    size: int
    hdu_size: int | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A row of ivoa.obscore (by the names of COLUMNS) with the products of its observation, by name.

    `did` is its publisher DID and `observation` that of the event list which it belongs to: the same but for
    response functions with rows of their own. `events` is the number of events.
    """

    did: str
    observation: str
    row: Mapping[str, Any]
    events: int | None
    products: Mapping[str, Product]

    @property
    def product(self) -> str:
        """The name of the product that the dataset is."""
        if self.is_response:
            return self.row["dataproduct_subtype"] or ""
        return next((name for name in FLUX_POINTS if name in self.products), EVENT_LIST)

    @property
    def is_event_list(self) -> bool:
        """Whether it is an event list: no response function, spectrum or light curve."""
        return self.product == EVENT_LIST

    @property
    def is_response(self) -> bool:
        """Whether it is a response function of an observation."""
        return self.did != self.observation

    @property
    def access_url(self) -> str:
        """The URL of the whole file."""
        return str(self.row["access_url"])

    @property
    def released(self) -> datetime | None:
        """When it became or becomes public (UTC)."""
        moment: datetime | None = self.row["obs_release_date"]
        return moment


def datasets(database: Database, ids: Iterable[str]) -> dict[str, Dataset]:
    """The datasets with these identifiers, by identifier; unknown ones are not in it.

    One statement, whatever the number. Raises what `Database.fetch` raises.
    """
    possible = [did for did in ids if storable(did)]
    rows = database.fetch(DATASETS_BY_ID, [possible]) if possible else []
    return {row[0]: _dataset(row) for row in rows}


def _dataset(row: tuple[Any, ...]) -> Dataset:
    *values, events, products = row
    by_name = {values[0]: Product(*values) for values in products or ()}
    return Dataset(row[0], row[1], dict(zip(COLUMNS, values, strict=True)), events, by_name)
