"""Uploads that mean harm, and such as are too large: each is refused with a reason, soon."""

import base64
import gzip
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from tests.server.serving import free_socket, served, url_of
from tests.server.uploading import message_of, rows_of, send, votable
from vo_server.app import create_app
from vo_server.settings import Settings

INT = ['name="x" datatype="int"']
BOMB = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
WITH_ENTITIES = (
    "<!DOCTYPE VOTABLE [{}]><VOTABLE><RESOURCE><TABLE>"
    '<FIELD name="{}" datatype="int"/></TABLE></RESOURCE></VOTABLE>'
)


@pytest.fixture(scope="module")
def strict(module_settings: Settings) -> Iterator[httpx.Client]:
    """A server that accepts 1000 rows and 100 kB."""
    listener = free_socket()
    settings = replace(
        module_settings, public_url=url_of(listener), upload_rows=1000, upload_bytes=100_000, worker=False
    )
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.mark.parametrize(
    "content",
    [
        WITH_ENTITIES.format(f'<!ENTITY l0 "lol">{BOMB}', "&l9;"),
        WITH_ENTITIES.format('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;"),
        WITH_ENTITIES.format('<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;', "a"),
    ],
)
def test_entities(client: httpx.Client, content: str) -> None:
    message = message_of(send(client, content.encode()))
    assert message == "UPLOAD t: the VOTable declares entities, which are not accepted"


def test_a_document_type_that_is_only_named(client: httpx.Client) -> None:
    """As VOTable 1.0 did; nothing is read from there."""
    table = votable(INT, [["1"]], version="1.0").replace(b'<?xml version="1.0"?>', b"")
    content = b'<!DOCTYPE VOTABLE SYSTEM "http://127.0.0.1:1/VOTable.dtd">' + table
    assert rows_of(send(client, content, RESPONSEFORMAT="csv")) == [["1"]]
    hidden = content.replace(b"<TD>1</TD>", b"<TD>&one;</TD>")
    assert message_of(send(client, hidden)).startswith("UPLOAD t: the VOTable refers to an entity &one;")


def test_depth(client: httpx.Client) -> None:
    content = b"<VOTABLE>" + b"<RESOURCE>" * 100_000
    assert message_of(send(client, content)) == "UPLOAD t: the XML is nested more than 64 elements deep"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ('<BINARY><STREAM href="file:///etc/passwd"/></BINARY>', "the data of the VOTable are elsewhere"),
        ('<FITS><STREAM href="http://127.0.0.1:1/"/></FITS>', "the data of the VOTable are elsewhere"),
        ('<BINARY><STREAM encoding="gzip">AAAA</STREAM></BINARY>', "encoding='gzip' is not accepted"),
        ('<BINARY><STREAM encoding="base64">A</STREAM></BINARY>', "not valid base64"),
        (
            "<TABLEDATA><TR><TD>1</TD><TD>2</TD></TR></TABLEDATA>",
            "row 1 has 2 cells; the table has 1 columns",
        ),
        ("<TABLEDATA><TR><TD>1</TD>", "not well-formed XML"),
    ],
)
def test_data_that_are_not_there(client: httpx.Client, data: str, told: str) -> None:
    assert told in message_of(send(client, votable(INT, data=data)))


@pytest.mark.parametrize("size", ["2147483647", "99999999999999999999", "*"])
def test_promises_of_large_arrays(client: httpx.Client, size: str) -> None:
    stream = base64.b64encode(b"\x7f\xff\xff\xff" * 4).decode()
    for kind in ("int", "char", "unicodeChar", "bit", "boolean"):
        data = f'<BINARY><STREAM encoding="base64">{stream}</STREAM></BINARY>'
        content = votable([f'name="x" datatype="{kind}" arraysize="{size}"'], data=data)
        assert "row 1, column x: the STREAM ends" in message_of(send(client, content))


@pytest.mark.parametrize("size", ["0", "0x2", "-1", "x", "2x", "*x2", "1e9"])
def test_sizes_that_are_none(client: httpx.Client, size: str) -> None:
    content = votable([f'name="x" datatype="int" arraysize="{size}"'], [["1"]])
    assert f"column x: arraysize='{size}'" in message_of(send(client, content))


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (gzip.compress(b"x\n1\n"), "gzip is not accepted; these formats are: FITS, Parquet, VOTable, CSV"),
        (zipped(), "ZIP is not accepted"),
        (b"# %ECSV 1.0\n", "ECSV is not accepted"),
        (b"\x00\x01\x02", "the format of the file is not known"),
        (b"<html><body/></html>", "the XML is no VOTable: it begins with <html>"),
        (b"<VOTABLE/>", "the VOTable has no TABLE"),
        (b"<VOTABLE><RESOURCE><TABLE/></RESOURCE></VOTABLE>", "the TABLE has no FIELD"),
        (b"SIMPLE  =                    T" + b" " * 3000, "the FITS file cannot be read"),
        (b"PAR1 and nothing else PAR1", "the Parquet file cannot be read"),
        (b"a,b\n1\n", "the text is no table of comma-separated values"),
        (b"a,b\n1,\xff\n", "the text is not UTF-8 (at byte 6)"),
    ],
)
def test_what_is_no_table(client: httpx.Client, content: bytes, told: str) -> None:
    assert message_of(send(client, content)).startswith(f"UPLOAD t: {told}")


def damaged() -> Iterator[bytes]:
    """A Parquet file with one octet of its metadata changed, again and again."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [1, 2], "y": ["a", "b"]}), buffer)
    whole = buffer.getvalue()
    for at in range(len(whole) - 300, len(whole) - 8, 40):
        yield whole[:at] + bytes([whole[at] ^ 0x15]) + whole[at + 1 :]


def test_damaged_parquet_does_not_take_the_server_down(client: httpx.Client) -> None:
    assert {send(client, content).status_code for content in damaged()} <= {200, 400}
    assert rows_of(send(client, b"x\n1\n", RESPONSEFORMAT="csv")) == [["1"]]


@pytest.mark.parametrize(
    ("card", "value"),
    [("NAXIS2  =", "99999"), ("TFORM1  =", "'Q!'"), ("TFIELDS =", "-1"), ("TFORM1  =", "'PJ(9)'")],
)
def test_damaged_fits(client: httpx.Client, card: str, value: str) -> None:
    buffer = io.BytesIO()
    columns = [fits.Column("x", "J", array=[1, 2])]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(buffer)
    head, _, tail = buffer.getvalue().partition(card.encode())
    content = head + f"{card} {value:>20}".encode() + tail[21:]
    assert message_of(send(client, content)).startswith("UPLOAD t: ")


def test_rows_are_limited(strict: httpx.Client) -> None:
    rows = [["1"]] * 1001
    told = "this service accepts 1000 rows (uploadLimit)"
    assert message_of(send(strict, votable(INT, rows)), 413) == f"UPLOAD t: the table has more rows; {told}"
    text = b"x\n" + b"1\n" * 1001
    assert message_of(send(strict, text), 413) == f"UPLOAD t: the table has 1001 rows; {told}"
    octets = base64.b64encode(bytes(4004)).decode()
    data = f'<BINARY><STREAM encoding="base64">{octets}</STREAM></BINARY>'
    assert told in message_of(send(strict, votable(INT, data=data)), 413)
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [1] * 1001}), buffer)
    assert message_of(send(strict, buffer.getvalue()), 413) == f"UPLOAD t: the table has 1001 rows; {told}"
    assert len(rows_of(send(strict, votable(INT, rows[1:]), RESPONSEFORMAT="csv"))) == 1000


def test_bytes_are_limited(strict: httpx.Client) -> None:
    content = votable(INT, [["1"]]) + b" " * 100_000
    assert message_of(send(strict, content), 413) == (
        f"UPLOAD t: the file has {len(content)} bytes; this service accepts 100000 bytes (uploadLimit)"
    )


def test_what_grows_when_unpacked_is_limited(strict: httpx.Client) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": ["y" * 2000] * 999}), buffer)
    assert len(buffer.getvalue()) < 100_000
    assert "bytes when unpacked; this service accepts 800000" in message_of(
        send(strict, buffer.getvalue()), 413
    )
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [[0] * 2000] * 999}), buffer)
    assert "bytes when unpacked" in message_of(send(strict, buffer.getvalue()), 413)
