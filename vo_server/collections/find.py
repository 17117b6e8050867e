"""The collection that a path names."""

from schema.collection import Collection
from vo_server.db import Database
from vo_server.errors import NotFoundError


def by_schema(database: Database, schema: str) -> Collection:
    """The collection with this schema. Raises NotFoundError, which names those that there are."""
    known = database.collections()
    for collection in known:
        if collection.schema == schema:
            return collection
    there = ", ".join(c.schema for c in known) or "none"
    raise NotFoundError(f"There is no collection {schema!r} here; there are: {there}.")
