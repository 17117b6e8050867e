"""Results as Parquet and as an Arrow stream, with the columns' metadata as a VOTable without rows.

Source: VOParquet 1.0 (IVOA note of January 2025). A failure in mid-stream breaks the transfer off before the
end mark that both formats have.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from schema.types import Type
from vo_server.results import arrow
from vo_server.results.result import Result
from vo_server.results.votable import metadata_document

_ROW_GROUP: Final = 8 << 20
"""Bytes of rows that are gathered for one row group of Parquet."""

_OTHERS: Final = {"boolean": pa.bool_(), "unsignedByte": pa.uint8()}
"""Types that arrive as short integers."""


def write_parquet(result: Result) -> Iterator[bytes]:
    """The result in row groups of about 8 MB before compression (snappy)."""
    schema, pieces = _schema(result), _Pieces()
    with parquet.ParquetWriter(pa.PythonFile(pieces, "w"), schema, compression="snappy") as writer:
        for table in _tables(result, schema):
            writer.write_table(table, row_group_size=len(table))
            yield pieces.taken()
    yield pieces.taken()


def write_arrow(result: Result) -> Iterator[bytes]:
    """The result in the Arrow IPC streaming format."""
    schema, pieces = _schema(result), _Pieces()
    with closing(pa.ipc.new_stream(pa.PythonFile(pieces, "w"), schema)) as writer:
        for batch in result.batches():
            writer.write_batch(_typed(result, batch, schema))
            yield pieces.taken()
    yield pieces.taken()


class _Pieces:
    """A file whose content is taken away while it is written."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep a copy of the data."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits elsewhere."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _tables(result: Result, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows in portions of _ROW_GROUP bytes."""
    gathered: list[pa.RecordBatch] = []
    for batch in result.batches():
        gathered.append(_typed(result, batch, schema))
        if sum(b.nbytes for b in gathered) >= _ROW_GROUP:
            yield pa.Table.from_batches(gathered, schema)
            gathered = []
    if gathered:
        yield pa.Table.from_batches(gathered, schema)


def _schema(result: Result) -> pa.Schema:
    """The types that the columns are declared with, and what is said about them."""
    document = metadata_document(result)
    metadata = {"IVOA.VOTable-Parquet.version": "1.0", "IVOA.VOTable-Parquet.content": document}
    fields = []
    for column in result.columns:
        told = {"unit": column.unit, "ucd": column.ucd, "utype": column.utype, "xtype": column.type.xtype}
        told["description"] = column.description
        known = {name: value for name, value in told.items() if value}
        fields.append(pa.field(column.name, _type(column.type), metadata=known or None))
    return pa.schema(fields, metadata)


def _type(kind: Type) -> pa.DataType:
    arrives = arrow.ARROW[kind.postgres]
    if pa.types.is_list(arrives):
        return pa.list_(pa.float32()) if kind.datatype == "float" else arrives
    return _OTHERS.get(kind.datatype, arrives)


def _typed(result: Result, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [v.cast(f.type, safe=False) for v, f in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
