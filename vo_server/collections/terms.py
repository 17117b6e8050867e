"""What goes with every copy of the data of a collection, for the pages that show them."""

from collections.abc import Iterator
from html import escape

from schema.collection import Collection
from vo_server.templates import anchor


def terms(collection: Collection) -> Iterator[tuple[str, str]]:
    """Licence, terms and attribution as name and HTML, as far as they are stated."""
    licence = escape(collection.licence or "")
    if licence and collection.licence_url:
        licence = anchor(collection.licence_url, licence)
    told = {
        "Licence": licence,
        "Terms": escape(collection.terms or ""),
        "Attribution": escape(collection.attribution or ""),
    }
    yield from ((name, text) for name, text in told.items() if text)
