"""DataLink over HTTP: the links of many datasets in one call, beside their SQL and the writing alone."""

from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlencode

import psycopg
import pyarrow as pa

from benchmarks.installation import installed
from benchmarks.measure import Benchmark, Figure, compare
from benchmarks.published import publish
from benchmarks.results import Server, serving_over
from vo_server import roles
from vo_server.datalink.answer import answer
from vo_server.datalink.dataset import DATASETS_BY_ID, datasets
from vo_server.db import Database
from vo_server.results.result import NoRows, Result
from vo_server.results.votable import write_tabledata
from vo_server.settings import Settings

OBSERVATIONS = 20_000
COUNTS = (1, 1000)
LIMIT = 3.0

_PRODUCTS = """
INSERT INTO vo.product (obs_publisher_did, product, path, hdu, size, checksum, hdu_size)
SELECT o.obs_publisher_did, p.product, '/data/' || o.obs_id || '.fits', upper(p.product), 500000, '', 100000
FROM ivoa.obscore AS o
CROSS JOIN unnest('{event-list,gti,aeff,edisp,psf,bkgrate}'::text[]) AS p (product)
"""


def links() -> Iterator[Figure]:
    """One dataset, and a thousand of them."""
    with installed() as settings:
        publish(settings, OBSERVATIONS)
        with roles.owner(settings) as connection:
            connection.execute(_PRODUCTS)
            connection.execute("VACUUM ANALYZE")
            drawn = connection.execute("SELECT obs_publisher_did FROM ivoa.obscore ORDER BY random()")
            dids = [did for (did,) in drawn.fetchmany(max(COUNTS))]
        database = Database(settings)
        database.open()
        try:
            with serving_over(settings) as server, server.connection() as connection:
                for count in COUNTS:
                    ids = dids[:count]
                    ours = partial(_post, server, ids)
                    yardstick = partial(_bare, connection, ids, *_made(database, settings, ids))
                    note = "yardstick: the statement, and writing the rows and descriptors made before"
                    yield compare(f"links of {count}", ours, yardstick, limit=LIMIT, note=note)
        finally:
            database.close()


def _post(server: Server, ids: list[str]) -> bytes:
    """One request as pyvo makes it for many datasets."""
    connection = HTTPConnection("127.0.0.1", server.port)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/datalink/links", urlencode([("ID", did) for did in ids]), headers)
    body = connection.getresponse().read()
    connection.close()
    if body.count(b"#cutout") != len(ids):
        raise RuntimeError("not the links of all datasets")
    return body


def _made(database: Database, settings: Settings, ids: list[str]) -> tuple[Result, list[pa.RecordBatch]]:
    """An answer whose rows and descriptors are there already."""
    result = answer(ids, datasets(database, ids), database.collections(), settings, "")
    batches = list(result.stream)
    result.services = list(result.services)
    return result, batches


class _Ready(NoRows):
    """Rows that need not be made any more."""

    def __init__(self, batches: list[pa.RecordBatch]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(self._batches)


def _bare(
    connection: psycopg.Connection, ids: list[str], result: Result, batches: list[pa.RecordBatch]
) -> int:
    psycopg.RawCursor(connection).execute(DATASETS_BY_ID.encode(), [ids]).fetchall()
    result.stream = _Ready(batches)
    return sum(map(len, write_tabledata(result)))


BENCHMARKS: list[Benchmark] = [links]
