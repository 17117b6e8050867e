"""Names and strings stay what they are: no quoting can be left, whatever they hold."""

import contextlib
import string
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schema.model import Catalogue, Column, HiddenColumn, Schema, Table
from schema.types import INTEGER, REGION, VARCHAR
from vo_server.adql import ADQLError, translate

Rows = Callable[[str], list[tuple[Any, ...]]]

OFTEN = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
SELDOM = settings(OFTEN, max_examples=60)

PIECES = st.sampled_from(
    [
        *(
            "'",
            "''",
            '"',
            '""',
            "\\",
            "\\'",
            "$",
            "$$",
            "$1",
            "$1::text",
            "$x$",
            "--",
            "-- \n",
            "/*",
            "*/",
            ";",
        ),
        *(
            "E'",
            "U&'",
            'U&"',
            "\\0041",
            "%",
            "%s",
            "%(x)s",
            "{",
            "}",
            "{0}",
            "{row}",
            "{{",
            ":",
            "::text",
            "?",
        ),
        *(
            ")",
            "(",
            ",",
            ".",
            " ",
            "\n",
            "\r",
            "\t",
            "\x01",
            "\x7f",
            "\u2028",
            "é",
            "\U0001f52d",
            "a",
            "A",
            "1",
        ),
        *(
            " OR 1=1",
            "; DROP TABLE sky.obs",
            ' FROM "sky"."obs" --',
            ' AS "x"',
            ":circle",
            "_2",
            "col1",
            "NULL",
        ),
    ]
)
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
STRINGS = st.lists(st.one_of(PIECES, CHARACTERS), max_size=12).map("".join)
NAMES = st.lists(st.one_of(PIECES, CHARACTERS), min_size=1, max_size=12).map("".join)
SHORT_NAMES = NAMES.filter(lambda name: len(name.encode()) <= 63)
"""PostgreSQL's own names have 63 bytes at most."""

KNOWN = {"unknown", *map(str, range(1000, 1307))}
"""The observations that there are."""


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def delimited(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@OFTEN
@given(values=st.lists(STRINGS, min_size=1, max_size=4))
def test_string_literals_come_back(values: list[str], rows: Rows) -> None:
    """As values, joined with others, and as what a column is compared with."""
    items = ", ".join(f"{literal(v)} AS v{i}" for i, v in enumerate(values))
    joined = " || ".join(literal(v) for v in values)
    assert rows(f"SELECT TOP 1 {items}, {joined} AS j FROM sky.obs") == [(*values, "".join(values))]
    listed = ", ".join(literal(v) for v in values)
    found = rows(f"SELECT obs_id FROM sky.obs WHERE obs_id IN ({listed}, '1003')")
    assert set(found) == {("1003",), *((v,) for v in values if v in KNOWN)}


@OFTEN
@given(value=STRINGS)
@example(value="\\")
@example(value="%_\\")
def test_strings_in_functions_and_predicates_come_back(value: str, rows: Rows) -> None:
    text = literal(value)
    pattern = literal(value.replace("%", "_"))
    assert rows(
        f"SELECT TOP 1 CAST({text} AS VARCHAR) AS a, COALESCE(NULL, {text}) AS b, MIN({text}) AS c,"
        f" LOWER({text}) AS d FROM sky.obs WHERE {text} LIKE {pattern} AND {text} BETWEEN {text} AND {text}"
    ) == [(value, value, value, rows(f"SELECT TOP 1 LOWER({text}) AS d FROM sky.obs")[0][0])]
    (number,) = rows(f"SELECT ivo_nocasematch({text}, {text}) AS n FROM sky.obs WHERE obs_id = '1000'")[0]
    assert number == 1 or "%" in value or not value.isascii()


@OFTEN
@given(value=STRINGS)
def test_strings_that_mean_something_are_read_or_refused(value: str, rows: Rows) -> None:
    """Frames, regions, timestamps and casts: what is no such thing never reaches the database."""
    for item in (
        f"POINT({literal(value)}, 1, 2)",
        f"CIRCLE({literal(value)}, 1, 2, 3)",
        f"REGION({literal(value)})",
        f"REGION({literal('Circle ICRS 1 2 ' + value)})",
        f"CAST({literal(value)} AS TIMESTAMP)",
        f"CAST({literal('1 ' + value)} AS POINT)",
        f"ivo_to_mjd({literal(value)})",
    ):
        with contextlib.suppress(ADQLError):
            rows(f"SELECT TOP 1 {item} AS x FROM sky.obs")


@OFTEN
@given(alias=NAMES, table=NAMES, common=NAMES)
@example(alias="a" * 62 + '"', table="$1", common='"')
@example(alias="é" * 40, table="é" * 40, common="é" * 40)
def test_aliases_come_back(alias: str, table: str, common: str, rows: Rows, catalogue: Catalogue) -> None:
    """Of columns, tables, subqueries and common tables; `rows` compares with the database's own names."""
    a, t, c = delimited(alias), delimited(table), delimited(common)
    texts = [
        f"SELECT {t}.obs_id AS {a} FROM sky.obs AS {t} WHERE {t}.obs_id = '1000' ORDER BY {a}",
        f"SELECT {t}.{a} FROM (SELECT obs_id AS {a} FROM sky.obs) AS {t} WHERE {a} = '1000'",
        f"WITH {c} AS (SELECT obs_id AS {a} FROM sky.obs) SELECT {t}.* FROM {c} AS {t} WHERE {a} = '1000'",
        f"SELECT MAX({t}.obs_id) AS {a} FROM sky.obs AS {t} WHERE obs_id = '1000' GROUP BY {t}.obs_id",
    ]
    for text in texts:
        translation = translate(text, catalogue)
        assert [column.name for column in translation.columns] == [alias]
        if len(alias.encode()) <= 63:
            assert rows(text) == [("1000",)]


@st.composite
def published(draw: st.DrawFn) -> Table:
    """A table with names of any kind: two columns of numbers, a text, a region and what hides it."""
    names = draw(st.lists(SHORT_NAMES, min_size=8, max_size=8, unique=True))
    schema, table, first, second, region, circle, polygon, rest = names
    return Table(
        "s" + schema[:12],
        table,
        (
            Column(first, INTEGER),
            Column(second, VARCHAR),
            Column(region, REGION, shapes=(circle, polygon, rest)),
        ),
        hidden=(
            HiddenColumn(circle, "scircle"),
            HiddenColumn(polygon, "spoly"),
            HiddenColumn(rest, "scircle"),
        ),
    )


@SELDOM
@given(table=published(), value=STRINGS, alias=NAMES)
def test_published_names_of_any_kind(
    table: Table, value: str, alias: str, connection: psycopg.Connection
) -> None:
    """Every column is the one that its name means, and the text in it is what was put there."""
    catalogue = Catalogue((Schema(table.schema, (table,)),))
    name = f"{delimited(table.schema)}.{delimited(table.name)}"
    first, second, region = (delimited(c.name) for c in table.columns)
    t = delimited(alias)
    texts = [
        f"SELECT * FROM {name}",
        f"SELECT {first}, {second}, {region} FROM {name} AS {t} WHERE {second} = {literal(value)}",
        f"SELECT {t}.{first}, {t}.{second}, {t}.{region} FROM {name} AS {t} ORDER BY {t}.{first}",
        f"SELECT * FROM (SELECT * FROM {name}) AS {t} WHERE CONTAINS(POINT(10, 20), {region}) = 1",
        f"WITH {t} AS (SELECT * FROM {name}) SELECT * FROM {t} WHERE INTERSECTS({region}, POINT(9, 20)) = 1",
        f"SELECT * FROM {name} AS {t} WHERE EXISTS (SELECT * FROM {name} AS x WHERE x.{first} = {t}.{first})",
        f"SELECT * FROM {name} UNION SELECT * FROM {name} ORDER BY 1",
        f"SELECT {first}, {second}, {region} FROM {name} GROUP BY {first}, {second}, {region}",
    ]
    with connection.transaction(force_rollback=True):
        _create(connection, table, value)
        for text in texts:
            translation = translate(text, catalogue)
            cursor = connection.execute(translation.sql, translation.parameters)
            assert cursor.fetchall() == [(7, value, "Circle ICRS 10 20 2")], text
            assert [c.name for c in translation.columns] == [c.name for c in table.columns]
            assert [d.name for d in cursor.description or ()] == [c.name for c in table.columns]
            assert [c.source for c in translation.columns] in (
                [f"{table.full_name}.{c.name}" for c in table.columns],
                [None] * 3,
            )


def _create(connection: psycopg.Connection, table: Table, value: str) -> None:
    name = f"{delimited(table.schema)}.{delimited(table.name)}"
    columns = [f"{delimited(c.name)} {c.type.postgres}" for c in table.columns]
    columns += [f"{delimited(h.name)} {h.postgres}" for h in table.hidden]
    connection.execute(f"CREATE SCHEMA {delimited(table.schema)}")
    connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
    connection.execute(
        f"INSERT INTO {name} VALUES (7, $1, 'Circle ICRS 10 20 2', scircle '<(10d,20d),2d>', NULL)", [value]
    )


@pytest.mark.parametrize(
    "character", sorted(set(string.printable) - set(string.ascii_letters + string.digits))
)
def test_hidden_columns_cannot_be_named(character: str, catalogue: Catalogue) -> None:
    """No spelling of a name reaches a column that is not published."""
    for name in (f"secret{character}", f"{character}secret", f's_region"{character}"secret', "secret"):
        with pytest.raises(ADQLError):
            translate(f"SELECT {delimited(name)} FROM sky.obs", catalogue)
