"""The one path from a TAP query to its rows, for synchronous requests and for jobs."""

from collections.abc import Iterator

from schema.collection import Collection
from vo_server import dali
from vo_server.adql import ADQLError, Translation
from vo_server.adql.cache import TranslationCache
from vo_server.cancellation import Cancellation
from vo_server.db import Database
from vo_server.errors import CatalogueChangedError, UsageError
from vo_server.resolver import resolver
from vo_server.results.result import Info, NoRows, Result, RowStream
from vo_server.settings import Settings
from vo_server.tap.explain import ExplainedStream, explained
from vo_server.tap.request import TapRequest

STANDARD = "ivo://ivoa.net/std/TAP"

_TRANSLATIONS = TranslationCache()


def run(
    request: TapRequest, database: Database, settings: Settings, request_url: str, cancellation: Cancellation
) -> Result:
    """Translate and start the query; its first rows are there when this returns.

    One row more than MAXREC is asked for, to know whether the result is cut. With MAXREC=0 the query
    is checked but not run. The caller closes the result. Raises UsageError for wrong ADQL and what
    `Database.stream` raises. An ingest may have changed the tables since the catalogue was read: then
    the query is translated once more.
    """
    try:
        return _started(request, database, settings, request_url, cancellation)
    except CatalogueChangedError:
        database.forget_catalogue()
        return _started(request, database, settings, request_url, cancellation)


def _started(
    request: TapRequest, database: Database, settings: Settings, request_url: str, cancellation: Cancellation
) -> Result:
    try:
        translation = _TRANSLATIONS.translate(
            request.query,
            database.catalogue(),
            limit=request.maxrec + 1,
            resolve=resolver(settings.name_resolver),
        )
    except ADQLError as error:
        raise UsageError(str(error)) from error
    return Result(
        columns=translation.columns,
        stream=_stream(request.query, translation, database, cancellation) if request.maxrec else NoRows(),
        maxrec=request.maxrec,
        infos=dali.origin(settings, STANDARD, request_url, request.query),
        data_infos=(Info("standardID", STANDARD), *_rights(translation, database.collections())),
        votable_version=settings.votable_version,
    )


def _rights(translation: Translation, collections: tuple[Collection, ...]) -> Iterator[Info]:
    """Whose data these are and on what terms (IVOA note on data origin, section 3.2)."""
    for c in collections:
        if any(table.startswith(("ivoa.", f"{c.schema}.")) for table in translation.tables):
            told = {
                "creator": ", ".join(c.creators),
                "rights": " ".join(filter(None, (c.terms, c.attribution))) or c.licence,
                "rights_uri": c.licence_url,
                "citation": c.reference,
                "reference_url": c.reference_url,
            }
            yield from (Info(name, value) for name, value in told.items() if value)


def _stream(
    query: str, translation: Translation, database: Database, cancellation: Cancellation
) -> RowStream:
    with explained(query):
        stream = database.stream(translation.sql, translation.parameters, cancellation=cancellation)
    return ExplainedStream(stream, query)
