"""The capabilities of the links service (DataLink 1.1, section 2.3; VOSI 1.1, section 3.1).

The standard does not ask for them, nor for a word about links in the capabilities of other services.
"""

from typing import Final

from lxml import etree

from vo_server.capabilities import CAPABILITIES, NAMESPACES, XSI_TYPE, vosi_capability
from vo_server.datalink import urls
from vo_server.datalink.links import MEDIA_TYPE
from vo_server.datalink.services import STANDARD
from vo_server.settings import Settings
from vo_server.xmlwriter import node, optional_nodes, serialized

_VOSI: Final = (
    ("ivo://ivoa.net/std/VOSI#capabilities", urls.CAPABILITIES),
    ("ivo://ivoa.net/std/VOSI#availability", urls.AVAILABILITY),
)


def capabilities_document(settings: Settings) -> bytes:
    """The whole document."""
    root = etree.Element(f"{{{CAPABILITIES}}}capabilities", nsmap=NAMESPACES)
    root.append(links_capability(settings))
    for standard, path in _VOSI:
        root.append(vosi_capability(standard, settings.url + path))
    return serialized(root)


def links_capability(settings: Settings) -> etree._Element:
    """The capability, for registry records, too."""
    did = [
        *optional_nodes(name="ID", description="publisher DID of a dataset", ucd="meta.id;meta.main"),
        node("dataType", "string"),
    ]
    form = [
        *optional_nodes(name="RESPONSEFORMAT", description="votable (the default) or html"),
        node("dataType", "string"),
    ]
    children = [
        node("accessURL", urls.links(settings.url), {"use": "base"}),
        node("queryType", "GET"),
        node("queryType", "POST"),
        node("resultType", MEDIA_TYPE),
        node("param", None, {"std": "true", "use": "required"}, did),
        node("param", None, {"std": "true", "use": "optional"}, form),
    ]
    attributes = {XSI_TYPE: "vs:ParamHTTP", "role": "std", "version": "1.1"}
    interface = node("interface", None, attributes, children)
    return node("capability", None, {"standardID": STANDARD}, [interface])
