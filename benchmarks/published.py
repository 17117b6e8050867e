"""A published archive of simulated observations, to measure from outside: `make bench-data N=1000000`.

The observations are evenly spread over the sky and have a value in every column of ObsCore, of its
extension and of the observation index; the footprints are polygons. No files stand behind them.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from ingest.store import Store
from schema import ddl
from schema.collection import collection_from
from schema.model import Column, Table
from schema.types import TYPES
from vo_server import cluster, install, roles
from vo_server.settings import Settings, load_settings

DIRECTORY = "VO_SERVER_BENCH_DIR"
"""The environment variable that names the place of the database."""

NAME = "bench"

BY_TYPE: Mapping[str, str] = {
    "VARCHAR": "'value ' || mod(i, 1000)",
    "INTEGER": "mod(i, 4)::integer",
    "BIGINT": "mod(i * 7919, 100000)::bigint",
    "REAL": "(1 + mod(i * 31, 1000) / 100.0)::real",
    "DOUBLE PRECISION": "1 + mod(i * 31, 1000) / 100.0",
    "TIMESTAMP": "timestamp '2026-01-01' + mod(i, 86400) * interval '1 second'",
}
"""SQL of a column's value by its type, for observation number `i`."""

BY_NAME: Mapping[str, str] = {
    "obs_publisher_did": "did",
    "dataset": "did",
    "dataproduct_type": "'event-list'",
    "calib_level": "2",
    "obs_collection": f"'{NAME}'",
    "obs_id": "i::text",
    "target_name": "'Target ' || mod(i, 5000)",
    "s_ra": "ra",
    "s_dec": "dec",
    "ra_pnt": "ra",
    "dec_pnt": "dec",
    "s_region": (
        "format('Polygon ICRS %s %s %s %s %s %s %s %s', least(ra + 1, 360), dec - 1, least(ra + 1, 360),"
        " dec + 1, greatest(ra - 1, 0), dec + 1, greatest(ra - 1, 0), dec - 1)"
    ),
    "t_min": "start",
    "t_max": "start + 0.02",
    "t_exptime": "1700 + mod(i, 100)",
    "em_min": "1e-20 * (1 + mod(i, 10))",
    "em_max": "1e-17 * (1 + mod(i, 10))",
    "energy_min": "1.2398419843320026e-6 / (1e-17 * (1 + mod(i, 10)))",
    "energy_max": "1.2398419843320026e-6 / (1e-20 * (1 + mod(i, 10)))",
    "t_intervals": "'31/' || (vo.tmoc_microseconds(start) >> 30)",
    "intervals": (
        "int8multirange(int8range((vo.tmoc_microseconds(start) >> 30) << 30,"
        " ((vo.tmoc_microseconds(start) >> 30) + 1) << 30))"
    ),
    "healpix_order": "12",
    "healpix_index": "healpix_nest(12, spoint(radians(ra), radians(dec)))",
    "s_moc": "smoc(6, scircle(spoint(radians(ra), radians(dec)), radians(1.5)))",
    "times": "int8multirange(vo.tmoc_range(start, start + 0.02))",
    "times_order": "41",
}
"""SQL of the columns that must fit each other."""

DRAWN = """
SELECT i, 'ivo://x-unregistered/bench?' || i AS did, random() * 360 AS ra,
    degrees(asin(random() * 1.99 - 0.995)) AS dec, 53000 + random() * 7000 AS start
FROM generate_series(1, $1::bigint) AS i
"""


def publish(settings: Settings, observations: int) -> None:
    """Publish the collection in a database that is ready."""
    collection = collection_from({"name": NAME, "title": "Simulated observations"}, Path(NAME))
    with roles.owner(settings) as connection:
        store = Store(connection, collection, lambda c: _announce(c, settings))
        if store.known():
            sys.exit(f"{settings.data_dir} has the collection {NAME} already: remove it, or serve it")
        store.create()
        cursor = psycopg.RawCursor(connection)
        cursor.execute(f"CREATE TEMPORARY TABLE drawn AS {DRAWN}".encode(), [observations])
        for table in store.tables().values():
            cursor.execute(_insertion(table).encode())
        cursor.execute(
            b"INSERT INTO vo.dataset SELECT did, $1, i::text, '', '', '', now() FROM drawn", [NAME]
        )
        store.finish()


def _announce(connection: psycopg.Connection, settings: Settings) -> None:
    install.publish(connection)
    install.grant(connection, settings)


def _insertion(table: Table) -> str:
    values = {c.name: _value(c) for c in table.stored}
    values |= {h.name: BY_NAME[h.name] for h in table.hidden if h.name in BY_NAME}
    names = ", ".join(map(ddl.quote, values))
    return f"INSERT INTO {ddl.quoted(table)} ({names}) SELECT {', '.join(values.values())} FROM drawn"


def _value(column: Column) -> str:
    known = BY_NAME.get(column.name) or BY_TYPE[column.type.name]
    return f"({known})::{TYPES[column.type.name].postgres}"


def main() -> None:
    """Make the database if it is not there, then become its server."""
    observations = int(sys.argv[1])
    directory = Path(os.environ.get(DIRECTORY) or load_settings().data_dir.with_name("vo-server-bench"))
    settings = load_settings(data_dir=directory)
    marker = directory / f"{NAME}-{observations}"
    if not marker.exists():
        directory.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with cluster.running(settings):
            install.install(settings, print)
            publish(settings, observations)
        marker.touch()
        print(f"{observations} observations in {directory}, made in {time.monotonic() - started:.0f} s")
    os.environ["VO_SERVER_DATA_DIR"] = str(directory)
    os.execv(  # noqa: S606  this very Python
        sys.executable, [sys.executable, "-m", "vo_server", "serve"]
    )


if __name__ == "__main__":
    main()
