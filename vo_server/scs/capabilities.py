"""The capabilities of a collection's cone search (SCS 1.03, section 3; schema ConeSearch 1.0)."""

from collections.abc import Iterator
from typing import Final

from lxml import etree

from schema.collection import Collection
from vo_server.adql import translate
from vo_server.capabilities import XSI_TYPE, document, interface, vosi_capabilities
from vo_server.collections import urls
from vo_server.db import Database
from vo_server.scs.cone import DEFAULT_FORMAT, STANDARD, first_position
from vo_server.settings import Settings
from vo_server.xmlwriter import node

_LARGEST_RADIUS: Final = 180
_TEST_RADIUS: Final = 1


def capabilities_document(collection: Collection, database: Database, settings: Settings) -> bytes:
    """The whole document."""
    own = capability(collection, database, settings)
    return document([own, *vosi_capabilities(urls.cone_search(settings.url, collection))])


def capability(collection: Collection, database: Database, settings: Settings) -> etree._Element:
    """The capability, for registry records, too."""
    # Section 2: the base URL ends in a question mark.
    url = f"{urls.cone_search(settings.url, collection)}?"
    more = [node("queryType", "GET"), node("resultType", DEFAULT_FORMAT)]
    children = [
        interface(url, "base", "1.03", role="std", more=more),
        node("maxSR", str(_LARGEST_RADIUS)),
        node("maxRecords", str(settings.maxrec_hard)),
        node("verbosity", "true"),
        *_test_query(collection, database),
    ]
    return node("capability", None, {XSI_TYPE: "cs:ConeSearch", "standardID": STANDARD}, children)


def _test_query(collection: Collection, database: Database) -> Iterator[etree._Element]:
    """A query that finds something, if there is something."""
    catalogue = database.catalogue()
    translation = translate(first_position(catalogue.by_name[f"{collection.schema}.obscore"]), catalogue)
    for ra, dec in database.fetch(translation.sql, translation.parameters):
        values = {"ra": ra, "dec": dec, "sr": _TEST_RADIUS}
        yield node("testQuery", None, None, [node(name, str(value)) for name, value in values.items()])
