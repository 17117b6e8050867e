"""Results as JSON are read back by the standard library, strictly."""

import json
import math
from typing import Any

import pytest

from schema.model import Column
from schema.types import DOUBLE, TYPES, Type
from tests.server.rowlists import VALUES, columns, result
from vo_server.adql.translation import ResultColumn
from vo_server.errors import QueryTimeoutError
from vo_server.results.cells import timestamp
from vo_server.results.jsontable import write_json
from vo_server.results.result import Result

NUMBERS = {math.inf: "Infinity", -math.inf: "-Infinity"}


def read(answer: Result) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(b"".join(write_json(answer)), parse_constant=refuse)


def expected(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return ["NaN" if isinstance(v, float) and math.isnan(v) else v for v in value]
    return timestamp(value) if name == "TIMESTAMP" else NUMBERS.get(value, value)


@pytest.mark.parametrize("name", TYPES)
def test_values_and_nulls_come_back(name: str) -> None:
    document = read(result(columns(name), [(v,) for v in [None, *VALUES[name], None]]))
    assert document["data"] == [[None], *([expected(name, v)] for v in VALUES[name]), [None]]
    assert document["overflow"] is False


def test_text_of_all_kinds() -> None:
    texts = ['quo"ted', "back\\slash", "tab\tline\ncontrol\x01", "日本 😀", "", "\u2028"]
    assert read(result(columns("VARCHAR"), [(t,) for t in texts]))["data"] == [[t] for t in texts]


def test_arrays_with_missing_elements_and_booleans() -> None:
    boolean = ResultColumn("b", Type("SMALLINT", "boolean", None, None, "smallint"))
    rows = [([1, None], 1), ([], None), (None, 0)]
    document = read(result([*columns("INTEGER[]"), boolean], rows))
    assert document["data"] == [[[1, None], True], [[], None], [None, False]]


def test_metadata() -> None:
    document = read(result([Column("s_ra", DOUBLE, 'A "b"', "deg", "pos.eq.ra"), *columns("POINT")], []))
    assert document == {
        "metadata": [
            {"name": "s_ra", "datatype": "double", "unit": "deg", "ucd": "pos.eq.ra", "description": 'A "b"'},
            {"name": "c0", "datatype": "double", "arraysize": "2", "xtype": "point"},
        ],
        "data": [],
        "overflow": False,
    }


def test_overflow() -> None:
    document = read(result(columns("INTEGER"), [(n,) for n in range(9)], maxrec=4))
    assert (document["data"], document["overflow"]) == ([[0], [1], [2], [3]], True)


def test_failure_breaks_off() -> None:
    chunks = write_json(result(columns("INTEGER"), [(n,) for n in range(4)], failure=QueryTimeoutError()))
    with pytest.raises(QueryTimeoutError):
        list(chunks)
