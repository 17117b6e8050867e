"""The capabilities of the cutout service (SODA 1.0, section 2; VOSI 1.1, section 3.1)."""

from typing import Final

from lxml import etree

from vo_server.capabilities import XSI_TYPE, document, vosi_capabilities
from vo_server.products.content import FITS
from vo_server.settings import Settings
from vo_server.soda.parameters import PARAMETERS, Parameter
from vo_server.xmlwriter import node, optional_nodes

SYNC: Final = ("ivo://ivoa.net/std/SODA#sync-1.0", "/soda/sync")
ASYNC: Final = ("ivo://ivoa.net/std/SODA#async-1.0", "/soda/async")
"""The two forms of the service: identifier of the standard, and path."""

_QUERY_TYPES: Final = {SYNC: ("GET", "POST"), ASYNC: ("POST",)}


def capabilities_document(settings: Settings) -> bytes:
    """The whole document; the order of elements is that of VODataService 1.1."""
    own = []
    for (standard, path), query_types in _QUERY_TYPES.items():
        children = [node("queryType", kind) for kind in query_types]
        if path == SYNC[1]:
            children.append(node("resultType", FITS))
        children += [_parameter(parameter) for parameter in PARAMETERS]
        own.append(_capability(standard, settings.url + path, children))
    return document([*vosi_capabilities(f"{settings.url}/soda"), *own])


def _capability(standard: str, url: str, children: list[etree._Element]) -> etree._Element:
    attributes = {XSI_TYPE: "vs:ParamHTTP", "role": "std", "version": "1.0"}
    access = node("accessURL", url, {"use": "base"})
    interface = node("interface", None, attributes, [access, *children])
    return node("capability", None, {"standardID": standard}, [interface])


def _parameter(parameter: Parameter) -> etree._Element:
    """A parameter of an interface, which has simple types only (VODataService 1.1, section 3.5.1)."""
    described = optional_nodes(
        name=parameter.name, description=parameter.description, unit=parameter.unit, ucd=parameter.ucd
    )
    simple, arraysize = ("string", None) if parameter.datatype == "char" else ("real", parameter.arraysize)
    kind = node("dataType", simple, {"arraysize": arraysize})
    use = "required" if parameter.name == "ID" else "optional"
    return node("param", None, {"std": "true", "use": use}, [*described, kind])
