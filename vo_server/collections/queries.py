"""The example queries of a collection's page, which run as they are."""

from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import urlencode

from schema.collection import Collection
from vo_server.settings import Settings


class Query(NamedTuple):
    """A query with what it finds; `needs_events` where it reads the table of events."""

    name: str
    adql: str
    needs_events: bool = False


QUERIES: Final = (
    Query(
        "All datasets, the earliest first",
        "SELECT obs_id, target_name, s_ra, s_dec, t_min, t_exptime, ev_xel, access_url\n"
        "FROM {schema}.obscore\nORDER BY t_min",
    ),
    Query(
        "Observing time by target",
        "SELECT target_name, COUNT(*) AS observations, SUM(t_exptime) / 3600 AS hours\n"
        "FROM {schema}.obscore\nGROUP BY target_name\nORDER BY hours DESC",
    ),
    Query(
        "The observations closest to the zenith",
        "SELECT TOP 20 obs_id, object, zen_pnt, livetime\nFROM {schema}.obs_index\nORDER BY zen_pnt",
    ),
    Query(
        "The events of highest energy (in TeV)",
        "SELECT TOP 20 obs_publisher_did, event_id, ra, dec, energy\n"
        "FROM {schema}.events\nWHERE energy > 10\nORDER BY energy DESC",
        needs_events=True,
    ),
)

DATASETS: Final = "SELECT obs_publisher_did FROM {schema}.obscore"


def queries(collection: Collection) -> Iterator[Query]:
    """The queries that run on a collection."""
    for query in QUERIES:
        if collection.events or not query.needs_events:
            yield query._replace(adql=query.adql.format(schema=collection.schema))


def run_url(server: str, adql: str) -> str:
    """Where a query is run and its result shown; `server` is the public URL."""
    return f"{server}/tap/sync?" + urlencode({"LANG": "ADQL", "RESPONSEFORMAT": "html", "QUERY": adql})


def csv_url(collection: Collection, settings: Settings) -> str:
    """The datasets of a collection as a table in CSV, all of them."""
    adql = DATASETS.format(schema=collection.schema).replace("obs_publisher_did", "*")
    wanted = {"LANG": "ADQL", "RESPONSEFORMAT": "csv", "MAXREC": settings.maxrec_hard, "QUERY": adql}
    return f"{settings.url}/tap/sync?{urlencode(wanted)}"


def bundled(observations: int, settings: Settings) -> bool:
    """Whether so many observations come as one archive."""
    return 0 < observations <= settings.bundle_observations


def bundle_url(server: str, collection: Collection) -> str:
    """All files of a collection as one archive."""
    adql = DATASETS.format(schema=collection.schema)
    return f"{server}/bundles?" + urlencode({"QUERY": adql})
