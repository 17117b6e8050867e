"""What it costs to keep the coverage of 100,000 observations true: the change of one beside all of them."""

from collections.abc import Iterator

import psycopg

from benchmarks.installation import installed
from benchmarks.measure import Benchmark, Figure, compare
from ingest import coverage
from vo_server import roles

ROWS = 100_000
"""Observations, 14 a night in 500 fields."""

LIMIT = 0.02

_COLLECTION = "INSERT INTO vo.collection VALUES ('bench', 'bench', '{}', now())"
_DATASETS = """
INSERT INTO ivoa.obscore (
    calib_level, obs_collection, obs_id, obs_publisher_did, s_ra, s_dec, t_min, t_max, dataset
)
SELECT 2, 'bench', i::text, 'ivo://bench/' || i, i %% 500 * 0.7, i %% 500 * 0.3 - 75,
    53000 + i / 14, 53000.02 + i / 14, 'ivo://bench/' || i
FROM generate_series(1, %s) AS i
"""
_CELLS = """
INSERT INTO ivoa.obscore_healpix (obs_publisher_did, healpix_order, s_moc, times, times_order)
SELECT obs_publisher_did, 12, moc, int8multirange(vo.tmoc_range(t_min, t_max)), 41
FROM ivoa.obscore JOIN (
    SELECT s_ra, smoc(10, scircle(spoint(radians(s_ra), radians(s_dec)), radians(2.5))) AS moc
    FROM (SELECT DISTINCT s_ra, s_dec FROM ivoa.obscore) AS fields
) AS mocs USING (s_ra)
"""
_KNOWN = """
INSERT INTO vo.dataset SELECT obs_publisher_did, 'bench', obs_id, '', '', '', now() FROM ivoa.obscore
"""
_ALL = "UPDATE vo.coverage SET stale = true"


def kept_true() -> Iterator[Figure]:
    """The refresh after one observation has changed, and that of everything."""
    with installed() as settings, psycopg.connect(roles.owner_url(settings), autocommit=True) as connection:
        connection.execute(_COLLECTION)
        connection.execute(_DATASETS, [ROWS])
        for statement in (_CELLS, _KNOWN, "ANALYZE"):
            connection.execute(statement)
        connection.execute(
            coverage.MARK.replace("h.obs_publisher_did = %s", "%s = ''").encode(), ["bench", ""]
        )
        coverage.refresh(connection, "bench")

        def one() -> None:
            coverage.mark(connection, "bench", "ivo://bench/5000")
            coverage.refresh(connection, "bench")

        def everything() -> None:
            connection.execute(_ALL)
            coverage.refresh(connection, "bench")

        yield compare("coverage after one change", one, everything, limit=LIMIT)


BENCHMARKS: tuple[Benchmark, ...] = (kept_true,)
