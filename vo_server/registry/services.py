"""The services that have records; their capabilities are what they tell themselves (VOSI 1.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from schema.collection import Collection
from vo_server import capabilities
from vo_server.datalink import capabilities as datalink
from vo_server.db import Database
from vo_server.scs import capabilities as scs
from vo_server.settings import Settings
from vo_server.sia import capabilities as sia
from vo_server.soda import capabilities as soda
from vo_server.ssa import capabilities as ssa


@dataclass(frozen=True, slots=True)
class Service:
    """A service over all collections. `key` ends its IVOID, `kind` is the type of its record.

    `page` is for people; `capabilities` makes its VOSI document.
    """

    key: str
    kind: str
    title: str
    description: str
    page: str
    capabilities: Callable[[Database, Settings], bytes]


@dataclass(frozen=True, slots=True)
class CollectionService:
    """A service that a collection has one of, if it is `offered`; the other fields are those of `Service`."""

    key: str
    kind: str
    title: str
    description: str
    capabilities: Callable[[Collection, Database, Settings], bytes]
    offered: Callable[[Collection, Database], bool] = lambda collection, database: True


TAP: Final = Service(
    "tap",
    "vs:CatalogService",
    "TAP service",
    "Answers ADQL queries on the observations, their datasets and, where they are published, the events.",
    "/tap",
    lambda database, settings: capabilities.capabilities_document(database.catalogue(), settings),
)

SIA: Final = Service(
    "sia",
    "vs:DataService",
    "Dataset search (SIA)",
    "Finds event lists, images and cubes of all collections by position, time, energy and the like.",
    "/tap",
    lambda database, settings: sia.capabilities_document(settings),
)

SERVICES: Final = (
    TAP,
    SIA,
    Service(
        "datalink",
        "vs:DataService",
        "DataLink service",
        "Tells the files, response functions, previews and cutouts that go with a dataset.",
        "/datalink/links",
        lambda database, settings: datalink.capabilities_document(settings),
    ),
    Service(
        "soda",
        "vs:DataService",
        "Cutout service",
        "Cuts event lists by region of the sky, time and energy.",
        "/datalink/links",
        lambda database, settings: soda.capabilities_document(settings),
    ),
)

COLLECTION_SERVICES: Final = (
    CollectionService(
        "scs",
        "vs:CatalogService",
        "Cone search",
        "Finds the datasets of the collection about a position.",
        scs.capabilities_document,
    ),
    CollectionService(
        "ssa",
        "vs:CatalogService",
        "Spectral search (SSA)",
        "Finds the spectra of the collection.",
        ssa.capabilities_document,
        ssa.has_spectra,
    ),
)
