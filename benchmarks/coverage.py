"""What it costs to keep coverage true: some observations among 100,000 beside the same among 1,000."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import psycopg

from benchmarks.installation import installed
from benchmarks.measure import Benchmark, Figure, compare
from ingest import coverage
from vo_server import roles

SIZES: Final = (1_000, 20_000, 100_000)
"""Observations of the collections, 14 a night in 500 fields of 5 deg, all in one database."""

CHANGED: Final = (1, 100)
"""Observations that come, change or go at a time: one, or those of a week."""

LIMIT_GROWTH: Final = {1_000: 8.0, 20_000: 2.0}
"""By the size that is compared with. A cell of time is united from at most 64 others, however many there are;
in a collection of some months there are not so many."""

LIMIT_WHOLE: Final = 0.02

_COLLECTION = "INSERT INTO vo.collection VALUES (%(name)s, %(name)s, '{}', now())"
_OBSCORE = """
INSERT INTO ivoa.obscore (
    calib_level, obs_collection, obs_id, obs_publisher_did, s_ra, s_dec, t_min, t_max, dataset
)
SELECT 2, %(name)s, i::text, did, i %% 500 * 0.7, i %% 500 * 0.3 - 75,
    53000 + i / 14.0, 53000.02 + i / 14.0, did
FROM unnest(%(dids)s::text[]) AS did, CAST(split_part(did, '?', 2) AS integer) AS i
"""
_HEA = """
INSERT INTO ivoa.obscore_hea (obs_publisher_did, ev_xel, energy_min, energy_max)
SELECT obs_publisher_did, 10000, 1e11, 1e14 FROM unnest(%(dids)s::text[]) AS obs_publisher_did
"""
_CELLS = """
INSERT INTO ivoa.obscore_healpix (obs_publisher_did, healpix_order, s_moc, times, times_order)
SELECT obs_publisher_did, 12, moc, int8multirange(vo.tmoc_range(t_min, t_max)), 41
FROM ivoa.obscore JOIN fields USING (s_ra) WHERE obs_publisher_did = ANY(%(dids)s)
"""
_DATASETS = """
INSERT INTO vo.dataset SELECT obs_publisher_did, obs_collection, obs_id, '', '', '', now()
FROM ivoa.obscore WHERE obs_publisher_did = ANY(%(dids)s)
"""
_FIELDS = """
CREATE TEMPORARY TABLE fields AS
SELECT (i * 0.7)::double precision AS s_ra,
    smoc(10, scircle(spoint(radians(i * 0.7), radians(i * 0.3 - 75)), radians(2.5))) AS moc
FROM generate_series(0, 499) AS i
"""
_GIN = "CREATE INDEX obscore_healpix_s_moc ON ivoa.obscore_healpix USING gin (s_moc)"

Connection = psycopg.Connection[Any]


class Filled:
    """A collection of simulated observations in the database, changed as an ingest changes one."""

    def __init__(self, connection: Connection, size: int) -> None:
        self._connection = connection
        self.name = f"bench{size}"
        self.size = size
        connection.execute(_COLLECTION, {"name": self.name})
        self._insert(1, size)
        coverage.refresh(connection, self.name)

    def add_and_remove(self, count: int) -> None:
        """New observations come, then go: two ingests."""
        first, last = self.size + 1, self.size + count
        with self._connection.transaction():
            self._insert(first, last)
            self._mark(first, last)
        coverage.refresh(self._connection, self.name)
        with self._connection.transaction():
            self._mark(first, last)
            self._connection.execute(
                "DELETE FROM ivoa.obscore WHERE obs_publisher_did = ANY(%s)", [self._dids(first, last)]
            )
        coverage.refresh(self._connection, self.name)

    def change(self, count: int) -> None:
        """Observations get the field of another one."""
        first, last = self.size // 2, self.size // 2 + count - 1
        with self._connection.transaction():
            self._mark(first, last)
            self._connection.execute(
                "UPDATE ivoa.obscore_healpix SET s_moc = (SELECT moc FROM fields ORDER BY random() LIMIT 1)"
                " WHERE obs_publisher_did = ANY(%s)",
                [self._dids(first, last)],
            )
        coverage.refresh(self._connection, self.name)

    def renew(self) -> None:
        """All is made anew."""
        coverage.mark_all(self._connection, self.name)
        coverage.refresh(self._connection, self.name)

    def _insert(self, first: int, last: int) -> None:
        wanted = {"name": self.name, "dids": self._dids(first, last)}
        for statement in (_OBSCORE, _HEA, _CELLS, _DATASETS):
            self._connection.execute(statement, wanted)

    def _mark(self, first: int, last: int) -> None:
        for did in self._dids(first, last):
            coverage.mark(self._connection, self.name, did)

    def _dids(self, first: int, last: int) -> list[str]:
        return [f"ivo://bench/{self.name}?{i}" for i in range(first, last + 1)]


@contextmanager
def filled() -> Iterator[list[Filled]]:
    """The collections, in a database of their own."""
    with installed() as settings, psycopg.connect(roles.owner_url(settings), autocommit=True) as connection:
        connection.execute(_FIELDS)
        connection.execute("DROP INDEX ivoa.obscore_healpix_s_moc")
        found = [Filled(connection, size) for size in SIZES]
        connection.execute(_GIN)
        connection.execute("ANALYZE")
        yield found


def kept_true() -> Iterator[Figure]:
    """Changes of the largest collection beside those of the smaller ones, and beside making it anew."""
    with filled() as collections:
        *smaller, largest = collections
        for count in CHANGED:
            for other in smaller:
                limit = LIMIT_GROWTH[other.size]
                name = f"coverage 100k:{other.size // 1000}k, {count}"
                yield compare(
                    f"{name} come, go",
                    partial(largest.add_and_remove, count),
                    partial(other.add_and_remove, count),
                    limit=limit,
                )
                yield compare(
                    f"{name} change",
                    partial(largest.change, count),
                    partial(other.change, count),
                    limit=limit,
                )
        yield compare(
            "coverage after one change", partial(largest.change, 1), largest.renew, limit=LIMIT_WHOLE
        )


BENCHMARKS: tuple[Benchmark, ...] = (kept_true,)
