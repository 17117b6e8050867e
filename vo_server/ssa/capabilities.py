"""What the spectral search of a collection tells about itself (schema SSA 1.2; SSA 1.1, section 4.1.1.8)."""

from collections.abc import Iterator
from typing import Final

from lxml import etree

from schema.collection import Collection
from vo_server.capabilities import XSI_TYPE, document, interface, vosi_capabilities
from vo_server.collections import urls
from vo_server.db import Database
from vo_server.results.descriptor import ServiceParameter
from vo_server.settings import Settings
from vo_server.ssa.parameters import FRAMES, PARAMETERS
from vo_server.ssa.request import DEFAULT_FORMAT, STANDARD
from vo_server.ssa.store import any_position
from vo_server.xmlwriter import node

_LARGEST_DIAMETER: Final = 360
_TEST_DIAMETER: Final = 1


def capabilities_document(collection: Collection, database: Database, settings: Settings) -> bytes:
    """The whole document."""
    own = capability(collection, database, settings)
    return document([own, *vosi_capabilities(urls.spectral_search(settings.url, collection))])


def has_spectra(collection: Collection, database: Database) -> bool:
    """Whether there is anything to search: only then is the service worth a record in a registry."""
    return any_position(database, collection.name) is not None


def capability(collection: Collection, database: Database, settings: Settings) -> etree._Element:
    """The capability, for registry records, too."""
    more = [node("queryType", "GET"), node("queryType", "POST"), node("resultType", DEFAULT_FORMAT)]
    children = [
        interface(f"{urls.spectral_search(settings.url, collection)}?", "base", "1.1", role="std", more=more),
        node("complianceLevel", "full"),
        node("dataSource", "pointed"),
        node("creationType", "archival"),
        *(node("supportedFrame", frame) for frame in FRAMES),
        node("maxSearchRadius", str(_LARGEST_DIAMETER / 2)),
        node("maxRecords", str(settings.maxrec_hard)),
        node("defaultMaxRecords", str(min(settings.maxrec_default, settings.maxrec_hard))),
        *_test_query(collection, database),
    ]
    attributes = {XSI_TYPE: "ssap:SimpleSpectralAccess", "standardID": STANDARD}
    return node("capability", None, attributes, children)


def input_params() -> tuple[ServiceParameter, ...]:
    """The parameters as the answer to FORMAT=METADATA lists them (SSA 1.1, section 4.1.1.8)."""
    return tuple(
        ServiceParameter(
            f"INPUT:{p.name}",
            p.default,
            description=p.description,
            datatype=p.datatype,
            arraysize=p.arraysize,
            unit=p.unit,
            ucd=p.ucd,
            options=p.options,
        )
        for p in PARAMETERS
    )


def _test_query(collection: Collection, database: Database) -> Iterator[etree._Element]:
    """A query that finds something, if there is something at a place that is known."""
    ra, dec = any_position(database, collection.name) or (None, None)
    if ra is not None and dec is not None:
        position = [node("long", str(ra)), node("lat", str(dec)), node("refframe", "ICRS")]
        size = node("size", str(_TEST_DIAMETER))
        yield node("testQuery", None, None, [node("pos", None, None, position), size])
