"""The records as the database keeps them: written when something changed, read by harvesters.

A record whose resource is gone stays for good, without its document (OAI-PMH 2.0, section 2.5.1).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from vo_server.db import Database, storable
from vo_server.registry.resource import Resource

STORED: Final = """
SELECT identifier, created, datestamp, CASE WHEN document IS NOT NULL THEN md5(document) END FROM vo.record
"""
SAVE: Final = """
INSERT INTO vo.record (identifier, created, datestamp, document) VALUES (%s, %s, %s, %s)
ON CONFLICT (identifier) DO UPDATE SET datestamp = EXCLUDED.datestamp, document = EXCLUDED.document
"""
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('vo-server records'))"

EARLIEST: Final = "SELECT min(datestamp) FROM vo.record"
ONE: Final = """
SELECT identifier, datestamp, document FROM vo.record WHERE lower(identifier) = lower($1)
"""
COUNT: Final = """
SELECT count(*) FROM vo.record WHERE datestamp >= $1 AND datestamp < $2
"""
SOME: Final = """
SELECT identifier, datestamp, CASE WHEN $6 THEN document ELSE left(document, 0) END FROM vo.record
WHERE datestamp >= $1 AND datestamp < $2 AND (datestamp, identifier) > ($3, $4)
ORDER BY datestamp, identifier LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record: when it changed last (UTC, whole seconds), and its XML, None where the resource is gone."""

    identifier: str
    datestamp: datetime
    document: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of records: behind the one with this datestamp and identifier."""

    datestamp: datetime
    identifier: str


START: Final = Place(datetime.min, "")
END: Final = datetime.max


def place_of(record: Stored) -> Place:
    """The place behind this record."""
    return Place(record.datestamp, record.identifier)


def save(connection: psycopg.Connection[Any], resources: Sequence[Resource]) -> int:
    """Store those records that say something else than before; how many were.

    Records of resources that are not among `resources` lose their documents.
    """
    with connection.transaction():
        connection.execute(LOCK)
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        known = {row[0]: row for row in connection.execute(STORED)}
        changed = list(_changed(resources, known, now))
        with connection.cursor() as cursor:
            cursor.executemany(SAVE, changed)
    return len(changed)


def _changed(
    resources: Sequence[Resource], known: dict[str, tuple[Any, ...]], now: datetime
) -> Iterator[tuple[Any, ...]]:
    left = {identifier for identifier, row in known.items() if row[3] is not None}
    for resource in resources:
        identifier = resource.identifier
        left.discard(identifier)
        _, created, datestamp, digest = known.get(identifier, (identifier, now, now, None))
        if digest != _digest(resource.document(created, datestamp)):
            yield identifier, created, now, resource.document(created, now)
    for identifier in left:
        yield identifier, known[identifier][1], now, None


def _digest(document: str) -> str:
    """What PostgreSQL's md5() says: enough to see a change."""
    return hashlib.md5(document.encode(), usedforsecurity=False).hexdigest()


def earliest(database: Database) -> datetime | None:
    """The earliest datestamp; None without records."""
    found: datetime | None = database.fetch(EARLIEST)[0][0]
    return found


def one(database: Database, identifier: str) -> Stored | None:
    """A record by its IVOID, which is the same in upper and lower case (IVOA Identifiers 2.0, 2.2)."""
    rows = database.fetch(ONE, [identifier]) if storable(identifier) else []
    return Stored(*rows[0]) if rows else None


def count(database: Database, start: datetime, end: datetime) -> int:
    """How many records have datestamps from `start` and before `end`."""
    found: int = database.fetch(COUNT, [start, end])[0][0]
    return found


def some(  # noqa: PLR0913  the limits of a list and of a part of it
    database: Database, start: datetime, end: datetime, place: Place, limit: int, *, documents: bool
) -> list[Stored]:
    """The first records behind a place, in order; without `documents`, those that there are are empty."""
    wanted = [start, end, place.datestamp, place.identifier, limit, documents]
    return [Stored(*row) for row in database.fetch(SOME, wanted)]
