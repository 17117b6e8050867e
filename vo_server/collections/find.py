"""The collection that a path names."""

from collections.abc import Sequence

from schema.collection import Collection
from vo_server.errors import NotFoundError


def find_collection(known: Sequence[Collection], wanted: str) -> Collection:
    """The collection with this schema or name, in upper or lower case.

    Schemas, which are in lower case, go before names, and names as they are written before others. Raises
    NotFoundError, which lists the schemas that there are.
    """
    small = wanted.lower()
    fitting = [c for c in known if small in {c.schema, c.name.lower()}]
    if not fitting:
        there = ", ".join(collection.schema for collection in known) or "none"
        raise NotFoundError(f"There is no collection {wanted[:100]!r} here; there are: {there}.")
    return max(fitting, key=lambda c: (c.schema == small, c.name == wanted))
