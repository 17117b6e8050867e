"""What the service tells about itself: availability, capabilities and tables (VOSI 1.1)."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from schema import tap_schema
from schema.model import Catalogue, Column, Schema, Table, adql_identifier
from vo_server.capabilities import XSI, XSI_TYPE, capabilities_document
from vo_server.db import Database
from vo_server.errors import NotFoundError, UsageError
from vo_server.xmlwriter import node, optional_nodes, serialized

AVAILABILITY: Final = "http://www.ivoa.net/xml/VOSIAvailability/v1.0"
TABLES: Final = "http://www.ivoa.net/xml/VOSITables/v1.0"
TABLE_NAMESPACES: Final = {
    "vosi": TABLES,
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "xsi": XSI,
}

DETAILS: Final = {"min": False, "max": True}

TABLE_TYPES: Final = {"table": "base_table", "view": "view"}
"""Our kinds of table -> those of VODataService 1.1, section 3.3.1."""


class Changes:
    """When this process started, and when it saw the catalogue change last (UTC)."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC).replace(microsecond=0)
        self._seen: Catalogue | None = None
        self._changed = self.started

    def last(self, catalogue: Catalogue) -> datetime:
        """The time of the last change, given the catalogue in force."""
        if self._seen is not None and self._seen is not catalogue:
            self._changed = datetime.now(UTC).replace(microsecond=0)
        self._seen = catalogue
        return self._changed


def availability(request: Request) -> Response:
    """`available` is true only if the database and the published tables answer."""
    database: Database = request.app.state.database
    changes: Changes = request.app.state.changes
    problems = database.check()
    root = etree.Element(f"{{{AVAILABILITY}}}availability", nsmap={"vosi": AVAILABILITY})
    root.append(node(f"{{{AVAILABILITY}}}available", "false" if problems else "true"))
    if not problems:
        root.append(node(f"{{{AVAILABILITY}}}upSince", changes.started.strftime("%Y-%m-%dT%H:%M:%SZ")))
    root.extend([node(f"{{{AVAILABILITY}}}note", problem) for problem in problems])
    return _xml(serialized(root))


def capabilities(request: Request) -> Response:
    """The services behind this URL."""
    database: Database = request.app.state.database
    catalogue = database.catalogue()
    return _xml(capabilities_document(catalogue, request.app.state.settings), _modified(request, catalogue))


def tables(request: Request) -> Response:
    """The whole tableset; `detail=min` leaves out the columns."""
    database: Database = request.app.state.database
    catalogue = database.catalogue()
    return _xml(tableset_document(catalogue, _detail(request)), _modified(request, catalogue))


def table(request: Request) -> Response:
    """One table with its columns."""
    database: Database = request.app.state.database
    catalogue = database.catalogue()
    name = request.path_params["name"]
    by_adql_name = {t.adql_name.lower(): t for t in catalogue.tables}
    found = by_adql_name.get(name.lower())
    if found is None:
        raise NotFoundError(f"There is no table {name!r}; /tap/tables lists what there is.")
    return _xml(table_document(found, catalogue), _modified(request, catalogue))


def tableset_document(catalogue: Catalogue, detail: bool) -> bytes:
    """All published tables as a VOSI tableset."""
    root = etree.Element(f"{{{TABLES}}}tableset", nsmap=TABLE_NAMESPACES)
    root.extend([schema_element(s, catalogue, detail) for s in catalogue.schemas])
    return serialized(root)


def table_document(found: Table, catalogue: Catalogue) -> bytes:
    """One table as the root of a VOSI document."""
    root = etree.Element(f"{{{TABLES}}}table", {"type": TABLE_TYPES[found.kind]}, nsmap=TABLE_NAMESPACES)
    root.extend(_table_children(found, catalogue, detail=True))
    return serialized(root)


def schema_element(schema: Schema, catalogue: Catalogue, detail: bool) -> etree._Element:
    """One schema, for registry records, too."""
    children = optional_nodes(
        name=adql_identifier(schema.name), description=schema.description, utype=schema.utype
    )
    for found in schema.tables:
        kind = {"type": TABLE_TYPES[found.kind]}
        children.append(node("table", None, kind, _table_children(found, catalogue, detail)))
    return node("schema", None, None, children)


def _table_children(found: Table, catalogue: Catalogue, detail: bool) -> list[etree._Element]:
    children = optional_nodes(name=found.adql_name, description=found.description, utype=found.utype)
    if detail:
        children += [_column_element(c, found) for c in found.columns]
        children += [_key_element(k) for k in tap_schema.keys(catalogue) if k.table is found]
    return children


def _column_element(column: Column, found: Table) -> etree._Element:
    data_type = {
        XSI_TYPE: "vs:VOTableType",
        "arraysize": column.type.arraysize,
        "extendedType": column.type.xtype,
    }
    flags = {
        "indexed": column.indexed,
        "primary": column.name in found.primary_key,
        "nullable": not column.required and column.name not in found.primary_key,
    }
    children = [
        *optional_nodes(
            name=column.adql_name,
            description=column.description,
            unit=column.unit,
            ucd=column.ucd,
            utype=column.utype,
        ),
        node("dataType", column.type.datatype, data_type),
        *(node("flag", name) for name, applies in flags.items() if applies),
    ]
    return node("column", None, {"std": "true" if column.std else "false"}, children)


def _key_element(key: tap_schema.Key) -> etree._Element:
    pairs = [
        optional_nodes(fromColumn=adql_identifier(own), targetColumn=adql_identifier(other))
        for own, other in key.columns
    ]
    children = [
        node("targetTable", key.target.adql_name),
        *(node("fkColumn", None, None, pair) for pair in pairs),
        *optional_nodes(description=key.description),
    ]
    return node("foreignKey", None, None, children)


def _detail(request: Request) -> bool:
    wanted = request.query_params.get("detail") or request.query_params.get("DETAIL") or "max"
    if wanted not in DETAILS:
        raise UsageError(f"detail is one of {', '.join(DETAILS)}, not {wanted!r}")
    return DETAILS[wanted]


def _modified(request: Request, catalogue: Catalogue) -> datetime:
    changes: Changes = request.app.state.changes
    return changes.last(catalogue)


def _xml(document: bytes, modified: datetime | None = None) -> Response:
    headers = {} if modified is None else {"Last-Modified": format_datetime(modified, usegmt=True)}
    return Response(document, headers=headers, media_type="text/xml")
