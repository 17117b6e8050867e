"""Uploads as CSV, tab-separated text and Parquet."""

import datetime
import io

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.server.test_upload import attributes, cells
from tests.server.uploading import message_of, send, votable

CSV = """id,"ra, deg",name,seen,code,empty
1,2.5,"x ""y""
z",2020-01-01,007,
2,,,2020-02-03T04:05:06,010,
-3,1e5,"",,1,
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv(client: httpx.Client, end: str) -> None:
    answer = send(client, CSV.replace("\n", end).encode("utf-8-sig"), RESPONSEFORMAT="votable/td")
    types = [(f["name"], f["datatype"], f.get("xtype")) for f in attributes(answer)]
    assert types == [
        ("id", "long", None),
        ("ra, deg", "double", None),
        ("name", "char", None),
        ("seen", "char", "timestamp"),
        ("code", "char", None),
        ("empty", "char", None),
    ]
    first, second, third = cells(answer)
    assert first == ["1", "2.5", f'x "y"{end}z', "2020-01-01T00:00:00", "007", None]
    assert second == ["2", None, None, "2020-02-03T04:05:06", "010", None]
    assert third == ["-3", "100000.0", None, None, "1", None]
    query = "SELECT id FROM TAP_UPLOAD.t WHERE name IS NULL"
    assert cells(send(client, CSV.encode(), query, RESPONSEFORMAT="votable/td")) == [["2"]]


def test_types_fit_all_rows(client: httpx.Client) -> None:
    text = "a,b,c\n" + "1,1,1\n" * 50_000 + "1.5,x,99999999999999999999\n"
    answer = send(client, text.encode(), "SELECT TOP 1 * FROM TAP_UPLOAD.t")
    assert [f["datatype"] for f in attributes(answer)] == ["double", "char", "double"]


def test_tabs(client: httpx.Client) -> None:
    answer = send(client, "a\tb\n1\té\n".encode(), RESPONSEFORMAT="votable/td")
    assert [f["datatype"] for f in attributes(answer)] == ["long", "unicodeChar"]
    assert cells(answer) == [["1", "é"]]


def parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def test_parquet(client: httpx.Client) -> None:
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 600_000)
    table = pa.table(
        {
            "i": pa.array([1, None], pa.int32()),
            "u": pa.array([255, 0], pa.uint8()),
            "f": pa.array([0.1, float("nan")], pa.float32()),
            "s": ["é", None],
            "b": [True, None],
            "t": pa.array([moment, None], pa.timestamp("ns")),
            "l": pa.array([[1.5, 2.5], None], pa.list_(pa.float64())),
            "p": pa.array([[1.5, 2.5], None], pa.list_(pa.float64(), 2)),
        }
    )
    answer = send(client, parquet(table), RESPONSEFORMAT="votable/td")
    assert cells(answer) == [
        ["1", "255", "0.1", "é", "T", "2020-01-02T03:04:05.600", "1.5 2.5", "1.5 2.5"],
        [None, "0", "NaN", None, None, None, None, None],
    ]
    types = [(f["datatype"], f.get("arraysize")) for f in attributes(answer)]
    assert types[:4] == [("int", None), ("unsignedByte", None), ("float", None), ("unicodeChar", "*")]
    assert types[4:] == [("boolean", None), ("char", "*"), ("double", "*"), ("double", "2")]


def test_voparquet(client: httpx.Client) -> None:
    head = votable(['name="p" datatype="double" arraysize="2" xtype="point" unit="deg" ucd="pos.eq"'])
    metadata = {"IVOA.VOTable-Parquet.version": "1.0", "IVOA.VOTable-Parquet.content": head}
    table = pa.table({"p": pa.array([[1.5, 2.5]], pa.list_(pa.float64()))}).replace_schema_metadata(metadata)
    answer = send(client, parquet(table), RESPONSEFORMAT="votable/td")
    known = {"name": "p", "datatype": "double", "arraysize": "2", "xtype": "point", "unit": "deg"}
    assert attributes(answer) == [known | {"ucd": "pos.eq", "ref": "icrs"}]
    assert cells(answer) == [["1.5 2.5"]]


def test_parquet_types_that_are_not_accepted(client: httpx.Client) -> None:
    table = pa.table({"x": [{"a": 1}]})
    told = "UPLOAD t: column x: the Parquet type struct<a: int64> is not accepted"
    assert message_of(send(client, parquet(table))) == told
