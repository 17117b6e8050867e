"""A resource record as XML (VOResource 1.1; the order of elements is the schema's)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree

from vo_server.capabilities import XSI, XSI_TYPE
from vo_server.xmlwriter import node, optional_nodes

RESOURCE: Final = "http://www.ivoa.net/xml/RegistryInterface/v1.0"
SCHEMAS: Final = "http://www.ivoa.net/xml"

NAMESPACES: Final = {
    "ri": RESOURCE,
    "vr": f"{SCHEMAS}/VOResource/v1.0",
    "vs": f"{SCHEMAS}/VODataService/v1.1",
    "vg": f"{SCHEMAS}/VORegistry/v1.0",
    "tr": f"{SCHEMAS}/TAPRegExt/v1.0",
    "cs": f"{SCHEMAS}/ConeSearch/v1.0",
    "ssap": f"{SCHEMAS}/SSA/v1.1",
    "xsi": XSI,
}
"""Declared in each record: the values of xsi:type use the prefixes."""

SHORT_NAME: Final = 16
"""Characters of a shortName (VOResource 1.1, section 3.1.1)."""

DATESTAMP: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Creator:
    """Who made a resource; `orcid` without anything in front, empty where not known."""

    name: str
    orcid: str = ""


@dataclass(frozen=True, slots=True)
class Curation:
    """Who keeps a resource.

    `publisher_id` is an IVOID; `contact` a mail address or the URL of a page, and `contact_name` whose it is.
    `dates` are pairs of a role (vocabulary date_role) and an ISO date.
    """

    publisher: str
    publisher_id: str
    contact: str
    contact_name: str
    creators: tuple[Creator, ...] = ()
    dates: tuple[tuple[str, str], ...] = ()
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Related:
    """Another resource: the term of the vocabulary relationship_type, its IVOID and title."""

    relation: str
    identifier: str
    title: str


@dataclass(frozen=True)
class Resource:
    """One record. `kind` is its xsi:type; `details` are the elements that this type adds, in order."""

    kind: str
    identifier: str
    title: str
    short_name: str
    description: str
    reference_url: str
    curation: Curation
    subjects: tuple[str, ...]
    types: tuple[str, ...] = ()
    doi: str | None = None
    bibcode: str | None = None
    related: tuple[Related, ...] = ()
    details: Sequence[etree._Element] = ()

    def document(self, created: datetime, updated: datetime) -> str:
        """The record as XML without declaration; times in UTC."""
        attributes = {
            XSI_TYPE: self.kind,
            "created": created.strftime(DATESTAMP),
            "updated": updated.strftime(DATESTAMP),
            "status": "active",
        }
        root = etree.Element(f"{{{RESOURCE}}}Resource", attributes, nsmap=NAMESPACES)
        root.extend(self._elements())
        text: str = etree.tostring(root, encoding="unicode", pretty_print=True)
        # Its children have no namespace, also inside a document that has a default one.
        return text.replace("<ri:Resource ", '<ri:Resource xmlns="" ', 1)

    def _elements(self) -> list[etree._Element]:
        names = optional_nodes(
            title=self.title, shortName=self.short_name[:SHORT_NAME], identifier=self.identifier
        )
        others = optional_nodes(altIdentifier=self.doi and f"doi:{self.doi}")
        curation = node("curation", None, None, _curation(self.curation))
        return [*names, *others, curation, node("content", None, None, self._content()), *self.details]

    def _content(self) -> list[etree._Element]:
        source = [node("source", self.bibcode, {"format": "bibcode"})] if self.bibcode else []
        return [
            *(node("subject", subject) for subject in self.subjects),
            node("description", self.description),
            *source,
            node("referenceURL", self.reference_url),
            *(node("type", kind) for kind in self.types),
            node("contentLevel", "Research"),
            *map(_relationship, self.related),
        ]


def _curation(curation: Curation) -> list[etree._Element]:
    mail = "@" in curation.contact
    contact = optional_nodes(
        name=curation.contact_name,
        address=None if mail else curation.contact,
        email=curation.contact.removeprefix("mailto:") if mail else None,
    )
    return [
        node("publisher", curation.publisher, {"ivo-id": curation.publisher_id}),
        *(node("creator", None, None, _creator(creator)) for creator in curation.creators),
        *(node("date", day, {"role": role}) for role, day in curation.dates),
        *optional_nodes(version=curation.version),
        node("contact", None, None, contact),
    ]


def _creator(creator: Creator) -> list[etree._Element]:
    return optional_nodes(name=creator.name, altIdentifier=creator.orcid and f"orcid:{creator.orcid}")


def _relationship(related: Related) -> etree._Element:
    other = node("relatedResource", related.title, {"ivo-id": related.identifier})
    return node("relationship", None, None, [node("relationshipType", related.relation), other])
