"""CSV and TSV are read back by the standard library's reader."""

import csv
import io
from datetime import datetime
from functools import partial

import numpy as np
import pytest

from tests.server.rowlists import columns, result
from vo_server.errors import QueryTimeoutError
from vo_server.results.text import write_csv, write_tsv

ROWS = [
    ("a,b", 1, 0.1, 0.1, [1.0, 2.5], datetime(2004, 3, 26, 22, 11, 5)),
    ('quoted "x"\nand\ttab', None, None, None, None, None),
    ("日本", 2**63 - 1, float("nan"), float("-inf"), [], datetime(2020, 1, 1, 0, 0, 0, 123456)),
]
TYPES = ("VARCHAR", "BIGINT", "DOUBLE PRECISION", "REAL", "DOUBLE PRECISION[]", "TIMESTAMP")
TEXT = [
    ["a,b", "1", "0.1", "0.1", "1.0 2.5", "2004-03-26T22:11:05"],
    ['quoted "x"\nand\ttab', "", "", "", "", ""],
    ["日本", "9223372036854775807", "NaN", "-Inf", "", "2020-01-01T00:00:00.123456"],
]


def test_csv() -> None:
    text = b"".join(write_csv(result(columns(*TYPES), ROWS))).decode()
    assert "\r\n" in text
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["c0", "c1", "c2", "c3", "c4", "c5"], *TEXT]


def test_csv_without_header() -> None:
    text = b"".join(partial(write_csv, header=False)(result(columns(*TYPES), ROWS[:1]))).decode()
    assert text == '"a,b",1,0.1,0.1,1.0 2.5,2004-03-26T22:11:05\r\n'


@pytest.mark.parametrize("name", ["REAL", "DOUBLE PRECISION"])
def test_numbers_are_short_and_read_back(name: str) -> None:
    exact = [0.0, -0.0, 1.0, -3.0, 0.1, 1e-5, 1.5e-7, 16777216.0, 1e14, 999999999999999.0, 1e15, 1e22, 1e30]
    dtype = np.float32 if name == "REAL" else np.float64
    rounded = [float(dtype(v)) for v in exact]
    text = b"".join(write_csv(result(columns(name), [(v,) for v in rounded]), header=False)).decode().split()
    assert [str(dtype(t)) for t in text] == [str(dtype(v)) for v in rounded]
    assert text[:6] == ["0.0", "-0.0", "1.0", "-3.0", "0.1", "0.00001"]
    assert all("." in t or "e" in t for t in text)


def test_tsv_has_no_tabs_in_values() -> None:
    lines = b"".join(write_tsv(result(columns(*TYPES), ROWS))).decode().splitlines()
    assert lines[0].split("\t") == ["c0", "c1", "c2", "c3", "c4", "c5"]
    assert lines[2].split("\t") == ['quoted "x" and tab', "", "", "", "", ""]
    assert len(lines) == 4


@pytest.mark.parametrize("write", [write_csv, write_tsv])
def test_rows_stop_at_maxrec(write: object) -> None:
    text = b"".join(write(result(columns("INTEGER"), [(n,) for n in range(9)], maxrec=4)))  # type: ignore[operator] # either writer
    assert text.decode().split() == ["c0", "0", "1", "2", "3"]


@pytest.mark.parametrize("write", [write_csv, write_tsv])
def test_failure_in_mid_stream_breaks_off(write: object) -> None:
    failing = result(columns("INTEGER"), [(n,) for n in range(4)], failure=QueryTimeoutError())
    chunks = write(failing)  # type: ignore[operator] # either writer
    with pytest.raises(QueryTimeoutError):
        list(chunks)
