"""Which event lists are published."""

from collections.abc import Iterator
from typing import Any, Final

import psycopg

from vo_server.db import Database
from vo_server.previews.model import EventList
from vo_server.products.file import Place, Record

_EVENT_LISTS: Final = """
SELECT o.obs_publisher_did, o.obs_collection,
    coalesce((c.definition::json ->> 'simulated')::boolean, false), o.obs_id, o.target_name,
    o.s_ra, o.s_dec, o.s_fov, o.s_region, o.t_min,
    e.path, e.size, e.checksum, e.modified, e.hdu, g.path, g.size, g.checksum, g.modified, g.hdu
FROM ivoa.obscore AS o
JOIN vo.product AS e ON e.obs_publisher_did = o.obs_publisher_did AND e.product = 'event-list'
LEFT JOIN vo.product AS g ON g.obs_publisher_did = o.obs_publisher_did AND g.product = 'gti'
LEFT JOIN vo.collection AS c ON c.name = o.obs_collection
"""
_TOLD: Final = (
    *("obs_publisher_did", "collection", "simulated", "obs_id", "target"),
    *("ra", "dec", "fov", "region", "start"),
)
"""The first columns, as fields of EventList."""

_BY_ID: Final = _EVENT_LISTS + "WHERE o.obs_publisher_did = $1"
_ALL: Final = _EVENT_LISTS + "WHERE $1::text IS NULL OR o.obs_collection = $1 ORDER BY 2, 1"


def event_list(database: Database, obs_publisher_did: str) -> EventList | None:
    """The event list with this identifier; None if there is none."""
    rows = database.fetch(_BY_ID, [obs_publisher_did])
    return _event_list(rows[0]) if rows else None


def event_lists(
    connection: psycopg.Connection[tuple[Any, ...]], collection: str | None = None
) -> Iterator[EventList]:
    """All event lists, or those of a collection, in a fixed order."""
    cursor = psycopg.RawCursor(connection)
    return map(_event_list, cursor.execute(_ALL.encode(), [collection]))


def _event_list(row: tuple[Any, ...]) -> EventList:
    told = dict(zip(_TOLD, row, strict=False))
    return EventList(**told, events=Place(Record(*row[10:14]), row[14]), gti=_gti(*row[15:]))


def _gti(path: str | None, *more: Any) -> Place | None:
    *state, hdu = more
    return None if path is None else Place(Record(path, *state), hdu)
