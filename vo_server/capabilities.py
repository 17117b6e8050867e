"""The capabilities document: which services there are, where, and what they can do.

Sources: VOSI 1.1 section 3.1, TAPRegExt 1.0 (the order of elements is the schema's), VOResource 1.1.
"""

from collections.abc import Iterable, Iterator, Mapping

from lxml import etree

from schema.model import Catalogue
from vo_server.adql import FEATURES, RESOLVER_FEATURES, Feature
from vo_server.results import FORMATS
from vo_server.settings import Settings
from vo_server.tap.request import STANDARD
from vo_server.xmlwriter import node, serialized

CAPABILITIES = "http://www.ivoa.net/xml/VOSICapabilities/v1.0"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
NAMESPACES = {
    "vosi": CAPABILITIES,
    "vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
    "cs": "http://www.ivoa.net/xml/ConeSearch/v1.0",
    "ssap": "http://www.ivoa.net/xml/SSA/v1.1",
    "xsi": XSI,
}
XSI_TYPE = f"{{{XSI}}}type"

VOSI_ENDPOINTS = (
    ("ivo://ivoa.net/std/VOSI#capabilities", "/capabilities"),
    ("ivo://ivoa.net/std/VOSI#availability", "/availability"),
)
"""What every service has below its path."""

TABLES = ("ivo://ivoa.net/std/VOSI#tables-1.1", "/tap/tables")

EXAMPLES = ("ivo://ivoa.net/std/DALI#examples", "/tap/examples")

DATA_MODELS = {"ivoa.obscore": ("ivo://ivoa.net/std/ObsCore#core-1.1", "ObsCore-1.1")}
"""Data models by the table that follows them."""

ADQL_VERSIONS = ("2.0", "2.1")

UPLOAD = "ivo://ivoa.net/std/TAPRegExt#upload-"
UPLOAD_WAYS = ("inline", "http", "https")


def capabilities_document(catalogue: Catalogue, settings: Settings) -> bytes:
    """The whole document of TAP."""
    tables = interface(settings.url + TABLES[1], "full", "1.1")
    url = node("accessURL", settings.url + EXAMPLES[1], {"use": "full"})
    examples = node("interface", None, {XSI_TYPE: "vr:WebBrowser"}, [url])
    return document(
        [
            table_access(catalogue, settings),
            *vosi_capabilities(f"{settings.url}/tap"),
            node("capability", None, {"standardID": TABLES[0]}, [tables]),
            node("capability", None, {"standardID": EXAMPLES[0]}, [examples]),
        ]
    )


def document(capabilities: Iterable[etree._Element]) -> bytes:
    """The capabilities document of a service."""
    root = etree.Element(f"{{{CAPABILITIES}}}capabilities", nsmap=NAMESPACES)
    root.extend(list(capabilities))
    return serialized(root)


def vosi_capabilities(url: str) -> list[etree._Element]:
    """The capabilities that the service at this URL has as every service."""
    return [
        node("capability", None, {"standardID": standard}, [interface(url + path, "full", "1.0")])
        for standard, path in VOSI_ENDPOINTS
    ]


def table_access(catalogue: Catalogue, settings: Settings) -> etree._Element:
    """The capability of TAP, for registry records, too."""
    rows, octets = {"unit": "row"}, {"unit": "byte"}
    largest = str(min(settings.upload_bytes, settings.request_bytes))
    default = node("default", str(min(settings.maxrec_default, settings.maxrec_hard)), rows)
    children = [
        interface(f"{settings.url}/tap", "base", "1.1", role="std"),
        *_data_models(catalogue),
        _language(RESOLVER_FEATURES if settings.name_resolver else FEATURES),
        *_output_formats(),
        *(node("uploadMethod", None, {"ivo-id": f"{UPLOAD}{way}"}) for way in UPLOAD_WAYS),
        _limits("retentionPeriod", settings.job_retention, settings.job_retention_hard),
        _limits("executionDuration", settings.job_duration, settings.job_duration_hard),
        node("outputLimit", None, None, [default, node("hard", str(settings.maxrec_hard), rows)]),
        node("uploadLimit", None, None, [node("default", largest, octets), node("hard", largest, octets)]),
    ]
    attributes = {XSI_TYPE: "tr:TableAccess", "standardID": STANDARD}
    return node("capability", None, attributes, children)


def _limits(name: str, default: int, hard: int) -> etree._Element:
    """What a job gets, and the most it may ask for, in seconds."""
    return node(name, None, None, [node("default", str(min(default, hard))), node("hard", str(hard))])


def interface(
    url: str, use: str, version: str, role: str | None = None, more: Iterable[etree._Element] = ()
) -> etree._Element:
    """An interface of parameters; `more` are the elements behind its URL, in the order of the schema."""
    attributes = {XSI_TYPE: "vs:ParamHTTP", "role": role, "version": version}
    return node("interface", None, attributes, [node("accessURL", url, {"use": use}), *more])


def _data_models(catalogue: Catalogue) -> Iterator[etree._Element]:
    for table, (ivo_id, name) in DATA_MODELS.items():
        if table in catalogue.by_name:
            yield node("dataModel", name, {"ivo-id": ivo_id})


def _language(known: Mapping[str, Iterable[Feature]]) -> etree._Element:
    children = [
        node("name", "ADQL"),
        *(node("version", v, {"ivo-id": f"ivo://ivoa.net/std/ADQL#v{v}"}) for v in ADQL_VERSIONS),
        node("description", "ADQL 2.1 with extensions; what ADQL 2.0 has besides is accepted too."),
        *(_language_features(kind, features) for kind, features in known.items()),
    ]
    return node("language", None, None, children)


def _language_features(kind: str, features: Iterable[Feature]) -> etree._Element:
    children = [
        node("feature", None, None, [node("form", f.form), node("description", f.description)])
        for f in features
    ]
    return node("languageFeatures", None, {"type": kind}, children)


def _output_formats() -> Iterator[etree._Element]:
    for known in FORMATS:
        mime, *others = known.media_types
        aliases = [node("alias", name) for name in (*known.names, *others)]
        yield node("outputFormat", None, {"ivo-id": known.ivo_id}, [node("mime", mime), *aliases])
