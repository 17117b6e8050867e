"""Keeps true what collections cover: vo.coverage, a row for each cell of time in which one has data.

Whoever changes a dataset marks its cells, in the same transaction; `refresh` makes the marked ones anew
from the datasets that have data then, and after them the longer cells of time that they lie in, each from
the at most 64 or so below it. The last one is the whole. So the work goes with what has changed and not with
the size of the collection, also where something was removed, and a kill in between leaves marks that the
next ingest finds. A collection is written by one process at a time (`Store`), hence refreshed by one.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

import psycopg

TIME_ORDER: Final = 31
"""Finest order of a collection's T-MOC, 17.9 min: the gaps within a run are those of its datasets."""

CELL_ORDERS: Final = (26, 20, 14, 0)
"""Orders of the cells of time: 9.5 h, 25 d, 4.5 yr, and one cell for all times until the year 68,000."""

MARK: Final = """
INSERT INTO vo.coverage (collection, cell_order, cell, stale)
SELECT DISTINCT %s, 26, cell, true
FROM ivoa.obscore_healpix AS h, unnest(coalesce(h.times, '{[0,1)}')) AS r,
    generate_series(lower(r) >> 35, (upper(r) - 1) >> 35) AS cell
WHERE h.obs_publisher_did = %s
ON CONFLICT (collection, cell_order, cell) DO UPDATE SET stale = true WHERE NOT coverage.stale
"""
"""Cells of order 26 have 2^35 microseconds. Datasets that tell no time are kept in that of year -4712."""

MARK_ALL: Final = MARK.replace(
    "h.obs_publisher_did = %s",
    "h.obs_publisher_did IN (SELECT obs_publisher_did FROM vo.dataset WHERE collection = %s)",
)
MARK_KNOWN: Final = "UPDATE vo.coverage SET stale = true WHERE collection = %s AND cell_order = 26"

WHOLE: Final = "SELECT FROM vo.coverage WHERE collection = %s AND cell_order = 0 AND NOT stale"
MARKED: Final = """
SELECT cell FROM vo.coverage WHERE collection = %s AND cell_order = 26 AND stale ORDER BY cell
"""

REFRESH: Final = """
WITH span AS (
    SELECT int8range(%(cell)s::bigint << 35, (%(cell)s::bigint + 1) << 35) AS span
), held AS MATERIALIZED (
    SELECT h.obs_publisher_did, h.s_moc, h.times, h.times_order
    FROM ivoa.obscore_healpix AS h JOIN vo.dataset AS d USING (obs_publisher_did)
    WHERE d.collection = %(collection)s
        AND (h.times && int8range(%(cell)s::bigint << 35, (%(cell)s::bigint + 1) << 35)
            OR h.times IS NULL AND %(cell)s = 0)
), covered AS (
    SELECT smoc_degrade(min(max_order(s_moc)), sum(s_moc)) AS s_moc,
        least(min(times_order), %(order)s) AS times_order,
        min(o.t_min) AS t_min, max(o.t_max) AS t_max,
        min(x.energy_min) AS energy_min, max(x.energy_max) AS energy_max
    FROM held
    JOIN ivoa.obscore AS o USING (obs_publisher_did)
    LEFT JOIN ivoa.obscore_hea AS x USING (obs_publisher_did)
    HAVING count(*) > 0
), timed AS (
    SELECT range_agg(r * span) AS times FROM held, span, unnest(times) AS r WHERE r && span
)
UPDATE vo.coverage AS c
SET s_moc = n.s_moc, times_order = n.times_order, times = vo.tmoc_degrade(n.times_order, timed.times),
    t_min = n.t_min, t_max = n.t_max, energy_min = n.energy_min, energy_max = n.energy_max, stale = false
FROM covered AS n, timed
WHERE c.collection = %(collection)s AND c.cell_order = 26 AND c.cell = %(cell)s
"""
"""MOCs of observations are united at the lowest of their orders (MOC 2.0, section 3.3)."""

EMPTIED: Final = "DELETE FROM vo.coverage WHERE collection = %s AND stale"

OUTDATED: Final = """
DELETE FROM vo.coverage WHERE collection = %(collection)s AND cell_order = %(order)s AND cell = ANY(%(cells)s)
"""
UNITE: Final = """
INSERT INTO vo.coverage (
    collection, cell_order, cell, s_moc, t_min, t_max, energy_min, energy_max, stale
)
SELECT %(collection)s, %(order)s, longer.cell, smoc_degrade(min(max_order(c.s_moc)), sum(c.s_moc)),
    min(c.t_min), max(c.t_max), min(c.energy_min), max(c.energy_max), false
FROM unnest(%(cells)s::bigint[]) AS longer(cell)
JOIN vo.coverage AS c ON c.collection = %(collection)s AND c.cell_order = %(below)s
    AND c.cell >= longer.cell << %(bits)s AND c.cell < (longer.cell + 1) << %(bits)s
GROUP BY longer.cell
"""
"""A cell of time without any below it gets no row. The good times are in the rows of order 26 only: they are
put together when they are asked for, and kept once."""

Connection = psycopg.Connection[Any]


def mark(connection: Connection, collection: str, obs_publisher_did: str) -> None:
    """Note that a dataset comes or goes; to be called while its rows are there."""
    connection.execute(MARK, [collection, obs_publisher_did])


def mark_all(connection: Connection, collection: str) -> None:
    """Note that everything is to be made anew."""
    connection.execute(MARK_KNOWN, [collection])
    connection.execute(MARK_ALL.encode(), [collection, collection])


def refresh(connection: Connection, collection: str) -> None:
    """Make the cells that were marked what the datasets say, in one transaction; all without a whole."""
    with connection.transaction():
        if connection.execute(WHOLE, [collection]).fetchone() is None:
            mark_all(connection, collection)
        cells = [cell for (cell,) in connection.execute(MARKED, [collection])]
        if not cells:
            return
        # One by one, and planned anew for each: a plan for all of them may look at every pair of rows.
        with connection.pipeline():
            for cell in cells:
                wanted = {"collection": collection, "cell": cell, "order": TIME_ORDER}
                connection.execute(REFRESH, wanted, prepare=False)
        connection.execute(EMPTIED, [collection])
        _unite(connection, collection, cells)


def _unite(connection: Connection, collection: str, cells: Iterable[int]) -> None:
    """Make the longer cells anew in which these ones lie."""
    for below, order in pairwise(CELL_ORDERS):
        cells = sorted({cell >> (below - order) for cell in cells})
        wanted = {"collection": collection, "cells": cells, "order": order, "below": below}
        connection.execute(OUTDATED, wanted, prepare=False)
        connection.execute(UNITE, {**wanted, "bits": below - order}, prepare=False)
