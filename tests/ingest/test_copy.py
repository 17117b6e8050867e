"""Binary COPY, judged by PostgreSQL itself: what goes in comes out."""

from typing import Any

import numpy as np
import psycopg
import pytest

from ingest import events
from ingest.events import Values, copy_binary
from ingest.facts import EventArray, Events
from schema import ddl
from schema.model import Column, Table
from schema.types import (
    BIGINT,
    BIGINT_ARRAY,
    DOUBLE,
    DOUBLE_ARRAY,
    INTEGER,
    INTEGER_ARRAY,
    REAL,
    REAL_ARRAY,
    SMALLINT,
    SMALLINT_ARRAY,
    VARCHAR,
    Type,
)


def round_trip(
    database: psycopg.Connection[Any], kinds: dict[str, Type], values: Values, rows: int
) -> list[Any]:
    table = Table("public", "t", tuple(Column(name, kind) for name, kind in kinds.items()))
    database.execute(ddl.create_table(table)[0].encode())
    with database.cursor() as cursor, cursor.copy("COPY t FROM STDIN (FORMAT BINARY)") as copy:
        for block in copy_binary(table, values, rows):
            copy.write(block)
    return database.execute("SELECT * FROM t").fetchall()


@pytest.mark.parametrize(
    ("kind", "values", "stored"),
    [
        (SMALLINT, np.int16([-32768, 32767]), [-32768, 32767]),
        (SMALLINT, np.array([True, False]), [1, 0]),
        (SMALLINT, np.uint8([255, 0]), [255, 0]),
        (INTEGER, np.int32([-(2**31), 5]), [-(2**31), 5]),
        (INTEGER, np.array([1, 2], ">i4"), [1, 2]),
        (BIGINT, np.int64([2**62, -1]), [2**62, -1]),
        (REAL, np.float32([0.1, 3e38]), [0.1, 3e38]),
        (REAL, np.float32([np.nan, 1]), [None, 1.0]),
        (DOUBLE, np.float64([0.1, -1e300]), [0.1, -1e300]),
        (DOUBLE, np.float64([np.nan, np.nan]), [None, None]),
        (DOUBLE, np.float64([np.inf, 1]), [np.inf, 1.0]),
        (DOUBLE, np.int16([1, 2]), [1.0, 2.0]),
        (VARCHAR, np.array(["", "longer"]), ["", "longer"]),
        (VARCHAR, np.array(["é", "zwölf ☃"]), ["é", "zwölf ☃"]),
        (VARCHAR, np.array(["", ""]), ["", ""]),
        (VARCHAR, np.array([b"ab", b"c"]), ["ab", "c"]),
        (VARCHAR, np.int16([1, -20]), ["1", "-20"]),
        (VARCHAR, np.float64([np.nan, 0.5]), [None, "0.5"]),
        (VARCHAR, np.int16([[1, 2], [3, 4]]), ["[1, 2]", "[3, 4]"]),
        (VARCHAR, np.array([["a", "b"], ["c", "d"]]), ['["a", "b"]', '["c", "d"]']),
        (VARCHAR, "same ☃", ["same ☃", "same ☃"]),
        (VARCHAR, None, [None, None]),
        (DOUBLE, None, [None, None]),
        (REAL_ARRAY, None, [None, None]),
        (SMALLINT_ARRAY, np.int16([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (INTEGER_ARRAY, np.int32([[1], [3]]), [[1], [3]]),
        (BIGINT_ARRAY, np.int64([[2**40, 2], [3, 4]]), [[2**40, 2], [3, 4]]),
        (REAL_ARRAY, np.float32([[0.5, 2], [3, 4]]), [[0.5, 2.0], [3.0, 4.0]]),
        (DOUBLE_ARRAY, np.arange(8.0).reshape(2, 2, 2), [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]),
        (DOUBLE_ARRAY, np.float32([0.5, 2]), [[0.5], [2.0]]),
    ],
)
def test_one_column(database: psycopg.Connection[Any], kind: Type, values: Any, stored: list[Any]) -> None:
    found = [value for (value,) in round_trip(database, {"x": kind}, {"x": values}, 2)]
    assert (
        found == pytest.approx(stored, rel=1e-6) if kind is REAL and None not in stored else found == stored
    )


def test_all_columns_beside_each_other(database: psycopg.Connection[Any]) -> None:
    kinds = {"a": INTEGER, "b": VARCHAR, "c": DOUBLE, "d": REAL_ARRAY, "e": VARCHAR, "f": BIGINT, "g": DOUBLE}
    values: Values = {
        "a": np.int32([1, 2, 3]),
        "b": np.array(["", "ü", "three"]),
        "c": np.float64([np.nan, 2.5, np.nan]),
        "d": np.float32([[1, 2], [3, 4], [5, 6]]),
        "e": "constant",
        "g": np.float64([7, 8, 9]),
    }
    assert round_trip(database, kinds, values, 3) == [
        (1, "", None, [1.0, 2.0], "constant", None, 7.0),
        (2, "ü", 2.5, [3.0, 4.0], "constant", None, 8.0),
        (3, "three", None, [5.0, 6.0], "constant", None, 9.0),
    ]


@pytest.mark.parametrize("rows", [0, 1, 49_999, 50_000, 50_001, 120_000])
def test_blocks(database: psycopg.Connection[Any], rows: int) -> None:
    found = round_trip(database, {"n": INTEGER, "x": VARCHAR}, {"n": np.arange(rows), "x": "y"}, rows)
    assert [n for n, _ in found] == list(range(rows))


def test_columns_of_events() -> None:
    found = events.columns(
        Events(
            event_id=None,
            time=np.array([1.0]),
            time_mjd=np.array([51910.0]),
            ra=np.array([2.0]),
            dec=np.array([3.0]),
            energy=None,
            others=(EventArray("MULTIP", np.array([4]), None, None),),
        ),
        "7",
        "ivo://a/b?7",
        (Column("multip", INTEGER),),
    )
    constants = ("obs_id", "obs_publisher_did", "event_id", "energy")
    assert [found[name] for name in constants] == ["7", "ivo://a/b?7", None, None]
    arrays = {name: values.tolist() for name, values in found.items() if isinstance(values, np.ndarray)}
    assert arrays == {"time_mjd": [51910.0], "time_met": [1.0], "ra": [2.0], "dec": [3.0], "multip": [4]}
