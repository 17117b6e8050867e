"""Uploaded tables come back unchanged, whatever their types, names and serialisations."""

import base64
import io
import math
import struct

import httpx
import numpy as np
import pytest
import pyvo
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table
from lxml import etree

from tests.server.uploading import NS, message_of, rows_of, send, table_of, votable
from tests.xmlcheck import parsed

SCALARS = {
    "boolean": ["T", "F", None],
    "unsignedByte": ["0", "255", None],
    "short": ["-32768", "32767", None],
    "int": ["-2147483648", "2147483647", None],
    "long": ["-9223372036854775808", "9223372036854775807", None],
    "float": ["0.1", "NaN", None],
    "double": ["0.1", "+Inf", None],
}
ARRAYS = [
    ("short", "2", ["1 2", "-3 4", None]),
    ("int", "*", ["1", "1 2 3", None]),
    ("long", "2x3", ["1 2 3 4 5 6", "9007199254740993 0 0 0 0 0", None]),
    ("float", "2*", ["0.1", "0.1 0.2", None]),
    ("double", "2x*", ["0.1 0.2", "1.0 2.0 3.0 4.0", None]),
    ("unsignedByte", "*", ["1 255", "0", None]),
]
GEOMETRIES = [
    ("point", "2", "10.1 -20.3"),
    ("circle", "3", "10.1 -20.3 0.7"),
    ("polygon", "*", "10.1 0.1 20.3 0.1 20.3 10.7 10.1 10.7"),
    ("interval", "2", "0.1 +Inf"),
]
META = 'unit="km/s" ucd="phys.veloc" utype="x:y.z"'


def attributes(answer: httpx.Response) -> list[dict[str, str]]:
    """Those of the FIELDs in the answer."""
    return [dict(f.attrib) for f in parsed(answer.content).iterfind(".//v:FIELD", NS)]


def cells(answer: httpx.Response) -> list[list[str | None]]:
    """The text of each TD."""
    assert answer.status_code == 200, answer.text
    return [[td.text for td in tr] for tr in parsed(answer.content).iterfind(".//v:TR", NS)]


@pytest.mark.parametrize("datatype", SCALARS)
def test_scalars(client: httpx.Client, datatype: str) -> None:
    content = votable([f'name="x" datatype="{datatype}" {META}'], [[c] for c in SCALARS[datatype]])
    answer = send(client, content, RESPONSEFORMAT="votable/td")
    assert [row[0] for row in cells(answer)] == SCALARS[datatype]
    wanted = {"name": "x", "datatype": datatype, "unit": "km/s", "ucd": "phys.veloc", "utype": "x:y.z"}
    assert attributes(answer) == [wanted]
    sent, back = (table_of(a) for a in (answer, send(client, content)))
    assert sent.array.tolist()[2] == back.array.tolist()[2] == (None,)
    np.testing.assert_array_equal(sent.array["x"], back.array["x"])


@pytest.mark.parametrize(("datatype", "arraysize", "values"), ARRAYS)
def test_arrays(client: httpx.Client, datatype: str, arraysize: str, values: list[str | None]) -> None:
    content = votable([f'name="x" datatype="{datatype}" arraysize="{arraysize}"'], [[v] for v in values])
    answer = send(client, content, RESPONSEFORMAT="votable/td")
    assert [row[0] for row in cells(answer)] == values
    declared = attributes(answer)[0]
    assert declared["arraysize"] == arraysize
    assert declared["datatype"] == ("short" if datatype == "unsignedByte" else datatype)
    if arraysize != "2x*":  # of which astropy takes the number of elements for that of pairs
        assert len(table_of(send(client, content)).array) == 3


@pytest.mark.parametrize(("xtype", "arraysize", "value"), GEOMETRIES)
def test_dali_geometries(client: httpx.Client, xtype: str, arraysize: str, value: str) -> None:
    field = f'name="g" datatype="double" arraysize="{arraysize}" xtype="{xtype}"'
    answer = send(client, votable([field], [[value], [None]]), RESPONSEFORMAT="votable/td")
    assert cells(answer) == [[value], [None]]
    assert attributes(answer) == [
        {"name": "g", "datatype": "double", "arraysize": arraysize, "xtype": xtype}
        | ({"ref": "icrs"} if xtype != "interval" else {})
    ]


def test_geometries_are_such(client: httpx.Client) -> None:
    fields = [
        'name="p" datatype="double" arraysize="2" xtype="point"',
        'name="c" datatype="double" arraysize="3" xtype="circle"',
        'name="r" datatype="char" arraysize="*" xtype="adql:REGION"',
    ]
    content = votable(
        fields, [["10 0", "10 0.5 1", "Circle ICRS 50 0 1"], ["50 0", "10 0 1", "Circle ICRS 50 0 1"]]
    )
    query = "SELECT CONTAINS(p, c) AS a, CONTAINS(p, r) AS b FROM TAP_UPLOAD.t"
    assert rows_of(send(client, content, query, RESPONSEFORMAT="csv")) == [["1", "0"], ["0", "1"]]
    region = send(client, content, "SELECT r FROM TAP_UPLOAD.t", RESPONSEFORMAT="votable/td")
    assert attributes(region)[0]["xtype"] == "adql:REGION"
    assert cells(region)[0] == ["Circle ICRS 50 0 1"]


def test_regions(client: httpx.Client) -> None:
    """Text beyond the subset of STC-S is returned as it is, and contains nothing."""
    values = ["Circle ICRS 10 0 1", "Polygon ICRS 9 -1 11 -1 11 1 9 1", "Box ICRS 10 0 2 2", None]
    values += ["Circle GALACTIC 10 0 1", "Position ICRS 10 0", "Circle ICRS 10 0 181", "hello"]
    content = votable(['name="r" datatype="char" arraysize="*" xtype="adql:REGION"'], [[v] for v in values])
    answer = send(client, content, RESPONSEFORMAT="votable/td")
    assert [row[0] for row in cells(answer)] == values
    query = "SELECT r FROM TAP_UPLOAD.t WHERE CONTAINS(POINT(10.1, 0.1), r) = 1"
    answer = send(client, content, query, RESPONSEFORMAT="votable/td")
    assert [row[0] for row in cells(answer)] == values[:3]
    # The galactic (10, 0) is at (271.94, -20.29).
    query = "SELECT r FROM TAP_UPLOAD.t WHERE CONTAINS(POINT(271.94, -20.29), r) = 1"
    answer = send(client, content, query, RESPONSEFORMAT="votable/td")
    assert [row[0] for row in cells(answer)] == ["Circle GALACTIC 10 0 1"]


def test_regions_of_more_than_a_hemisphere(client: httpx.Client) -> None:
    values = [
        "Circle ICRS 10 0 100",
        "Circle GALACTIC 10 0 180",
        "Circle ICRS 190 0 179",
        "Circle ICRS 0 0 181",
    ]
    content = votable(['name="r" datatype="char" arraysize="*" xtype="adql:REGION"'], [[v] for v in values])
    query = "SELECT CONTAINS(POINT(10.1, 0.1), r), CONTAINS(POINT(110.1, 0), r), AREA(r) FROM TAP_UPLOAD.t"
    *rows, unknown = rows_of(send(client, content, query, RESPONSEFORMAT="csv"))
    assert [row[:2] for row in rows] == [["1", "0"], ["1", "1"], ["0", "1"]]
    steradian = (180 / math.pi) ** 2
    for row, radius in zip(rows, (100, 180, 179), strict=True):
        area = 2 * math.pi * (1 - math.cos(math.radians(radius))) * steradian
        assert float(row[2]) == pytest.approx(area, rel=1e-12)
    assert unknown == ["", "", ""]


def test_timestamps(client: httpx.Client) -> None:
    field = 'name="d" datatype="char" arraysize="*" xtype="timestamp"'
    values = ["2020-01-01T00:00:00", "2021-02-03T04:05:06.789", "2022-01-01T00:00:00.000001", None]
    content = votable([field], [[v] for v in values])
    answer = send(client, content, RESPONSEFORMAT="votable/td")
    assert [row[0] for row in cells(answer)] == values
    assert attributes(answer)[0]["xtype"] == "timestamp"
    query = "SELECT d FROM TAP_UPLOAD.t WHERE d > '2021-06-01T00:00:00'"
    assert rows_of(send(client, content, query, RESPONSEFORMAT="csv")) == [["2022-01-01T00:00:00.000001"]]


def test_text(client: httpx.Client) -> None:
    fields = ['name="c" datatype="char" arraysize="*"', 'name="u" datatype="unicodeChar" arraysize="16*"']
    values = ['a "b" \\N <&> \t,', "Ångström \N{GRINNING FACE}"]
    content = votable([*fields, 'name="n" datatype="char" arraysize="*"'], [[*values, "é"]])
    for answer in (send(client, content), send(client, content, RESPONSEFORMAT="votable/td")):
        assert list(table_of(answer).array[0]) == [*values, "é"]
        assert [f["datatype"] for f in attributes(answer)] == ["char", "unicodeChar", "unicodeChar"]
        assert [f["arraysize"] for f in attributes(answer)] == ["*", "16*", "*"]


def test_nulls_that_values_declares(client: httpx.Client) -> None:
    field = '<FIELD name="x" datatype="int"><DESCRIPTION>a\n b</DESCRIPTION><VALUES null="-1"/></FIELD>'
    answer = send(client, votable([field], [["-1"], ["0x1F"]], version="1.1"), RESPONSEFORMAT="votable/td")
    assert cells(answer) == [[None], ["31"]]
    assert parsed(answer.content).findtext(".//v:FIELD/v:DESCRIPTION", namespaces=NS) == "a b"


def test_names(client: httpx.Client) -> None:
    long = "x" * 100
    names = ["a b", 'q"t', "größe", "select", "Ra", "RA", "ra", "dup", "dup", long]
    root = etree.fromstring(votable([f'name="n{i}" datatype="int"' for i in range(len(names))]))
    for name, field in zip(names, root.iterfind(".//v:FIELD", NS), strict=True):
        field.set("name", name)
    content = etree.tostring(root)
    returned = [f["name"] for f in attributes(send(client, content))]
    assert returned == [*names[:8], "dup_2", long]
    query = f'SELECT "a b", "q""t", "größe", "select", "Ra", ra, dup_2, {long} FROM TAP_UPLOAD.t'
    answer = send(client, content, query)
    assert [f["name"] for f in attributes(answer)][:7] == [
        "a b",
        'q"t',
        "größe",
        "select",
        "Ra",
        "ra",
        "dup_2",
    ]


def test_a_thousand_columns_and_no_rows(client: httpx.Client) -> None:
    fields = [f'name="c{i}" datatype="double"' for i in range(1000)]
    assert len(attributes(send(client, votable(fields)))) == 1000
    answer = send(client, votable(fields, [[str(float(i)) for i in range(1000)]]), RESPONSEFORMAT="csv")
    assert rows_of(answer) == [[str(float(i)) for i in range(1000)]]
    message = message_of(send(client, votable([f'name="c{i}" datatype="int"' for i in range(1501)])))
    assert message == "UPLOAD t: the table has more than 1500 columns"


def test_binary_of_all_kinds(client: httpx.Client) -> None:
    fields = [
        'name="i" datatype="int"',
        'name="d" datatype="double"',
        'name="s" datatype="char" arraysize="*"',
    ]
    fields += ['name="b" datatype="boolean"', 'name="f" datatype="char" arraysize="4"']
    fields += ['name="v" datatype="float" arraysize="*"', 'name="u" datatype="unicodeChar" arraysize="*"']
    values = struct.pack(">id", 7, float("nan")) + b"\0\0\0\2xy" + b"T" + b"ab\0\0"
    values += struct.pack(">i2f", 2, 0.5, 1.5) + struct.pack(">i", 1) + "é".encode("utf-16-be")
    rows = b"\x00" + values + b"\xfe" + values
    stream = f'<BINARY2><STREAM encoding="base64">{base64.encodebytes(rows).decode()}</STREAM></BINARY2>'
    answer = send(client, votable(fields, data=stream), RESPONSEFORMAT="votable/td")
    whole = ["7", "NaN", "xy", "T", "ab", "0.5 1.5", "é"]
    assert cells(answer) == [whole, [None] * 7]
    stream = f'<BINARY><STREAM encoding="base64">{base64.b64encode(values * 2).decode()}</STREAM></BINARY>'
    answer = send(client, votable(fields, data=stream, version="1.2"), RESPONSEFORMAT="votable/td")
    assert cells(answer) == [whole, whole]
    cut = f'<BINARY><STREAM encoding="base64">{base64.b64encode(values[:-1]).decode()}</STREAM></BINARY>'
    message = message_of(send(client, votable(fields, data=cut)))
    assert message == "UPLOAD t: row 1, column u: the STREAM ends in the middle of the row"


def sample() -> Table:
    table = Table({"id": np.arange(3), "name": ["a", "b", "c"], "ra": [1.5, 2.25, 3.1]})
    table["flag"] = [True, False, True]
    table["pair"] = np.arange(6.0).reshape(3, 2)
    table["n"] = MaskedColumn([1, 2, 3], mask=[False, True, False], dtype="i2", fill_value=-1)
    return table


SAMPLE = [
    ["0", "a", "1.5", "0.0 1.0", "1"],
    ["1", "b", "2.25", "2.0 3.0", ""],
    ["2", "c", "3.1", "4.0 5.0", "3"],
]
COLUMNS = "SELECT id, name, ra, pair, n FROM TAP_UPLOAD.t ORDER BY id"


@pytest.mark.parametrize("serialisation", ["tabledata", "binary2"])
@pytest.mark.parametrize("version", ["1.3", "1.4", "1.5"])
def test_what_astropy_writes(client: httpx.Client, serialisation: str, version: str) -> None:
    buffer = io.BytesIO()
    document = from_table(sample())
    document.version = version
    document.to_xml(buffer, tabledata_format=serialisation)
    assert rows_of(send(client, buffer.getvalue(), COLUMNS, RESPONSEFORMAT="csv")) == SAMPLE


def fits_sample() -> bytes:
    buffer = io.BytesIO()
    sample().write(buffer, format="fits")
    return buffer.getvalue()


def test_fits(client: httpx.Client) -> None:
    hdus = fits.open(io.BytesIO(fits_sample()))
    hdus[1].header["TUCD3"] = "pos.eq.ra;meta.main"
    hdus[1].header["TUNIT3"] = "deg"
    buffer = io.BytesIO()
    hdus.writeto(buffer)
    assert rows_of(send(client, buffer.getvalue(), COLUMNS, RESPONSEFORMAT="csv")) == SAMPLE
    declared = attributes(send(client, buffer.getvalue(), "SELECT ra FROM TAP_UPLOAD.t"))
    wanted = {"name": "ra", "datatype": "double", "unit": "deg", "ucd": "pos.eq.ra;meta.main", "ref": "icrs"}
    assert declared == [wanted]


def test_fits_in_a_votable(client: httpx.Client) -> None:
    names = ["id", "name", "ra", "flag", "pair", "n"]
    types = ["long", 'char" arraysize="*', "double", "boolean", 'double" arraysize="2', "short"]
    fields = [f'name="{n}" datatype="{t}"' for n, t in zip(names, types, strict=True)]
    stream = base64.b64encode(fits_sample()).decode()
    data = f'<FITS extnum="1"><STREAM encoding="base64">{stream}</STREAM></FITS>'
    assert rows_of(send(client, votable(fields, data=data), COLUMNS, RESPONSEFORMAT="csv")) == SAMPLE


def test_pyvo(client: httpx.Client) -> None:
    service = pyvo.dal.TAPService(str(client.base_url.join("/tap")))
    found = service.search(COLUMNS, uploads={"t": sample()})
    assert found["id"].tolist() == [0, 1, 2]
    assert found["name"].tolist() == ["a", "b", "c"]
    assert found["n"].tolist() == [1, None, 3]


def test_two_tables_and_one_part_twice(client: httpx.Client) -> None:
    query = "SELECT a.x, b.x AS y FROM TAP_UPLOAD.a AS a JOIN TAP_UPLOAD.b AS b ON a.x + 1 = b.x"
    form = {"LANG": "ADQL", "QUERY": query, "UPLOAD": ["a,param:p;b,param:p"], "RESPONSEFORMAT": "csv"}
    answer = client.post("/tap/sync", data=form, files={"p": ("p.csv", b"x\n1\n2\n")})
    assert rows_of(answer) == [["1", "2"]]


@pytest.mark.parametrize(
    ("upload", "told"),
    [
        ("t", "UPLOAD='t' is incomplete"),
        ("t,", "is incomplete"),
        ("1t,param:table", "'1t' is no name for a table"),
        ("a.t,param:table", "'a.t' is no name for a table"),
        ("TAP_UPLOAD.t,param:table", "write the name without its schema, t,param:table"),
        ("t,ftp://a/b", "which is no place to read from"),
        ("t,param:other", "the request has no part named 'other'; parts that it has: "),
        ("t,param:table;T,param:table", "the table name T is given twice"),
    ],
)
def test_wrong_parameters(client: httpx.Client, upload: str, told: str) -> None:
    assert told in message_of(send(client, b"x\n1\n", UPLOAD=upload))


@pytest.mark.parametrize(
    ("datatype", "value", "told"),
    [
        ("int", "abc", "row 2, column x: 'abc' is no int"),
        ("short", "40000", "row 2, column x: '40000' is no short (it goes from -32768 to 32767)"),
        ("double", "1,5", "row 2, column x: '1,5' is no double"),
        ("boolean", "maybe", "row 2, column x: 'maybe' is no boolean"),
        ('double" arraysize="2', "1", "row 2, column x: '1' is no double[2] (it has 1 elements, not 2)"),
        ('char" arraysize="*" xtype="timestamp', "soon", "row 2, column x: 'soon' is no timestamp"),
        (
            'char" arraysize="*" xtype="timestamp',
            "2020-13-01",
            "row 2, column x: date/time field value out of",
        ),
        (
            'double" arraysize="2" xtype="point',
            "0 91",
            "row 2, column x: [0.0, 91.0] is a point with a latitude",
        ),
        ("floatComplex", "1 2", "column x: complex numbers are not accepted"),
        ("string", "x", "column x: datatype='string' is none of VOTable's"),
    ],
)
def test_wrong_values(client: httpx.Client, datatype: str, value: str, told: str) -> None:
    content = votable([f'name="x" datatype="{datatype}"'], [[None], [value]])
    assert message_of(send(client, content)).startswith(f"UPLOAD t: {told}")
