"""A resource record as Dublin Core, the form that all harvesters know (OAI-PMH 2.0, section 5)."""

from typing import Final

from lxml import etree

from vo_server.capabilities import XSI
from vo_server.xmlwriter import node

OAI_DC: Final = "http://www.openarchives.org/OAI/2.0/oai_dc/"
DC: Final = "http://purl.org/dc/elements/1.1/"

ELEMENTS: Final = (
    ("title", "title"),
    ("creator", "curation/creator/name"),
    ("subject", "content/subject"),
    ("description", "content/description"),
    ("publisher", "curation/publisher"),
    ("contributor", "curation/contributor"),
    ("date", "curation/date"),
    ("type", "content/type"),
    ("identifier", "identifier"),
    ("identifier", "altIdentifier"),
    ("identifier", "content/referenceURL"),
    ("source", "content/source"),
    ("relation", "content/relationship/relatedResource/@ivo-id"),
    ("rights", "rights"),
)
"""Element of Dublin Core <- path in a resource record (VOResource 1.1, section 3, names the counterparts)."""


def dublin_core(document: str) -> str:
    """The XML in Dublin Core for the XML of a record."""
    resource = etree.fromstring(document)
    root = etree.Element(f"{{{OAI_DC}}}dc", nsmap={"oai_dc": OAI_DC, "dc": DC, "xsi": XSI})
    root.set(f"{{{XSI}}}schemaLocation", f"{OAI_DC} http://www.openarchives.org/OAI/2.0/oai_dc.xsd")
    for name, path in ELEMENTS:
        place, _, attribute = path.partition("/@")
        for found in resource.findall(place):
            text = found.get(attribute) if attribute else found.text
            root.append(node(f"{{{DC}}}{name}", text))
    made: str = etree.tostring(root, encoding="unicode", pretty_print=True)
    return made
