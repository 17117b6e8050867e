"""The capabilities of the links service (DataLink 1.1, section 2.3; VOSI 1.1, section 3.1).

The standard does not ask for them, nor for a word about links in the capabilities of other services.
"""

from lxml import etree

from vo_server.capabilities import XSI_TYPE, document, vosi_capabilities
from vo_server.datalink import urls
from vo_server.datalink.links import MEDIA_TYPE
from vo_server.datalink.services import STANDARD
from vo_server.settings import Settings
from vo_server.xmlwriter import node, optional_nodes


def capabilities_document(settings: Settings) -> bytes:
    """The whole document."""
    return document([links_capability(settings), *vosi_capabilities(f"{settings.url}/datalink")])


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
