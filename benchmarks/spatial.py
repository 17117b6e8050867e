"""Every spelling of a position or time search, beside the same search in SQL written by hand.

A figure counts as over its limit, too, if PostgreSQL does not use the index that serves the search.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import psycopg

from benchmarks.installation import installed
from benchmarks.measure import Benchmark, Figure, compare
from schema.load import core_catalogue
from vo_server import roles
from vo_server.adql import Translation, translate

ROWS = 200_000
LIMIT = 1.5

_TABLES = """
INSERT INTO ivoa.obscore (
    dataproduct_type, calib_level, obs_collection, obs_id, obs_publisher_did, s_ra, s_dec, s_region, dataset
)
SELECT 'event-list', 2, 'bench', i::text, 'ivo://bench/' || i, ra, dec,
    CASE WHEN i % 2 = 0 THEN format('Circle ICRS %s %s 1', ra, dec)
    ELSE format('Polygon ICRS %s %s %s %s %s %s', ra, dec, ra, dec + 1, least(ra + 1, 360), dec) END,
    'bench'
FROM (
    SELECT i, random() * 360 AS ra, degrees(asin(random() * 1.96 - 0.98)) AS dec
    FROM generate_series(1, $1::int) AS i
) AS drawn
"""

_INTERVALS = """
INSERT INTO ivoa.obscore_hea (obs_publisher_did, t_intervals, intervals)
SELECT obs_publisher_did, '', int8multirange(int8range(start, start + 1680000000))
FROM (
    SELECT obs_publisher_did, 211950000000000000 + (random() * 4e14)::bigint AS start FROM ivoa.obscore
) AS drawn
"""


@dataclass(frozen=True)
class Search:
    """Spellings of one search; the yardstick is its SQL by hand, which `index` serves."""

    name: str
    index: str
    yardstick: str
    spellings: tuple[str, ...]


_CONE = "SELECT obs_id FROM ivoa.obscore WHERE "
_CONE_SQL = (
    "SELECT obs_id FROM ivoa.obscore WHERE"
    " spoint(radians(s_ra), radians(s_dec)) <@ scircle(spoint(radians(83.63), radians(22.01)), radians(10))"
)
_NEAR = "ivoa.obscore AS a JOIN ivoa.obscore AS b ON"

_PAIRS = "SELECT b.obs_id FROM ivoa.obscore AS a JOIN ivoa.obscore AS b ON "
_OF_ONE = " WHERE a.obs_id = '77'"
_DISC = "scircle(spoint(radians(83.63), radians(22.01)), radians(10))"
_MEETS = f"(region_circle && {_DISC} OR region_polygon && {_DISC})"
_PERIOD = "int8multirange(vo.tmoc_range(53341.0, 53741.0))"
_TIMES = "SELECT obs_publisher_did FROM ivoa.obscore_hea WHERE "
_EXTENDED = "SELECT obs_id FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea WHERE "

SEARCHES = (
    Search(
        "cone",
        "obscore_position",
        _CONE_SQL,
        (
            _CONE + "CONTAINS(POINT(s_ra, s_dec), CIRCLE(83.63, 22.01, 10)) = 1",
            _CONE + "1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.63, 22.01, 10))",
            _CONE + "INTERSECTS(POINT(s_ra, s_dec), CIRCLE(POINT(83.63, 22.01), 10)) = 1",
            _CONE + "DISTANCE(POINT(s_ra, s_dec), POINT(83.63, 22.01)) < 10",
            _CONE + "10 >= DISTANCE(83.63, 22.01, s_ra, s_dec)",
            _CONE + "calib_level = 2 AND DISTANCE(s_ra, s_dec, 83.63, 22.01) < 10",
            "SELECT obs_id FROM (SELECT * FROM ivoa.obscore) AS q"
            " WHERE DISTANCE(s_ra, s_dec, 83.63, 22.01) < 10",
            "WITH q AS (SELECT obs_id, s_ra, s_dec FROM ivoa.obscore)"
            " SELECT obs_id FROM q WHERE CONTAINS(POINT(s_ra, s_dec), CIRCLE(83.63, 22.01, 10)) = 1",
        ),
    ),
    Search(
        "crossmatch",
        "obscore_position",
        f"{_PAIRS}spoint(radians(b.s_ra), radians(b.s_dec))"
        f" <@ scircle(spoint(radians(a.s_ra), radians(a.s_dec)), radians(20)){_OF_ONE}",
        (
            f"{_PAIRS}DISTANCE(a.s_ra, a.s_dec, b.s_ra, b.s_dec) < 20{_OF_ONE}",
            f"{_PAIRS}DISTANCE(POINT(b.s_ra, b.s_dec), POINT(a.s_ra, a.s_dec)) < 20{_OF_ONE}",
            f"{_PAIRS}1 = CONTAINS(POINT(b.s_ra, b.s_dec), CIRCLE(a.s_ra, a.s_dec, 20)){_OF_ONE}",
            f"{_PAIRS}1 = CONTAINS(POINT(a.s_ra, a.s_dec), CIRCLE(b.s_ra, b.s_dec, 20)){_OF_ONE}",
        ),
    ),
    Search(
        "regions",
        "obscore_region_",
        f"SELECT obs_id FROM ivoa.obscore WHERE {_MEETS}",
        (
            _CONE + "INTERSECTS(s_region, CIRCLE(83.63, 22.01, 10)) = 1",
            _CONE + "1 = INTERSECTS(REGION('Circle ICRS 83.63 22.01 10'), s_region)",
        ),
    ),
    Search(
        "regions and extension",
        "obscore_region_",
        f"SELECT obs_id FROM ivoa.obscore JOIN ivoa.obscore_hea USING (obs_publisher_did) WHERE {_MEETS}",
        (_EXTENDED + "INTERSECTS(s_region, CIRCLE(83.63, 22.01, 10)) = 1",),
    ),
    Search(
        "times",
        "obscore_hea_t_intervals",
        f"SELECT obs_publisher_did FROM ivoa.obscore_hea WHERE intervals && {_PERIOD}",
        (
            _TIMES + "vo_tmoc_overlaps(t_intervals, 53341.0, 53741.0) = 1",
            _TIMES + "1 = INTERSECTS(TMOC(61, t_intervals), TMOC(61, 53341.0, 53741.0))",
        ),
    ),
)


def spatial() -> list[Figure]:
    """All searches over simulated observations, evenly spread over the sky."""
    with installed() as settings:
        with roles.owner(settings) as connection:
            psycopg.RawCursor(connection).execute(_TABLES.encode(), [ROWS])
            connection.execute(_INTERVALS.encode())
            connection.execute("ANALYZE")
        with psycopg.connect(roles.reader_url(settings), autocommit=True) as connection:
            return [figure for search in SEARCHES for figure in _figures(search, connection)]


def _figures(search: Search, connection: psycopg.Connection) -> Iterator[Figure]:
    cursor = psycopg.RawCursor(connection)
    for number, text in enumerate(search.spellings, start=1):
        translation = translate(text, core_catalogue())

        def run(
            sql: str = translation.sql, parameters: tuple[object, ...] = translation.parameters
        ) -> set[str]:
            return {name for (name,) in cursor.execute(sql.encode(), parameters)}

        def yardstick() -> set[str]:
            return {name for (name,) in cursor.execute(search.yardstick.encode())}

        if run() != yardstick():
            raise RuntimeError(f"not the rows of the yardstick: {text}")
        used = search.index in _plan(cursor, translation)
        note = f"{'index used' if used else 'INDEX NOT USED'}: {text}"
        limit = LIMIT if used else -inf
        yield compare(f"{search.name} {number}, {ROWS} rows", run, yardstick, limit=limit, note=note)


def _plan(cursor: psycopg.RawCursor, translation: Translation) -> str:
    return str(cursor.execute(f"EXPLAIN {translation.sql}".encode(), translation.parameters).fetchall())


BENCHMARKS: list[Benchmark] = [spatial]
