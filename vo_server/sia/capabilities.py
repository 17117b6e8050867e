"""What the image search tells about itself: capability and descriptor (SIA 2.0, sections 2.3 and 3.1.2)."""

from collections.abc import Sequence
from typing import Final

from lxml import etree

from schema.collection import Collection
from vo_server.capabilities import document, interface, vosi_capabilities
from vo_server.results import DEFAULT
from vo_server.results.descriptor import THIS, ServiceDescriptor, ServiceParameter
from vo_server.settings import Settings
from vo_server.sia.parameters import PARAMETERS
from vo_server.sia.request import STANDARD
from vo_server.xmlwriter import node

BASE: Final = "/sia"
PATH: Final = "/sia/query"

_ANSWER: Final = (
    ServiceParameter("MAXREC", "", None, "Rows of the answer at most", "int", None),
    ServiceParameter("RESPONSEFORMAT", "", None, "Format of the answer; VOTable by default"),
)


def capabilities_document(settings: Settings) -> bytes:
    """The whole document."""
    return document([capability(settings), *vosi_capabilities(settings.url + BASE)])


def capability(settings: Settings) -> etree._Element:
    """The capability, for registry records, too.

    It is short, since pyvo (1.9) warns of a second query type (POST) and of each parameter; those are in
    `descriptor`.
    """
    more = [node("queryType", "GET"), node("resultType", DEFAULT.content_type)]
    found = interface(settings.url + PATH, "base", "2.0", role="std", more=more)
    return node("capability", None, {"standardID": STANDARD}, [found])


def descriptor(collections: Sequence[Collection], settings: Settings) -> ServiceDescriptor:
    """The service as it describes itself, with the names of the collections."""
    names = {"COLLECTION": tuple(c.name for c in collections)}
    inputs = [
        ServiceParameter(
            p.name,
            description=p.description,
            datatype=p.datatype,
            arraysize=p.arraysize,
            xtype=p.xtype,
            unit=p.unit,
            ucd=p.ucd,
            options=names.get(p.name, p.options),
        )
        for p in PARAMETERS
    ]
    return ServiceDescriptor(
        "this",
        settings.url + PATH,
        [*inputs, *_ANSWER],
        "Search of datasets by parameters, each of which may be repeated",
        standard_id=STANDARD,
        content_type=DEFAULT.content_type,
        utype=THIS,
    )
