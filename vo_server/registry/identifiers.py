"""The IVOIDs of the records: the one place that makes them (IVOA Identifiers 2.0, section 2.3)."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from schema.collection import Collection

_KEY: Final = re.compile(r"[A-Za-z0-9_\-.!~*'()+=]+(/[A-Za-z0-9_\-.!~*'()+=]+)*\Z")
"""Resource keys as VOResource 1.1 (type IdentifierURI) takes them: percent-encoding is not among them."""

_TAKEN: Final = frozenset({"services", "collections", "organisation"})


def authority(name: str) -> str:
    """The record of an authority."""
    return f"ivo://{name}"


def organisation(name: str) -> str:
    """The record of who publishes."""
    return f"ivo://{name}/organisation"


def service(name: str, key: str) -> str:
    """The record of a service, the registry among them."""
    return f"ivo://{name}/services/{key}"


def collection_service(name: str, collection: Collection, key: str) -> str:
    """The record of a service that is for one collection."""
    return f"ivo://{name}/services/{key}/{collection.schema}"


def collections(published: Iterable[Collection]) -> Mapping[str, str]:
    """The record of each collection by the collection's name.

    It is what stands before the question mark in the publisher DIDs, where that can be: names that an IVOID
    cannot have, or that differ in case only, are replaced by the schema, which is unique.
    """
    known = tuple(published)
    times = Counter((c.authority.lower(), c.name.lower()) for c in known)
    return {c.name: _collection(c, times[c.authority.lower(), c.name.lower()] > 1) for c in known}


def _collection(collection: Collection, ambiguous: bool) -> str:
    name = collection.name
    usable = _KEY.match(name) is not None and name.split("/")[0].lower() not in _TAKEN
    key = name if usable and not ambiguous else f"collections/{collection.schema}"
    return f"ivo://{collection.authority}/{key}"
