"""Keeps true what collections cover: vo.coverage, a row for each cell of time in which one has data.

Whoever changes a dataset marks its cells, in the same transaction; `refresh` makes the marked ones anew
from the datasets that have data then. So the work goes with what has changed, also where something was
removed, and a kill in between leaves marks that the next ingest finds.
"""

from typing import Any, Final

import psycopg

TIME_ORDER: Final = 31
"""Finest order of a collection's T-MOC, 17.9 min: the gaps within a run are those of its datasets."""

MARK: Final = """
INSERT INTO vo.coverage (collection, cell, stale)
SELECT DISTINCT %s, cell, true
FROM ivoa.obscore_healpix AS h, unnest(h.times) AS r,
    generate_series(lower(r) >> 35, (upper(r) - 1) >> 35) AS cell
WHERE h.obs_publisher_did = %s
ON CONFLICT (collection, cell) DO UPDATE SET stale = true WHERE NOT coverage.stale
"""
"""Cells of order 26 have 2^35 microseconds."""

REFRESH: Final = """
WITH held AS MATERIALIZED (
    SELECT c.cell, int8range(c.cell << 35, (c.cell + 1) << 35) AS span, h.obs_publisher_did, h.s_moc,
        h.times, h.times_order
    FROM vo.coverage AS c
    JOIN ivoa.obscore_healpix AS h ON h.times && int8range(c.cell << 35, (c.cell + 1) << 35)
    JOIN vo.dataset AS d ON d.obs_publisher_did = h.obs_publisher_did AND d.collection = c.collection
    WHERE c.collection = %(collection)s AND c.stale
), covered AS (
    SELECT cell, smoc_degrade(min(max_order(s_moc)), sum(s_moc)) AS s_moc,
        least(min(times_order), %(order)s) AS times_order,
        min(o.t_min) AS t_min, max(o.t_max) AS t_max,
        min(x.energy_min) AS energy_min, max(x.energy_max) AS energy_max
    FROM held
    JOIN ivoa.obscore AS o USING (obs_publisher_did)
    LEFT JOIN ivoa.obscore_hea AS x USING (obs_publisher_did)
    GROUP BY cell
), timed AS (
    SELECT cell, range_agg(r * span) AS times FROM held, unnest(times) AS r WHERE r && span GROUP BY cell
)
UPDATE vo.coverage AS c
SET s_moc = n.s_moc, times_order = n.times_order, times = vo.tmoc_degrade(n.times_order, timed.times),
    t_min = n.t_min, t_max = n.t_max, energy_min = n.energy_min, energy_max = n.energy_max, stale = false
FROM covered AS n JOIN timed USING (cell)
WHERE c.collection = %(collection)s AND c.cell = n.cell
"""
"""MOCs of observations are united at the lowest of their orders (MOC 2.0, section 3.3)."""

EMPTIED: Final = "DELETE FROM vo.coverage WHERE collection = %s AND stale"

Connection = psycopg.Connection[Any]


def mark(connection: Connection, collection: str, obs_publisher_did: str) -> None:
    """Note that a dataset comes or goes; to be called while its rows are there."""
    connection.execute(MARK, [collection, obs_publisher_did])


def refresh(connection: Connection, collection: str) -> None:
    """Make the cells that were marked what the datasets say, in one transaction."""
    with connection.transaction():
        connection.execute(REFRESH, {"collection": collection, "order": TIME_ORDER})
        connection.execute(EMPTIED, [collection])
