"""The table of links on its way to the writer of VOTables (DataLink 1.1, sections 3.2 and 3.3)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa

from schema.collection import Collection
from schema.types import BIGINT, VARCHAR, Type
from vo_server import dali
from vo_server.adql.translation import ResultColumn
from vo_server.datalink.dataset import Dataset
from vo_server.datalink.links import MEDIA_TYPE, Link, links, unknown, with_uris
from vo_server.datalink.services import STANDARD, descriptors, links_itself, services
from vo_server.results import Format, arrow
from vo_server.results.descriptor import ServiceDescriptor
from vo_server.results.result import Info, Result
from vo_server.results.votable import write_tabledata
from vo_server.settings import Settings

TABLEDATA: Final = Format((MEDIA_TYPE,), ("votable",), "vot", write_tabledata, inline=True)
"""The one serialisation that the standard lets links have by default."""

BOOLEAN: Final = Type("BOOLEAN", "boolean", None, None, "smallint")
"""Of VOTable only; a column of tables has no such type. Values arrive as numbers."""

COLUMNS: Final = (
    ResultColumn("ID", VARCHAR, "Identifier as it was sent", None, "meta.id;meta.main"),
    ResultColumn("access_url", VARCHAR, "URL of the target", None, "meta.ref.url"),
    ResultColumn("service_def", VARCHAR, "XML ID of the descriptor of a service", None, "meta.ref"),
    ResultColumn("error_message", VARCHAR, "Why there is no link", None, "meta.code.error"),
    ResultColumn("description", VARCHAR, "What the target is", None, "meta.note"),
    ResultColumn("semantics", VARCHAR, "What the target is to the dataset", None, "meta.code"),
    ResultColumn("content_type", VARCHAR, "Media type of the target", None, "meta.code.mime"),
    ResultColumn("content_length", BIGINT, "Size of the target", "byte", "phys.size;meta.file"),
    ResultColumn("content_qualifier", VARCHAR, "Kind of data product that the target is"),
    ResultColumn(
        "local_semantics", VARCHAR, "Role of the target, the same for all datasets", None, "meta.id.assoc"
    ),
    ResultColumn("link_auth", VARCHAR, "Whether one has to log in", None, "meta.code"),
    ResultColumn("link_authorized", BOOLEAN, "Whether the caller may follow the link", None, "meta.code"),
)
"""The columns, all that DataLink 1.1 has."""

VERSION: Final = "1.4"
"""Of the VOTable, whatever other results have: validators know empty integers only up to this one."""

_ROWS: Final = 5000
"""Rows of a batch."""

_ANY_NUMBER: Final = 2**31


def answer(  # noqa: PLR0913  what it is made from
    ids: Sequence[str],
    found: Mapping[str, Dataset],
    collections: Sequence[Collection],
    settings: Settings,
    request_url: str,
    shortened: str = "",
) -> Result:
    """The links of these identifiers in their order, a fault for each that is not among `found`.

    Without identifiers the table is empty, and the service describes itself. `shortened` tells why not all
    identifiers of the request are answered.
    """
    return Result(
        COLUMNS,
        _Rows(rows(ids, found, collections, settings)),
        _ANY_NUMBER,
        infos=dali.origin(settings, STANDARD, request_url),
        data_infos=(Info("standardID", STANDARD),),
        votable_version=VERSION,
        services=_services(ids, found, settings),
        shortened=shortened,
    )


def rows(
    ids: Sequence[str], found: Mapping[str, Dataset], collections: Sequence[Collection], settings: Settings
) -> Iterator[Link]:
    """The rows of `answer`."""
    by_name = {c.name: c for c in collections}
    for number, did in enumerate(ids):
        dataset = found.get(did)
        if dataset is None:
            yield unknown(did)
            continue
        collection = by_name.get(dataset.row["obs_collection"])
        made = links(dataset, collection, settings.url, services(dataset, number))
        yield from map(with_uris, made) if settings.qualifier_uris else made


def _services(
    ids: Sequence[str], found: Mapping[str, Dataset], settings: Settings
) -> Iterator[ServiceDescriptor]:
    if not ids:
        yield links_itself(settings)
    for number, did in enumerate(ids):
        if did in found:
            yield from descriptors(found[did], number, settings)


class _Rows:
    """Batches of links, made when they are asked for."""

    complete = True

    def __init__(self, links: Iterator[Link]) -> None:
        self._links = links

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        schema = arrow.schema(COLUMNS)
        gathered: list[Link] = []
        for link in self._links:
            gathered.append(link)
            if len(gathered) == _ROWS:
                yield _batch(gathered, schema)
                gathered = []
        if gathered:
            yield _batch(gathered, schema)

    def close(self) -> None:
        """Nothing is open: the datasets are in memory."""

    def cancel(self) -> None:
        """Nothing runs."""


def _batch(gathered: Sequence[Link], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        pa.array(values, kind) for values, kind in zip(zip(*gathered, strict=True), schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
