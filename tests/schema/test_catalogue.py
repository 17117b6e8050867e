"""What holds for every published table, and how TAP_SCHEMA tells of it."""

import re
from dataclasses import replace
from typing import Any

import pytest

from schema import load, tap_schema
from schema.collection import Collection
from schema.load import catalogue, core_catalogue, load_table, private_tables
from schema.model import Catalogue, Column, ForeignKey, Index, Schema, SchemaError, Table, adql_identifier
from schema.reserved import RESERVED_WORDS, is_regular_identifier
from schema.types import BIGINT, CIRCLE, DOUBLE, INTEGER, POINT, REAL_ARRAY, REGION, TYPES, VARCHAR

COLLECTION = Collection(
    "A release",
    "a",
    events=True,
    obs_index_extras=(Column("moon", DOUBLE, unit="deg"), Column("order", INTEGER)),
)
ALL = catalogue((COLLECTION, Collection("B", "b")))


def tap_schema_rows(table: str) -> list[dict[str, Any]]:
    names = [c.name for c in core_catalogue().by_name[f"tap_schema.{table}"].columns]
    return [dict(zip(names, row, strict=True)) for row in tap_schema.rows(ALL)[table]]


def test_tables_of_a_collection() -> None:
    assert [t.full_name for t in ALL.tables if t.schema in {"a", "b"}] == [
        *("a.obscore", "a.obs_index", "a.events"),
        *("b.obscore", "b.obs_index"),
    ]


def test_names_are_regular_or_written_in_quotes() -> None:
    for table in ALL.tables:
        for column in table.columns:
            plain = (
                re.fullmatch(r"[a-z][a-z0-9_]*", column.name) and column.name.upper() not in RESERVED_WORDS
            )
            assert column.adql_name == (column.name if plain else f'"{column.name}"')
    quoted = {f"{t.full_name}.{c.name}" for t in ALL.tables for c in t.columns if c.adql_name[0] == '"'}
    assert quoted == {"tap_schema.columns.size", "a.obs_index.order", "a.obscore.order"}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("s_ra", "s_ra"),
        ("size", '"size"'),
        ("distance", '"distance"'),
        ("Size", '"Size"'),
        ("9lives", '"9lives"'),
        ("_x", '"_x"'),
        ('a"b', '"a""b"'),
        ("é", '"é"'),
        ("x\n", '"x\n"'),
    ],
)
def test_identifiers(name: str, written: str) -> None:
    assert adql_identifier(name) == written
    assert is_regular_identifier(name) == (name == written)


def test_descriptions_units_and_ucds() -> None:
    for table in (*ALL.tables, *private_tables()):
        assert table.description
        for column in table.columns:
            assert column.description or column.name in {"moon", "order"}
            assert column.unit is None or column.unit.strip() == column.unit != ""
            assert column.ucd is None or re.fullmatch(r"[a-zA-Z0-9.;-]+", column.ucd)


def test_indexes_and_keys_name_columns_that_are_there() -> None:
    for table in (*ALL.tables, *private_tables()):
        stored = {c.name for c in table.stored} | {h.name for h in table.hidden}
        for index in table.indexes:
            words = set(re.findall(r"[a-z_]+", index.sql)) - {"spoint", "radians", "lower"}
            assert words <= stored
            assert not [c for c in index.covers if c in table.by_name and not table.by_name[c].indexed]
        for key in table.foreign_keys:
            target = {**ALL.by_name, **{t.full_name: t for t in private_tables()}}[key.target]
            for own, other in key.columns:
                assert table.by_name[own].type == target.by_name[other].type


def test_rows_of_schemas_and_tables() -> None:
    assert [(r["schema_name"], r["schema_index"]) for r in tap_schema_rows("schemas")] == [
        *(("ivoa", 1), ("tap_schema", 2), ("a", 3), ("b", 4))
    ]
    tables = {r["table_name"]: r for r in tap_schema_rows("tables")}
    assert tables["ivoa.obscore"]["utype"] == "ivo://ivoa.net/std/obscore#core-1.1"
    assert {name: r["table_type"] for name, r in tables.items() if r["schema_name"] == "a"} == {
        "a.obscore": "view",
        "a.obs_index": "table",
        "a.events": "table",
    }
    assert [r["table_index"] for r in tables.values() if r["schema_name"] == "a"] == [1, 2, 3]
    assert not [name for name in tables if name.startswith("vo.")]


def test_rows_of_columns() -> None:
    rows = {(r["table_name"], r["column_name"]): r for r in tap_schema_rows("columns")}
    assert len(rows) == sum(len(t.columns) for t in ALL.tables)
    assert rows["tap_schema.columns", '"size"'] == {
        **dict.fromkeys(("arraysize", "xtype", "size", "utype", "unit", "ucd")),
        "table_name": "tap_schema.columns",
        "column_name": '"size"',
        "datatype": "int",
        "description": "Number of elements where arraysize gives one; kept for TAP 1.0 clients.",
        **{"indexed": 0, "principal": 0, "std": 1, "column_index": 6},
    }
    region = rows["ivoa.obscore", "s_region"]
    assert (region["datatype"], region["arraysize"], region["xtype"], region["size"]) == (
        *("char", "*", "adql:REGION", None),
    )
    assert (region["indexed"], region["principal"], region["std"]) == (1, 1, 1)
    assert (rows["a.obs_index", "moon"]["unit"], rows["a.obs_index", "moon"]["std"]) == ("deg", 0)
    hidden = {h.name for t in ALL.tables for h in t.hidden}
    assert hidden == {"dataset", "access_path", "region_circle", "region_polygon", "intervals"} | {
        "region_rest",
        "times",
        "times_order",
    }
    assert not [name for _, name in rows if name in hidden]


def test_size_is_that_of_arrays_of_fixed_length() -> None:
    table = Table(
        "a", "t", (Column("p", POINT), Column("c", CIRCLE), Column("v", REAL_ARRAY), Column("n", BIGINT))
    )
    rows = tap_schema.rows(Catalogue((Schema("a", (table,)),)))["columns"]
    assert [(row[3], row[5]) for row in rows] == [("2", 2), ("3", 3), ("*", None), (None, None)]


def test_rows_of_keys_point_to_columns_that_are_listed() -> None:
    columns = {(r["table_name"], r["column_name"]) for r in tap_schema_rows("columns")}
    keys = {r["key_id"]: r for r in tap_schema_rows("keys")}
    links = tap_schema_rows("key_columns")
    assert {r["key_id"] for r in links} == set(keys)
    for link in links:
        key = keys[link["key_id"]]
        assert (key["from_table"], link["from_column"]) in columns
        assert (key["target_table"], link["target_column"]) in columns
    assert {(k["from_table"], k["target_table"]) for k in keys.values()} >= {
        ("ivoa.obscore_hea", "ivoa.obscore"),
        ("a.obs_index", "ivoa.obscore"),
        ("a.events", "ivoa.obscore"),
        ("a.obscore", "ivoa.obscore"),
    }


def test_a_view_shows_each_name_once_and_no_name_of_a_hidden_column() -> None:
    extras = (Column("dataset", INTEGER), Column("t_min", VARCHAR), Column("gain", DOUBLE))
    view = catalogue((replace(COLLECTION, obs_index_extras=extras),)).by_name["a.obscore"]
    assert view.by_name["t_min"].unit == "d"
    assert "gain" in view.by_name
    assert "dataset" not in view.by_name
    assert all(c.expression is None for c in view.columns)


def test_the_view_has_no_whole_number_that_gammapy_reads_and_a_release_may_not_say() -> None:
    # Of the whole numbers that make_data_store_from_query_result reads, ingest always knows the others.
    assert "n_tels" in ALL.by_name["a.obs_index"].by_name
    view = ALL.by_name["a.obscore"]
    assert "n_tels" not in view.by_name
    assert {"quality", "event_count"} <= view.by_name.keys()
    assert '"n_tels"' not in (view.query or "")


COLUMN = Column("x", INTEGER)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Column("x", replace(INTEGER, name="INT")), "column x: unknown type"),
        (lambda: Column("x", REGION), "column x: REGION and `shapes` go together"),
        (lambda: Column("x", VARCHAR, shapes=("a", "b")), "column x: REGION and `shapes` go together"),
        (lambda: Table("a", "t", (COLUMN, COLUMN)), r"table a.t: columns repeated: \['x'\]"),
        (lambda: Table("a", "t", (COLUMN,), primary_key=("y",)), "table a.t: no column y"),
        (
            lambda: Table("a", "t", (COLUMN,), indexes=(Index("i", "y", covers=("y",)),)),
            "table a.t: no column y",
        ),
        (lambda: Table("a", "t", (COLUMN,), kind="query"), "table a.t: kind 'query'"),
        (lambda: Catalogue((Schema("a", (Table("a", "t", (COLUMN,)),) * 2),)), "table names repeat"),
        (lambda: load_table("collection_events"), "belongs to a collection; its schema is needed"),
    ],
)
def test_contradictions_are_refused(make: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        make()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{name: x, type: TEXT}", ": 'TEXT'"),
        ("{name: x, type: INTEGER, units: m}", ": .*unexpected keyword argument 'units'"),
        ("{type: INTEGER}", ": 'name'"),
    ],
)
def test_wrong_declarations_are_refused(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    name = f"wrong_{len(text)}"
    (tmp_path / f"{name}.yaml").write_text(f"schema: a\nname: t\ncolumns: [{text}]\n")
    monkeypatch.setattr(load, "TABLES", tmp_path)
    with pytest.raises(SchemaError, match=name + message):
        load_table(name)


def test_types_tie_the_three_worlds() -> None:
    assert {
        t.name: (t.datatype, t.arraysize, t.xtype, t.postgres) for t in TYPES.values() if not t.is_array
    } == {
        "SMALLINT": ("short", None, None, "smallint"),
        "INTEGER": ("int", None, None, "integer"),
        "BIGINT": ("long", None, None, "bigint"),
        "REAL": ("float", None, None, "real"),
        "DOUBLE PRECISION": ("double", None, None, "double precision"),
        "VARCHAR": ("char", "*", None, "text"),
        "TIMESTAMP": ("char", "*", "timestamp", "timestamp without time zone"),
        "POINT": ("double", "2", "point", "spoint"),
        "CIRCLE": ("double", "3", "circle", "scircle"),
        "POLYGON": ("double", "*", "polygon", "spoly"),
        "REGION": ("char", "*", "adql:REGION", "text"),
        "MOC": ("char", "*", "moc", "smoc"),
        "TMOC": ("char", "*", None, "text"),
    }
    for kind in (t for t in TYPES.values() if t.is_array):
        scalar = TYPES[kind.name.removesuffix("[]")]
        assert (kind.datatype, kind.arraysize, kind.postgres) == (
            scalar.datatype,
            "*",
            f"{scalar.postgres}[]",
        )


def test_a_foreign_key_to_what_is_not_published_is_no_key() -> None:
    key = ForeignKey("vo.collection", (("x", "name"),))
    table = Table("a", "t", (COLUMN,), foreign_keys=(key,))
    assert list(tap_schema.keys(Catalogue((Schema("a", (table,)),)))) == []
