"""Parquet files and Arrow streams are read back by pyarrow, with the metadata of VOParquet."""

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from astropy.io.votable import parse_single_table
from pyarrow import parquet

from schema.model import Column
from schema.types import DOUBLE, TYPES, Type
from tests.server.rowlists import VALUES, columns, result
from tests.xmlcheck import parsed
from vo_server.adql.translation import ResultColumn
from vo_server.errors import QueryTimeoutError
from vo_server.results import columnar
from vo_server.results.columnar import write_arrow, write_parquet
from vo_server.results.result import Result

Write = Callable[[Result], Iterator[bytes]]


def read(write: Write, answer: Result) -> pa.Table:
    octets = io.BytesIO(b"".join(write(answer)))
    return parquet.read_table(octets) if write is write_parquet else pa.ipc.open_stream(octets).read_all()


WRITERS = pytest.mark.parametrize("write", [write_parquet, write_arrow])


def same(cell: Any, value: Any) -> bool:
    if isinstance(value, list):
        return len(cell) == len(value) and all(same(c, v) for c, v in zip(cell, value, strict=True))
    if isinstance(value, float):
        return cell == pytest.approx(value, rel=1e-7, nan_ok=True)
    return bool(cell == value)


@WRITERS
@pytest.mark.parametrize("name", TYPES)
def test_values_and_nulls_come_back(name: str, write: Write) -> None:
    table = read(write, result(columns(name), [(v,) for v in [None, *VALUES[name], None]]))
    first, *values, last = table.column("c0").to_pylist()
    assert (first, last) == (None, None)
    assert all(same(c, v) for c, v in zip(values, VALUES[name], strict=True))


@WRITERS
def test_types_of_uploads(write: Write) -> None:
    kinds = {
        "boolean": ([1, None, 0], pa.bool_()),
        "unsignedByte": ([0, None, 255], pa.uint8()),
    }
    fields = [ResultColumn(n, Type("SMALLINT", n, None, None, "smallint")) for n in kinds]
    table = read(write, result(fields, list(zip(*(v for v, _ in kinds.values()), strict=True))))
    for name, (values, kind) in kinds.items():
        assert table.schema.field(name).type == kind
        assert table.column(name).to_pylist() == values


@WRITERS
def test_metadata_is_a_votable_without_rows(write: Write) -> None:
    fields = [Column("s_ra", DOUBLE, "Right ascension", "deg", "pos.eq.ra"), *columns("TIMESTAMP")]
    table = read(write, result(fields, [(1.0, datetime(2020, 1, 1))]))
    metadata = table.schema.metadata
    assert metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    document = metadata[b"IVOA.VOTable-Parquet.content"]
    parsed(document)
    declared = parse_single_table(io.BytesIO(document), verify="exception")
    assert [(f.name, f.ucd) for f in declared.fields] == [("s_ra", "pos.eq.ra"), ("c0", None)]
    assert table.schema.field("s_ra").metadata[b"unit"] == b"deg"


@WRITERS
def test_row_groups_and_cut_rows(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "_ROW_GROUP", 1)
    rows = [(n,) for n in range(9)]
    assert read(write, result(columns("INTEGER"), rows)).column(0).to_pylist() == list(range(9))
    assert read(write, result(columns("INTEGER"), rows, maxrec=4)).column(0).to_pylist() == [0, 1, 2, 3]
    assert read(write, result(columns("INTEGER"), [])).num_rows == 0
    assert read(write, result(columns("INTEGER"), rows, maxrec=0)).num_rows == 0


@WRITERS
def test_failure_breaks_off(write: Write) -> None:
    chunks = write(result(columns("INTEGER"), [(n,) for n in range(4)], failure=QueryTimeoutError()))
    with pytest.raises(QueryTimeoutError):
        list(chunks)
