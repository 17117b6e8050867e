"""What the database knows of the coverage of collections; ingest keeps it true."""

from typing import Any, Final

import numpy as np

from moc.model import SPACE, TIME, Moc, SpaceTimeMoc, empty, moc_of, space_time
from moc.text import parse
from vo_server.db import Database

INTERVALS: Final = """
SELECT t_min, t_max, energy_min, energy_max FROM vo.coverage WHERE collection = $1 AND cell_order = 0
"""
SKY: Final = """
SELECT smoc_degrade(least($2, max_order(s_moc)), s_moc)::text FROM vo.coverage
WHERE collection = $1 AND cell_order = 0
"""
TIMES: Final = """
SELECT min(times_order), string_agg(int8send(lower(r)) || int8send(upper(r)), '')
FROM vo.coverage, unnest(times) AS r WHERE collection = $1 AND cell_order = 26
"""
"""Ranges as octets, since there may be so many that the driver takes long to make numbers of them."""
SKY_BY_TIME: Final = """
SELECT cell, smoc_degrade(least($2, max_order(s_moc)), s_moc)::text FROM vo.coverage
WHERE collection = $1 AND cell_order = 26 AND s_moc IS NOT NULL AND times IS NOT NULL ORDER BY cell
"""
UNTRUE: Final = """
WITH pieces AS (
    SELECT collection, smoc_degrade(min(max_order(s_moc)), sum(s_moc)) AS s_moc, min(t_min) AS t_min,
        max(t_max) AS t_max, min(energy_min) AS energy_min, max(energy_max) AS energy_max,
        bool_or(stale) AS stale
    FROM vo.coverage WHERE cell_order = 26 GROUP BY collection
)
SELECT k.name FROM vo.collection AS k
LEFT JOIN pieces AS p ON p.collection = k.name
LEFT JOIN vo.coverage AS c ON c.collection = k.name AND c.cell_order = 0
WHERE p.stale OR c.stale OR c.s_moc::text IS DISTINCT FROM p.s_moc::text
    OR (c.t_min, c.t_max, c.energy_min, c.energy_max)
        IS DISTINCT FROM (p.t_min, p.t_max, p.energy_min, p.energy_max)
    OR c.cell IS NULL AND EXISTS (
        SELECT FROM vo.dataset AS d JOIN ivoa.obscore_healpix AS h USING (obs_publisher_did)
        WHERE d.collection = k.name AND (h.times IS NULL OR NOT isempty(h.times))
    )
ORDER BY 1
"""
"""Collections whose coverage an ingest left unfinished, or is not as a whole what it is in pieces."""
MARK_WHOLE: Final = "UPDATE vo.coverage SET stale = true WHERE collection = ANY(%s) AND cell_order = 0"
"""The next ingest makes it all anew."""

CELL_ORDER: Final = 26
"""Order of the cells of time that coverage is kept by: 9.5 h, about a night."""

SKY_ORDER: Final = 7
"""Order of the sky in MOCs of time and space, 27 arcmin."""


def intervals(database: Database, collection: str) -> tuple[Any, ...]:
    """t_min and t_max (MJD in UTC), energy_min and energy_max (eV) of a collection; None if not known."""
    rows = database.fetch(INTERVALS, [collection])
    return rows[0] if rows else (None,) * 4


def sky_text(database: Database, collection: str, order: int = SPACE.deepest) -> str | None:
    """The sky that a collection covers, as an ASCII MOC of this order or a lower one; None if it has none."""
    rows = database.fetch(SKY, [collection, order])
    return rows[0][0] if rows else None


def sky(database: Database, collection: str) -> Moc:
    """The sky that a collection covers."""
    text = sky_text(database, collection)
    return empty(SPACE) if text is None else parse(text, SPACE)


def times(database: Database, collection: str) -> Moc:
    """The good times of a collection."""
    order, octets = database.fetch(TIMES, [collection])[0]
    if order is None:
        return empty(TIME)
    return moc_of(TIME, order, np.frombuffer(octets, ">i8").astype(np.int64).reshape(-1, 2))


def sky_by_time(database: Database, collection: str) -> SpaceTimeMoc:
    """Where a collection covers which times."""
    rows = [(cell, parse(text, SPACE)) for cell, text in database.fetch(SKY_BY_TIME, [collection, SKY_ORDER])]
    order = min((sky.order for _, sky in rows), default=SKY_ORDER)
    return space_time(CELL_ORDER, order, rows)
