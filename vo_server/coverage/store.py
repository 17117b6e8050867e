"""What the database knows of the coverage of collections; ingest keeps it true."""

from typing import Any, Final

import numpy as np

from moc.model import SPACE, TIME, Moc, SpaceTimeMoc, empty, moc_of, space_time
from moc.text import parse
from vo_server.db import Database

INTERVALS: Final = """
SELECT min(t_min), max(t_max), min(energy_min), max(energy_max) FROM vo.coverage WHERE collection = $1
"""
SKY: Final = """
SELECT smoc_degrade(least($2, min(max_order(s_moc))), sum(s_moc))::text FROM vo.coverage WHERE collection = $1
"""
TIMES: Final = """
WITH covered AS (
    SELECT min(times_order) AS times_order, range_agg(r) AS times
    FROM vo.coverage, unnest(times) AS r WHERE collection = $1
)
SELECT times_order, lower(r), upper(r)
FROM covered, unnest(vo.tmoc_degrade(times_order, times)) AS r ORDER BY 2
"""
SKY_BY_TIME: Final = """
SELECT cell, smoc_degrade($2, s_moc)::text FROM vo.coverage
WHERE collection = $1 AND s_moc IS NOT NULL ORDER BY cell
"""
STALE: Final = "SELECT collection, count(*) FROM vo.coverage WHERE stale GROUP BY 1 ORDER BY 1"
"""Collections whose coverage an ingest left unfinished."""

CELL_ORDER: Final = 26
"""Order of the cells of time that coverage is kept by: 9.5 h, about a night."""

SKY_ORDER: Final = 7
"""Order of the sky in MOCs of time and space, 27 arcmin."""


def intervals(database: Database, collection: str) -> tuple[Any, ...]:
    """t_min and t_max (MJD in UTC), energy_min and energy_max (eV) of a collection; None if not known."""
    return database.fetch(INTERVALS, [collection])[0]


def sky_text(database: Database, collection: str, order: int = SPACE.deepest) -> str | None:
    """The sky that a collection covers, as an ASCII MOC of this order or a lower one; None if it has none."""
    found: str | None = database.fetch(SKY, [collection, order])[0][0]
    return found


def sky(database: Database, collection: str) -> Moc:
    """The sky that a collection covers."""
    text = sky_text(database, collection)
    return empty(SPACE) if text is None else parse(text, SPACE)


def times(database: Database, collection: str) -> Moc:
    """The good times of a collection."""
    rows = database.fetch(TIMES, [collection])
    if not rows:
        return empty(TIME)
    return moc_of(TIME, rows[0][0], np.array([row[1:] for row in rows], np.int64))


def sky_by_time(database: Database, collection: str) -> SpaceTimeMoc:
    """Where a collection covers which times."""
    rows = [(cell, parse(text, SPACE)) for cell, text in database.fetch(SKY_BY_TIME, [collection, SKY_ORDER])]
    order = min((sky.order for _, sky in rows), default=SKY_ORDER)
    return space_time(CELL_ORDER, order, rows)
