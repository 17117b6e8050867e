"""Answers to harvesters (OAI-PMH 2.0; IVOA Registry Interfaces 1.0, section 3)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Final, NamedTuple

from vo_server.capabilities import XSI
from vo_server.db import Database
from vo_server.registry import arguments, identifiers, store, tokens
from vo_server.registry.arguments import OAIError
from vo_server.registry.dublincore import OAI_DC, dublin_core
from vo_server.registry.records import NOBODY, OAI, PAGE
from vo_server.registry.resource import DATESTAMP, RESOURCE
from vo_server.registry.store import START, Stored
from vo_server.registry.tokens import Listing
from vo_server.settings import Settings
from vo_server.xmlwriter import element, escape, start

OAI_PMH: Final = "http://www.openarchives.org/OAI/2.0/"
MANAGED: Final = "ivo_managed"
"""The set of the records that this registry is the source of: all of them."""


class Form(NamedTuple):
    """A metadata format: where its schema is, its namespace, and how the XML of a record becomes it."""

    schema: str
    namespace: str
    made: Callable[[str], str]


FORMS: Final[Mapping[str, Form]] = {
    "oai_dc": Form("http://www.openarchives.org/OAI/2.0/oai_dc.xsd", OAI_DC, dublin_core),
    "ivo_vor": Form("http://www.ivoa.net/xml/RegistryInterface/v1.0", RESOURCE, str),
}

AT_ONCE: Final = 10
"""Records of a page that are in memory together: those of large services have hundreds of kilobytes."""

Arguments = Mapping[str, str]


def answer(pairs: Iterable[tuple[str, str]], database: Database, settings: Settings) -> Iterator[bytes]:
    """The parts of the document that answers a request with these arguments.

    Raises what `Database.fetch` raises, at once or, for a list, between its parts.
    """
    echoed: dict[str, str] = {}
    try:
        verb, given = arguments.read(pairs)
        content = chain([f"<{verb}>\n"], ANSWERS[verb](given, database, settings), [f"</{verb}>\n"])
        echoed = {"verb": verb, **given}
    except OAIError as error:
        content = chain([element("error", str(error), code=error.code) + "\n"])
        # Arguments that are wrong are not echoed, the others are (section 3.6).
        if error.code not in {"badVerb", "badArgument"}:
            echoed = {"verb": verb, **given}
    base = element("request", settings.url + OAI, **echoed)
    location = {"xsi:schemaLocation": f"{OAI_PMH} http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd"}
    root = start("OAI-PMH", **{"xmlns": OAI_PMH, "xmlns:xsi": XSI}, **location)
    now = element("responseDate", datetime.now(UTC).strftime(DATESTAMP))
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n{now}\n{base}\n'
    return (part.encode() for part in chain([head], content, ["</OAI-PMH>\n"]))


def _identify(given: Arguments, database: Database, settings: Settings) -> Iterable[str]:
    earliest = store.earliest(database) or datetime.now(UTC)
    own = store.one(database, identifiers.service(settings.authority, "registry"))
    told = {
        "repositoryName": settings.title,
        "baseURL": settings.url + OAI,
        "protocolVersion": "2.0",
        "adminEmail": mail(settings),
        "earliestDatestamp": earliest.strftime(DATESTAMP),
        "deletedRecord": "persistent",
        "granularity": "YYYY-MM-DDThh:mm:ssZ",
    }
    described = f"<description>\n{own.document}</description>\n" if own and own.document else ""
    return [*(element(name, value) + "\n" for name, value in told.items()), described]


def mail(settings: Settings) -> str:
    """The address of the operators; that of nobody where the contact is none."""
    return settings.contact.removeprefix("mailto:") if "@" in settings.contact else NOBODY


def _list_metadata_formats(given: Arguments, database: Database, settings: Settings) -> Iterable[str]:
    if "identifier" in given:
        _found(given["identifier"], database)
    formats = (
        element("metadataPrefix", name)
        + element("schema", form.schema)
        + element("metadataNamespace", form.namespace)
        for name, form in FORMS.items()
    )
    return [f"<metadataFormat>{text}</metadataFormat>\n" for text in formats]


def _list_sets(given: Arguments, database: Database, settings: Settings) -> Iterable[str]:
    if given:
        raise OAIError("badResumptionToken", "the list of sets is sent at once")
    name = element("setName", "Records that this registry is the source of")
    return [f"<set>{element('setSpec', MANAGED)}{name}</set>\n"]


def _get_record(given: Arguments, database: Database, settings: Settings) -> Iterable[str]:
    return [_record(_found(given["identifier"], database), _form(given["metadataPrefix"]))]


def _list_identifiers(given: Arguments, database: Database, settings: Settings) -> Iterable[str]:
    listing = _listing(given, database)
    _form(listing.prefix)
    return _page(listing, database, _header, documents=False)


def _list_records(given: Arguments, database: Database, settings: Settings) -> Iterable[str]:
    listing = _listing(given, database)
    form = _form(listing.prefix)
    return _page(listing, database, lambda record: _record(record, form), documents=True)


def _form(prefix: str) -> Form:
    if prefix not in FORMS:
        raise OAIError("cannotDisseminateFormat", f"{prefix!r} is not one of {', '.join(FORMS)}")
    return FORMS[prefix]


def _found(identifier: str, database: Database) -> Stored:
    found = store.one(database, identifier)
    if found is None:
        raise OAIError("idDoesNotExist", f"there is no record {identifier!r}")
    return found


def _listing(given: Arguments, database: Database) -> Listing:
    """The list that a request begins, or goes on with."""
    if "resumptionToken" in given:
        return tokens.read(given["resumptionToken"])
    _form(given["metadataPrefix"])
    first, end = arguments.interval(given)
    size = store.count(database, first, end)
    if not size or given.get("set", MANAGED) != MANAGED:
        raise OAIError("noRecordsMatch", f"the only set is {MANAGED}" if size else "no record changed then")
    return Listing(given["metadataPrefix"], first, end, START, 0, size)


def _page(
    listing: Listing, database: Database, written: Callable[[Stored], str], *, documents: bool
) -> Iterable[str]:
    """The next records of a list, and the token for those behind them (OAI-PMH 2.0, section 3.5)."""
    parts = _parts(listing, database, documents=documents)
    first = next(parts, None)
    if first is None:
        raise OAIError("badResumptionToken", "the list has changed: begin anew")
    return _written(listing, chain([first], parts), database, written)


def _parts(listing: Listing, database: Database, *, documents: bool) -> Iterator[list[Stored]]:
    """The records of a page, so many at once as memory is to hold."""
    place, left = listing.place, PAGE
    while left:
        limit = min(left, AT_ONCE if documents else PAGE)
        rows = store.some(database, listing.start, listing.end, place, limit, documents=documents)
        if not rows:
            return
        yield rows
        place, left = store.place_of(rows[-1]), left - len(rows)


def _written(
    listing: Listing, parts: Iterable[list[Stored]], database: Database, written: Callable[[Stored], str]
) -> Iterator[str]:
    place, size = listing.place, 0
    for rows in parts:
        yield "".join(map(written, rows))
        place, size = store.place_of(rows[-1]), size + len(rows)
    more = size == PAGE and store.some(database, listing.start, listing.end, place, 1, documents=False)
    if not more and not listing.cursor:
        return
    token, limit = "", None
    if more:
        expires = tokens.expiry()
        token, limit = tokens.write(listing.after(place, size), expires), expires.strftime(DATESTAMP)
    yield element(
        "resumptionToken",
        token,
        expirationDate=limit,
        completeListSize=str(listing.size),
        cursor=str(listing.cursor),
    )


def _header(record: Stored) -> str:
    status = None if record.document is not None else "deleted"
    return (
        start("header", status=status)
        + f"<identifier>{escape(record.identifier)}</identifier>"
        + element("datestamp", record.datestamp.strftime(DATESTAMP))
        + element("setSpec", MANAGED)
        + "</header>\n"
    )


def _record(record: Stored, form: Form) -> str:
    metadata = "" if record.document is None else f"<metadata>\n{form.made(record.document)}</metadata>\n"
    return f"<record>\n{_header(record)}{metadata}</record>\n"


ANSWERS: Final[Mapping[str, Callable[[Arguments, Database, Settings], Iterable[str]]]] = {
    "Identify": _identify,
    "ListMetadataFormats": _list_metadata_formats,
    "ListSets": _list_sets,
    "ListIdentifiers": _list_identifiers,
    "ListRecords": _list_records,
    "GetRecord": _get_record,
}
