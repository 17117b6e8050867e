# ruff: noqa: E501 - a query a line
"""What the translation of a query costs: queries as users and their programs send them, and a long one."""

from math import cos, radians, sin
from statistics import median

from queryparser.adql import ADQLQueryTranslator
from queryparser.exceptions import QueryError, QuerySyntaxError

from benchmarks.measure import Benchmark, Figure, compare
from schema.collection import Collection
from schema.load import catalogue
from schema.model import Catalogue, Column, Schema, Table
from schema.types import DOUBLE, VARCHAR
from vo_server.adql import translate
from vo_server.adql.cache import TranslationCache

AIM_EVERYDAY = 0.002
AIM_LONGEST = 0.010
"""Seconds that a translation may take."""

_CONE = "SELECT obs_publisher_did, access_url FROM ivoa.obscore WHERE "

EVERYDAY = (
    "SELECT TOP 5 * FROM ivoa.obscore",
    "SELECT TOP 1 * FROM example.obscore",
    "SELECT COUNT(*) AS n FROM ivoa.obscore",
    _CONE + "1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.63, 22.01, 2.0))",
    _CONE + "CONTAINS(POINT(s_ra, s_dec), CIRCLE(83.63, 22.01, 2)) = 1",
    _CONE + "DISTANCE(POINT(s_ra, s_dec), POINT(83.63, 22.01)) < 2",
    _CONE + "DISTANCE(s_ra, s_dec, 83.63, 22.01) < 2 ORDER BY t_min",
    "SELECT * FROM ivoa.obscore WHERE 1 = INTERSECTS(s_region, CIRCLE('ICRS', 266.4, -29.0, 5))",
    "SELECT obs_id FROM ivoa.obscore WHERE CONTAINS(POINT(83.63, 22.01), s_region) = 1",
    "SELECT obs_id FROM ivoa.obscore WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), POLYGON('ICRS', 80, 20, 86, 20, 86, 24, 80, 24))",
    "SELECT * FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea WHERE dataproduct_type = 'event-list'",
    "SELECT o.obs_id, o.t_exptime, h.* FROM ivoa.obscore AS o JOIN ivoa.obscore_hea AS h ON o.obs_publisher_did = h.obs_publisher_did WHERE o.t_exptime > 1500",
    "SELECT obs_collection, dataproduct_type, COUNT(*) AS n, MIN(t_min) AS begin_mjd, MAX(t_max) AS end_mjd, SUM(t_exptime) / 3600 AS hours FROM ivoa.obscore GROUP BY obs_collection, dataproduct_type HAVING COUNT(*) > 10 ORDER BY n DESC",
    "SELECT TOP 2000 * FROM ivoa.obscore WHERE dataproduct_type IN ('event-list', 'spectrum', 'image') AND calib_level >= 2 AND em_min < 2.5e-18 AND em_max > 1e-20 AND t_min < 58849.0 AND t_max > 53005.0",
    "SELECT DISTINCT target_name, facility_name, instrument_name FROM ivoa.obscore WHERE target_name LIKE 'Crab%' OR target_name IN ('M1', 'NGC 1952') ORDER BY target_name",
    "SELECT obs_id, target_name, ROUND(DEGREES(ACOS(SIN(RADIANS(s_dec)) * SIN(RADIANS(22.01)) + COS(RADIANS(s_dec)) * COS(RADIANS(22.01)) * COS(RADIANS(s_ra - 83.63)))), 3) AS separation FROM ivoa.obscore WHERE s_dec BETWEEN 12 AND 32 AND NOT (target_name IS NULL)",
    "SELECT table_name, column_name, datatype, unit, ucd FROM tap_schema.columns WHERE table_name = 'ivoa.obscore' ORDER BY column_index",
    "WITH deep AS (SELECT target_name, SUM(t_exptime) AS total FROM ivoa.obscore GROUP BY target_name) SELECT o.obs_id, d.total FROM ivoa.obscore AS o JOIN deep AS d ON o.target_name = d.target_name WHERE d.total > 36000",
    "SELECT obs_id, s_ra, s_dec FROM ivoa.obscore WHERE t_min > 55000 UNION SELECT obs_id, s_ra, s_dec FROM ivoa.obscore WHERE t_exptime > 1000",
    "SELECT u.name, o.obs_id, DISTANCE(u.ra, u.dec, o.s_ra, o.s_dec) AS d FROM tap_upload.targets AS u JOIN ivoa.obscore AS o ON 1 = CONTAINS(POINT('ICRS', u.ra, u.dec), CIRCLE('ICRS', o.s_ra, o.s_dec, 2.5))",
    "SELECT obs_id, em_min, em_max FROM ivoa.obscore WHERE obs_publisher_did IN (SELECT obs_publisher_did FROM ivoa.obscore_hea WHERE obs_mode = 'WOBBLE') AND s_region IS NOT NULL",
)
"""What people try first, and what TOPCAT, Aladin and pyvo make of a form."""

LONGEST = """
WITH wanted AS (
    SELECT obs_publisher_did, obs_id, target_name, s_ra, s_dec, s_region, t_min, t_max, t_exptime, em_min, em_max
    FROM ivoa.obscore
    WHERE dataproduct_type = 'event-list' AND calib_level BETWEEN 1 AND 2
        AND obs_id IN ({items})
),
pointed AS (
    SELECT obs_publisher_did, ra_pnt, dec_pnt, zen_pnt, DISTANCE(ra_pnt, dec_pnt, ra_obj, dec_obj) AS offset_angle
    FROM example.obs_index
    WHERE zen_pnt < 45 AND livetime > 600
),
totals AS (
    SELECT target_name, COUNT(*) AS n, SUM(t_exptime) AS total, MAX(t_max) - MIN(t_min) AS span
    FROM ivoa.obscore
    GROUP BY target_name
    HAVING SUM(t_exptime) > 3600
)
SELECT TOP 1000 w.obs_id, w.target_name, w.t_exptime / t.total AS share, t.n, t.span, h.obs_mode,
    p.offset_angle, u.name, DISTANCE(w.s_ra, w.s_dec, u.ra, u.dec) AS separation,
    ROUND(DEGREES(ATAN2(SIN(RADIANS(w.s_ra - u.ra)), COS(RADIANS(w.s_ra - u.ra)))), 4) AS angle,
    SQRT(POWER(p.ra_pnt - w.s_ra, 2) + POWER(p.dec_pnt - w.s_dec, 2)) AS shift
FROM wanted AS w
JOIN pointed AS p ON p.obs_publisher_did = w.obs_publisher_did
JOIN totals AS t ON t.target_name = w.target_name
JOIN ivoa.obscore_hea AS h ON h.obs_publisher_did = w.obs_publisher_did
LEFT JOIN tap_upload.targets AS u ON DISTANCE(w.s_ra, w.s_dec, u.ra, u.dec) < 2.5
LEFT JOIN ivoa.obscore AS o ON o.target_name = w.target_name AND o.obs_id <> w.obs_id
WHERE 1 = CONTAINS(POINT('ICRS', w.s_ra, w.s_dec), POLYGON('ICRS', {vertices}))
    AND (w.em_min < 1e-18 OR w.em_max IS NULL) AND NOT (w.t_min > 59000 AND w.t_max < 60000)
    AND EXISTS (SELECT * FROM example.obscore AS x WHERE x.obs_id = w.obs_id AND x.s_fov > 1)
ORDER BY separation, share DESC, 1
""".format(
    items=", ".join(f"'{23523 + 7 * i}'" for i in range(1000)),
    vertices=", ".join(
        f"{83 + 5 * cos(radians(i)):.4f}, {22 + 5 * sin(radians(i)):.4f}" for i in range(0, 360, 3)
    ),
)
"""Common tables, five joins, a thousand items and a polygon of 120 vertices."""


def published() -> Catalogue:
    """The core tables, an example collection and an uploaded table."""
    columns = (Column("name", VARCHAR), Column("ra", DOUBLE, unit="deg"), Column("dec", DOUBLE, unit="deg"))
    uploaded = Schema("tap_upload", (Table("tap_upload", "targets", columns),))
    return catalogue((Collection(name="example", schema="example", events=True),)).extended((uploaded,))


def translation() -> list[Figure]:
    """Everyday queries and a long one beside the aims, which no user notices, and beside queryparser.

    queryparser comes last: what it leaves in memory makes Python's garbage collection slower for all.
    """
    tables = published()
    return [_everyday(tables), _longest(tables), _cached(tables), _second_opinion(tables)]


def _everyday(tables: Catalogue) -> Figure:
    own = {q: compare(q, lambda q=q: translate(q, tables), lambda: None, limit=1).ours for q in EVERYDAY}
    slowest = max(own, key=lambda q: own[q])
    note = f"median of {len(own)}, the yardstick is the aim; slowest {1000 * own[slowest]:.2f} ms: {slowest[:60]}"
    return Figure("everyday queries, aim", median(own.values()), AIM_EVERYDAY, 1.0, note)


def _second_opinion(tables: Catalogue) -> Figure:
    pairs = [
        compare(
            q, lambda q=q: translate(q, tables), lambda q=q: ADQLQueryTranslator(q).to_postgresql(), limit=1
        )
        for q in EVERYDAY
        if _accepted(q)
    ]
    ours, theirs = median(f.ours for f in pairs), median(f.yardstick for f in pairs)
    note = f"median of the {len(pairs)} of {len(EVERYDAY)} that queryparser takes"
    return Figure("everyday queries, queryparser", ours, theirs, 0.1, note)


def _accepted(text: str) -> bool:
    """Whether queryparser translates the query."""
    try:
        ADQLQueryTranslator(text).to_postgresql()
    except (QuerySyntaxError, QueryError, AttributeError):
        return False
    return True


def _longest(tables: Catalogue) -> Figure:
    timed = compare("longest", lambda: translate(LONGEST, tables), lambda: None, limit=1)
    note = f"{LONGEST.count(chr(10)) - 1} lines, {len(LONGEST)} characters; the yardstick is the aim"
    return Figure("longest query, aim", timed.ours, AIM_LONGEST, 1.0, note)


def _cached(tables: Catalogue) -> Figure:
    cache = TranslationCache()
    query = EVERYDAY[0]
    return compare(
        "a query asked before",
        lambda: cache.translate(query, tables, limit=10),
        lambda: translate(query, tables, limit=10),
        limit=0.1,
        note=query,
    )


BENCHMARKS: list[Benchmark] = [translation]
