"""The one path from a TAP query to its rows, for synchronous requests and for jobs."""

from collections.abc import Iterator
from contextlib import ExitStack

from schema.collection import Collection
from vo_server import dali
from vo_server.adql import ADQLError, Translation, translate
from vo_server.adql.cache import TranslationCache
from vo_server.cancellation import Cancellation
from vo_server.datalink.services import linked
from vo_server.db import Database
from vo_server.errors import CatalogueChangedError, UsageError
from vo_server.resolver import resolver
from vo_server.results.result import Info, NoRows, Result, RowStream
from vo_server.settings import Settings
from vo_server.tap.explain import ExplainedStream, explained
from vo_server.tap.request import TapRequest
from vo_server.upload.uploads import Uploads, load

_TRANSLATIONS = TranslationCache()


def run(
    request: TapRequest, database: Database, settings: Settings, request_url: str, cancellation: Cancellation
) -> Result:
    """Translate and start the query; its first rows are there when this returns.

    One row more than MAXREC is asked for, to know whether the result is cut. With MAXREC=0 the query
    is checked but not run. Uploaded tables are there until the result is closed, which the caller does.
    Raises UsageError for wrong ADQL, and what `upload.load` and `Database.stream` raise. An ingest may
    have changed the tables since the catalogue was read: then the query is translated once more.
    """
    with ExitStack() as on_failure:
        uploads = load(request.uploads, request.parts, settings, cancellation)
        on_failure.callback(uploads.drop)
        try:
            translation, stream = _started(request, database, settings, cancellation, uploads)
        except CatalogueChangedError:
            database.forget_catalogue()
            translation, stream = _started(request, database, settings, cancellation, uploads)
        on_failure.callback(stream.close)
        links = linked(translation.columns, settings)
        result = Result(
            columns=uploads.declared(translation.columns),
            stream=uploads.dropped_after(stream),
            maxrec=request.maxrec,
            infos=dali.origin(settings, request.standard, request_url, request.query),
            data_infos=(
                Info("standardID", request.standard),
                *_rights(translation, database.collections()),
            ),
            votable_version=settings.votable_version,
            services=links.services,
            field_ids=links.field_ids,
            field_links=links.field_links,
        )
        on_failure.pop_all()
    return result


def _started(
    request: TapRequest, database: Database, settings: Settings, cancellation: Cancellation, uploads: Uploads
) -> tuple[Translation, RowStream]:
    try:
        catalogue = uploads.catalogue(database.catalogue())
        # The cache is for one catalogue, and that of a request with uploads is its own.
        translated = translate if request.uploads else _TRANSLATIONS.translate
        resolve = resolver(settings.name_resolver)
        translation = translated(request.query, catalogue, limit=request.maxrec + 1, resolve=resolve)
    except ADQLError as error:
        raise UsageError(str(error)) from error
    if not request.maxrec:
        return translation, NoRows()
    with explained(request.query):
        stream = database.stream(translation.sql, translation.parameters, cancellation=cancellation)
    return translation, ExplainedStream(stream, request.query)


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
