"""Reads the table declarations (schema/tables/*.yaml) into values of `schema.model`."""

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from schema.collection import Collection
from schema.ddl import literal, quote, quoted
from schema.model import (
    Catalogue,
    Column,
    ForeignKey,
    HiddenColumn,
    Index,
    Schema,
    SchemaError,
    Table,
)
from schema.types import TYPES

TABLES = Path(__file__).parent / "tables"

PUBLIC_SCHEMAS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ivoa": (
        "Tables that the IVOA defines, over all collections.",
        ("obscore", "obscore_hea", "obscore_healpix"),
    ),
    "tap_schema": (
        "Description of the published tables (TAP 1.1, section 4).",
        (
            "tap_schema_schemas",
            "tap_schema_tables",
            "tap_schema_columns",
            "tap_schema_keys",
            "tap_schema_key_columns",
        ),
    ),
}
PRIVATE_TABLES = ("vo_collection", "vo_dataset", "vo_product", "vo_coverage", "vo_job", "vo_record")


@cache
@cache
def load_table(name: str, schema: str | None = None) -> Table:
    """The table declared in schema/tables/<name>.yaml; `schema` replaces the `{collection}` in it.

    Raises SchemaError if the file declares something that the model does not know.
    """
    declared = _parse(name)
    target = schema if declared["schema"] == "{collection}" else declared["schema"]
    if target is None:
        raise SchemaError(f"{name}: belongs to a collection; its schema is needed")
    return _table(name, {**declared, "schema": target})


@cache
def _parse(name: str) -> Mapping[str, Any]:
    declared: dict[str, Any] = yaml.load((TABLES / f"{name}.yaml").read_bytes(), Loader=yaml.CSafeLoader)
    return declared


def _table(name: str, declared: Mapping[str, Any]) -> Table:
    indexes = tuple(_index(i) for i in declared.get("indexes", ()))
    covered = {c for i in indexes for c in i.covers} | set(declared.get("primary_key", ())[:1])
    try:
        return Table(
            **{
                **declared,
                "columns": tuple(_column(c, covered) for c in declared["columns"]),
                "hidden": tuple(HiddenColumn(**h) for h in declared.get("hidden", ())),
                "indexes": indexes,
                "foreign_keys": tuple(_foreign_key(k) for k in declared.get("foreign_keys", ())),
                "primary_key": tuple(declared.get("primary_key", ())),
            }
        )
    except (TypeError, KeyError) as error:
        raise SchemaError(f"{name}: {error}") from error


def _column(declared: Mapping[str, Any], covered: set[str]) -> Column:
    shapes = declared.get("shapes")
    return Column(
        **{
            **declared,
            "type": TYPES[declared["type"]],
            "shapes": None if shapes is None else tuple(shapes),
            "indexed": declared["name"] in covered,
        }
    )


def _index(declared: Mapping[str, Any]) -> Index:
    return Index(**{**declared, "covers": tuple(declared.get("covers", ()))})


def _foreign_key(declared: Mapping[str, Any]) -> ForeignKey:
    return ForeignKey(**{**declared, "columns": tuple((own, other) for own, other in declared["columns"])})


@cache
def core_catalogue() -> Catalogue:
    """The tables that exist before any collection: ivoa.* and TAP_SCHEMA."""
    return Catalogue(
        tuple(
            Schema(name, tuple(load_table(t) for t in tables), description)
            for name, (description, tables) in PUBLIC_SCHEMAS.items()
        )
    )


def private_tables() -> tuple[Table, ...]:
    """The tables of schema `vo`, which nobody outside sees."""
    return tuple(load_table(t) for t in PRIVATE_TABLES)


def catalogue(collections: tuple[Collection, ...]) -> Catalogue:
    """The whole catalogue: the core tables and each collection's own."""
    return core_catalogue().extended(collection_schema(c) for c in collections)


@lru_cache(maxsize=64)
@lru_cache(maxsize=64)
def collection_schema(collection: Collection) -> Schema:
    """The schema of one collection: `obs_index`, the view `obscore` and, if switched on, `events`."""
    obs_index = _with_extras(
        load_table("collection_obs_index", collection.schema), collection.obs_index_extras
    )
    tables = [_obscore_view(collection, obs_index), obs_index]
    if collection.events:
        events = load_table("collection_events", collection.schema)
        tables.append(_with_extras(events, collection.event_extras))
    return Schema(collection.schema, tuple(tables), collection.description or collection.title)


def _with_extras(table: Table, extras: tuple[Column, ...]) -> Table:
    known = set(table.by_name) | {h.name for h in table.hidden}
    more = tuple(c for c in extras if c.name not in known)
    return Table(**{**_fields(table), "columns": (*table.columns, *more)})


def _fields(table: Table) -> dict[str, Any]:
    return {f: getattr(table, f) for f in Table.__dataclass_fields__}


_INDEX_ONLY = frozenset({"n_tels"})
"""Columns of obs_index that the view leaves out: whole numbers that many releases do not say.

gammapy's make_data_store_from_query_result does without the column, but stops at a NULL in it.
"""


def _obscore_view(collection: Collection, obs_index: Table) -> Table:
    """ObsCore, its extension and the observation index of one collection, a row per dataset.

    A response function with a row of its own shows the index row of its observation; spectra and light
    curves have none. Where two of the three have a column of the same name, the first one's is shown.
    """
    core = core_catalogue().by_name
    sources = {"o": core["ivoa.obscore"], "h": core["ivoa.obscore_hea"], "i": obs_index}
    columns: dict[str, Column] = {}
    selected: list[str] = []
    hidden = tuple(h for table in sources.values() for h in table.hidden)
    taken = {h.name for h in hidden} | _INDEX_ONLY
    for row, table in sources.items():
        for column in table.columns:
            if column.name not in columns and column.name not in taken:
                value = f"{row}.{quote(column.name)}"
                if column.expression is not None:
                    value = column.expression.replace("{row}", row)
                columns[column.name] = column
                selected.append(f"{value} AS {quote(column.name)}")
        selected.extend(f"{row}.{quote(h.name)}" for h in table.hidden)
    return Table(
        schema=collection.schema,
        name="obscore",
        kind="view",
        description=f"ObsCore, its high-energy extension and the observation index of {collection.name}.",
        columns=tuple(
            Column(**{**{f: getattr(c, f) for f in Column.__dataclass_fields__}, "expression": None})
            for c in columns.values()
        ),
        hidden=hidden,
        foreign_keys=(
            ForeignKey("ivoa.obscore", (("obs_publisher_did", "obs_publisher_did"),), enforced=False),
        ),
        query=(
            f"SELECT {', '.join(selected)} FROM ivoa.obscore AS o"  # noqa: S608  declared names only
            " JOIN ivoa.obscore_hea AS h ON h.obs_publisher_did = o.obs_publisher_did"
            f" LEFT JOIN {quoted(obs_index)} AS i ON i.obs_publisher_did = o.dataset"
            f" WHERE o.obs_collection = {literal(collection.name)}"
        ),
    )
