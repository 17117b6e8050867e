"""The records of the archive: authority, organisation, registry, services, tables and collections.

Everything is from the settings, the catalogue and the collections; nothing is asked of the clock.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from schema.collection import Collection
from schema.load import collection_schema
from schema.model import Catalogue, Schema
from vo_server import vosi
from vo_server.capabilities import XSI_TYPE
from vo_server.collections import urls
from vo_server.collections.numbers import Numbers
from vo_server.coverage.summary import Summary
from vo_server.registry import identifiers
from vo_server.registry.coverage import coverage, united
from vo_server.registry.resource import Creator, Curation, Related, Resource
from vo_server.registry.services import SIA, TAP, CollectionService, Service
from vo_server.settings import Settings
from vo_server.xmlwriter import node

OBSCORE: Final = "ivoa"
"""The schema of the tables that have all collections."""

PAGE: Final = 100
"""Records of one answer, which is made in memory; the next ones come with a resumption token."""

OAI: Final = "/oai"
NOBODY: Final = "not-set@example.invalid"
"""Mail address of an archive that has none; the top-level domain is reserved (RFC 2606, section 2)."""

SUBJECTS: Final = {
    "photon": ("gamma-ray-astronomy",),
    "neutrino": ("neutrino-astronomy",),
}
"""Subjects (UAT) by the kind of particle, for collections that name none; of the others cosmic rays."""
COSMIC_RAYS: Final = ("cosmic-ray-astronomy",)


@dataclass(frozen=True)
class Described:
    """A collection with what is known of its contents, and its services with their capabilities."""

    collection: Collection
    numbers: Numbers
    coverage: Summary
    services: tuple[tuple[CollectionService, bytes], ...]


@dataclass(frozen=True)
class Archive:
    """All that records are made from."""

    settings: Settings
    catalogue: Catalogue
    services: tuple[tuple[Service, bytes], ...]
    collections: tuple[Described, ...]

    @property
    def authorities(self) -> tuple[str, ...]:
        """The authorities of the records, that of the settings first."""
        names = [self.settings.authority, *(d.collection.authority for d in self.collections)]
        found: dict[str, str] = {}
        for name in names:
            found.setdefault(name.lower(), name)
        return tuple(found.values())

    @property
    def subjects(self) -> tuple[str, ...]:
        """What the archive as a whole is about."""
        found = dict.fromkeys(s for d in self.collections for s in subjects(d.collection))
        return tuple(found) or SUBJECTS["photon"]


def records(archive: Archive) -> Iterator[Resource]:
    """All records of an archive."""
    yield _organisation(archive)
    for name in archive.authorities:
        yield _authority(archive, name)
    yield registry(archive)
    for service, document in archive.services:
        yield _service(archive, service, document)
    yield _obscore(archive)
    known = identifiers.collections(d.collection for d in archive.collections)
    for described in archive.collections:
        identifier = known[described.collection.name]
        yield _collection(archive, described, identifier)
        for own, document in described.services:
            yield _collection_service(archive, described, identifier, own, document)


def subjects(collection: Collection) -> tuple[str, ...]:
    """The subjects of a collection."""
    return collection.subjects or SUBJECTS.get(collection.messenger, COSMIC_RAYS)


def publisher(settings: Settings) -> str:
    """Who runs the archive."""
    return settings.publisher or settings.title


def registry(archive: Archive) -> Resource:
    """The record of the registry itself (VORegistry 1.1, section 2)."""
    settings = archive.settings
    interface = node(
        "interface",
        None,
        {XSI_TYPE: "vg:OAIHTTP", "role": "std", "version": "1.0"},
        [node("accessURL", settings.url + OAI, {"use": "base"})],
    )
    harvest = node(
        "capability",
        None,
        {XSI_TYPE: "vg:Harvest", "standardID": "ivo://ivoa.net/std/Registry"},
        [interface, node("maxRecords", str(PAGE))],
    )
    managed = [node("managedAuthority", name) for name in archive.authorities]
    return _resource(
        archive,
        "vg:Registry",
        identifiers.service(settings.authority, "registry"),
        f"Publishing registry of {settings.title}",
        f"Describes the services and data collections of {settings.title} to harvesters.",
        f"{settings.url}/registry",
        details=[harvest, node("full", "false"), *managed],
        types=("Registry",),
    )


def _authority(archive: Archive, name: str) -> Resource:
    organisation = identifiers.organisation(archive.settings.authority)
    managing = node("managingOrg", publisher(archive.settings), {"ivo-id": organisation})
    return _resource(
        archive,
        "vg:Authority",
        identifiers.authority(name),
        f"Naming authority {name}",
        f"The namespace of the identifiers that {archive.settings.title} gives.",
        f"{archive.settings.url}/registry",
        details=[managing],
    )


def _organisation(archive: Archive) -> Resource:
    names = dict.fromkeys(f for d in archive.collections for f in _facilities(d))
    return _resource(
        archive,
        "vr:Organisation",
        identifiers.organisation(archive.settings.authority),
        publisher(archive.settings),
        f"Publisher of {archive.settings.title}.",
        archive.settings.url + "/",
        details=[node("facility", name) for name in names],
        types=("Organisation",),
    )


def _service(archive: Archive, service: Service, document: bytes) -> Resource:
    settings = archive.settings
    covered = [_coverage(archive)] if service in (SIA, TAP) else []
    tables = [_tableset(archive.catalogue.schemas, archive.catalogue)] if service is TAP else []
    return _resource(
        archive,
        service.kind,
        identifiers.service(settings.authority, service.key),
        f"{service.title} of {settings.title}",
        service.description,
        settings.url + service.page,
        details=[*_capabilities(document), *covered, *tables],
        types=("Archive",),
    )


def _collection_service(
    archive: Archive, described: Described, identifier: str, service: CollectionService, document: bytes
) -> Resource:
    c = described.collection
    return Resource(
        kind=service.kind,
        identifier=identifiers.collection_service(archive.settings.authority, c, service.key),
        title=f"{service.title} of {c.title or c.name}",
        short_name=c.name,
        description=f"{service.description} {c.description}".strip(),
        reference_url=urls.page(archive.settings.url, c),
        curation=_curation(archive, c, creators(described)),
        subjects=subjects(c),
        types=("Archive",),
        related=(Related("IsServiceFor", identifier, c.title or c.name),),
        details=[
            *_rights(c),
            *_capabilities(document),
            coverage([c], described.coverage, urls.coverage(archive.settings.url, c, "moc.fits")),
        ],
    )


def _capabilities(document: bytes) -> Iterator[etree._Element]:
    """The capabilities of a VOSI document, as the service itself tells them."""
    for capability in list(etree.fromstring(document)):
        capability.tail = None
        for inner in capability.iter():
            if len(inner):
                inner.text = None
            inner.tail = None
        yield capability


def _obscore(archive: Archive) -> Resource:
    """The tables over all collections, so that they are found by the data model that they follow."""
    schema = next(s for s in archive.catalogue.schemas if s.name == OBSCORE)
    return _resource(
        archive,
        "vs:CatalogResource",
        identifiers.service(archive.settings.authority, "obscore"),
        f"Observations of {archive.settings.title} (ObsCore)",
        "All datasets of all collections in the tables of ObsCore 1.1 and its high-energy extension.",
        archive.settings.url + "/collections",
        details=[_aux(archive.settings), _coverage(archive), _tableset([schema], archive.catalogue)],
        types=("Archive", "Catalog"),
        related=(_served_by_tap(archive.settings),),
    )


def _collection(archive: Archive, described: Described, identifier: str) -> Resource:
    settings, c = archive.settings, described.collection
    details = [
        *_rights(c),
        _aux(settings),
        *(node("facility", name) for name in _facilities(described)),
        *(node("instrument", name) for name in _instruments(described)),
        coverage([c], described.coverage, urls.coverage(settings.url, c, "moc.fits")),
        _tableset([collection_schema(c)], archive.catalogue),
    ]
    return Resource(
        kind="vs:CatalogResource",
        identifier=identifier,
        title=c.title or c.name,
        short_name=c.name,
        description=c.description or c.title or c.name,
        reference_url=urls.page(settings.url, c),
        curation=_curation(archive, c, creators(described)),
        subjects=subjects(c),
        types=("Archive", "Simulation") if c.simulated else ("Archive",),
        doi=c.doi,
        bibcode=c.reference if c.reference and "/" not in c.reference else None,
        related=(_served_by_tap(settings),),
        details=details,
    )


def _coverage(archive: Archive) -> etree._Element:
    """What the collections cover together: registries search services by it, too."""
    return coverage(
        [d.collection for d in archive.collections], united(d.coverage for d in archive.collections)
    )


def creators(described: Described) -> tuple[Creator, ...]:
    """Who made a collection: as its description says, else as its files say."""
    c = described.collection
    if c.creators:
        orcids = c.orcids or ("",) * len(c.creators)
        return tuple(Creator(name, orcid) for name, orcid in zip(c.creators, orcids, strict=True))
    return tuple(Creator(name) for name in described.numbers.creators)


def _curation(archive: Archive, collection: Collection, makers: tuple[Creator, ...]) -> Curation:
    settings = archive.settings
    released = collection.release_date
    return Curation(
        collection.publisher or publisher(settings),
        identifiers.organisation(settings.authority),
        collection.contact or settings.contact or NOBODY,
        makers[0].name if collection.contact and makers else publisher(settings),
        makers,
        (("Available", released[:10]),) if released else (),
        collection.version,
    )


def _facilities(described: Described) -> tuple[str, ...]:
    named = described.collection.facility
    return (named,) if named else described.numbers.facilities


def _instruments(described: Described) -> tuple[str, ...]:
    named = described.collection.instrument
    return (named,) if named else described.numbers.instruments


def _rights(collection: Collection) -> list[etree._Element]:
    """Licence, terms and attribution, all of which go with the data."""
    texts = [(collection.licence, collection.licence_url), (collection.terms, None)]
    texts.append((collection.attribution, None))
    return [node("rights", text, {"rightsURI": url}) for text, url in texts if text]


def _aux(settings: Settings) -> etree._Element:
    """Where tables that have a record of their own are queried (VODataService 1.2, section 2)."""
    url = node("accessURL", f"{settings.url}/tap", {"use": "base"})
    attributes = {XSI_TYPE: "vs:ParamHTTP", "role": "std", "version": "1.1"}
    interface = node("interface", None, attributes, [url])
    return node("capability", None, {"standardID": "ivo://ivoa.net/std/TAP#aux"}, [interface])


def _served_by_tap(settings: Settings) -> Related:
    identifier = identifiers.service(settings.authority, TAP.key)
    return Related("IsServedBy", identifier, f"{TAP.title} of {settings.title}")


def _tableset(schemas: Iterable[Schema], catalogue: Catalogue) -> etree._Element:
    return node("tableset", None, None, [vosi.schema_element(s, catalogue, detail=True) for s in schemas])


def _resource(  # noqa: PLR0913  what records of the archive itself differ in
    archive: Archive,
    kind: str,
    identifier: str,
    title: str,
    description: str,
    page: str,
    details: Sequence[etree._Element],
    types: tuple[str, ...] = (),
    related: tuple[Related, ...] = (),
) -> Resource:
    """A record that is not about one collection."""
    settings = archive.settings
    name = publisher(settings)
    curation = Curation(
        name,
        identifiers.organisation(settings.authority),
        settings.contact or NOBODY,
        name,
        (Creator(name),),
    )
    return Resource(
        kind=kind,
        identifier=identifier,
        title=title,
        short_name=settings.title,
        description=description,
        reference_url=page,
        curation=curation,
        subjects=archive.subjects,
        types=types,
        related=related,
        details=details,
    )
