"""Catalogue -> the rows of TAP_SCHEMA (TAP 1.1, section 4)."""

from collections.abc import Iterator
from dataclasses import dataclass

from schema.model import Catalogue, Column, Table, adql_identifier

Row = tuple[str | int | None, ...]


@dataclass(frozen=True)
class Key:
    """A published foreign key with the identifier that TAP_SCHEMA.keys gives it."""

    key_id: str
    table: Table
    target: Table
    columns: tuple[tuple[str, str], ...]
    description: str


def keys(catalogue: Catalogue) -> Iterator[Key]:
    """The foreign keys between published tables."""
    for table in catalogue.tables:
        for number, key in enumerate(table.foreign_keys, 1):
            target = catalogue.by_name.get(key.target)
            if target is not None:
                key_id = f"{table.schema}_{table.name}_{number}"
                yield Key(key_id, table, target, key.columns, key.description)


def rows(catalogue: Catalogue) -> dict[str, list[Row]]:
    """The rows of each TAP_SCHEMA table by its bare name, parents before children.

    The order of the values is that of the columns declared in schema/tables/tap_schema_*.yaml.
    """
    found = list(keys(catalogue))
    return {
        "schemas": [
            (adql_identifier(s.name), s.utype, s.description, number)
            for number, s in enumerate(catalogue.schemas, 1)
        ],
        "tables": [
            (adql_identifier(s.name), t.adql_name, t.kind, t.utype, t.description, number)
            for s in catalogue.schemas
            for number, t in enumerate(s.tables, 1)
        ],
        "columns": [
            _column_row(table, column, number)
            for table in catalogue.tables
            for number, column in enumerate(table.columns, 1)
        ],
        "keys": [(k.key_id, k.table.adql_name, k.target.adql_name, k.description, None) for k in found],
        "key_columns": [
            (k.key_id, adql_identifier(own), adql_identifier(other))
            for k in found
            for own, other in k.columns
        ],
    }


def _column_row(table: Table, column: Column, number: int) -> Row:
    size = column.type.arraysize
    return (
        table.adql_name,
        column.adql_name,
        column.type.datatype,
        size,
        column.type.xtype,
        int(size) if size is not None and size.isdigit() else None,
        column.description,
        column.utype,
        column.unit,
        column.ucd,
        int(column.indexed),
        int(column.principal),
        int(column.std),
        number,
    )
