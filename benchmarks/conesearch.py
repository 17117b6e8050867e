"""Cone searches over HTTP, each beside the same query over TAP, in the same format."""

from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from urllib.parse import urlencode

from benchmarks.installation import installed
from benchmarks.measure import Benchmark, Figure, compare
from benchmarks.published import NAME, publish
from benchmarks.results import Server, serving_over
from schema.collection import collection_from
from schema.load import catalogue
from schema.model import Table
from vo_server import roles
from vo_server.dali import Parameters
from vo_server.scs.cone import request
from vo_server.settings import Settings

OBSERVATIONS = 100_000
SEARCHES = {1.5: 50, 15.0: 10}
"""Radius in degrees -> how many searches are measured together."""

LIMIT = 1.2

_FORM = {"RESPONSEFORMAT": "votable/td", "MAXREC": "1000000"}


def conesearch() -> Iterator[Figure]:
    """Few rows and many, at places that no query has asked for before."""
    table = catalogue((collection_from({"name": NAME}, Path(NAME)),)).by_name[f"{NAME}.obscore"]
    with installed() as settings:
        publish(settings, OBSERVATIONS)
        with roles.owner(settings) as connection:
            connection.execute("VACUUM ANALYZE")
        with serving_over(settings) as server:
            for radius, count in SEARCHES.items():
                places = Random(7)  # noqa: S311  places on the sky
                ours = partial(_all, server, places, radius, count, _cone)
                yardstick = partial(_all, server, places, radius, count, partial(_tap, table, settings))
                note = f"yardstick: TAP; {count} searches of {radius} deg among {OBSERVATIONS} observations"
                yield compare(f"cone search, {radius:g} deg", ours, yardstick, limit=LIMIT, note=note)


def _all(
    server: Server, places: Random, radius: float, count: int, path: Callable[[dict[str, str]], str]
) -> None:
    connection = HTTPConnection("127.0.0.1", server.port)
    for _ in range(count):
        place = {"RA": str(places.uniform(0, 360)), "DEC": str(places.uniform(-60, 60)), "SR": str(radius)}
        connection.request("GET", path(place))
        if b"<TR>" not in connection.getresponse().read():
            raise RuntimeError(f"nothing found at {place}")
    connection.close()


def _cone(place: dict[str, str]) -> str:
    return f"/scs/{NAME}?{urlencode({**place, **_FORM})}"


def _tap(table: Table, settings: Settings, place: dict[str, str]) -> str:
    query = request(Parameters(place.items()), table, settings).query
    return f"/tap/sync?{urlencode({'LANG': 'ADQL', 'QUERY': query, **_FORM})}"


BENCHMARKS: list[Benchmark] = [conesearch]
