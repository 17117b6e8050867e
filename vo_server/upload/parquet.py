"""Parquet files, with the metadata of a VOTable where they hold one (VOParquet 1.0)."""

import io
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
from pyarrow import types

from vo_server.errors import TooLargeError, UsageError
from vo_server.upload import unpack, votable
from vo_server.upload.model import MAX_COLUMNS, Limits, UploadedTable, UploadField

_CONTENT: Final = b"IVOA.VOTable-Parquet.content"
_EXPANSION: Final = 8
"""How many times larger than the limit of bytes a file may become when it is unpacked."""

_SECONDS: Final = 90

_DATATYPES: Final[dict[pa.DataType, str]] = {
    pa.bool_(): "boolean",
    pa.uint8(): "unsignedByte",
    pa.int8(): "short",
    pa.int16(): "short",
    pa.uint16(): "int",
    pa.int32(): "int",
    pa.uint32(): "long",
    pa.int64(): "long",
    pa.float16(): "float",
    pa.float32(): "float",
    pa.float64(): "double",
}


def read(file: BinaryIO, limits: Limits) -> UploadedTable:
    """The table. Raises UsageError and TooLargeError."""
    with tempfile.TemporaryDirectory(prefix="vo-server-") as directory:
        source, target = Path(directory) / "table.parquet", Path(directory) / "table.arrow"
        with source.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        _unpack(source, target, limits)
        with pa.OSFile(str(target)) as unpacked:
            table = pa.ipc.open_file(unpacked).read_all()
    fields = _fields(table, limits)
    return UploadedTable(fields, [_values(f, c) for f, c in zip(fields, table.columns, strict=True)])


def _unpack(source: Path, target: Path, limits: Limits) -> None:
    """Run `unpack` in a process of its own, which may crash."""
    numbers = map(str, (limits.rows, MAX_COLUMNS, _EXPANSION * limits.bytes))
    command = [sys.executable, "-I", unpack.__file__, str(source), str(target), *numbers]
    try:
        ended = subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"the Parquet file cannot be read within {_SECONDS} s") from error
    if ended.returncode == 0:
        return
    if ended.returncode in {unpack.WRONG, unpack.TOO_LARGE}:
        kind = TooLargeError if ended.returncode == unpack.TOO_LARGE else UsageError
        raise kind(ended.stderr.decode(errors="replace"))
    raise UsageError("the Parquet file cannot be read: it is damaged")


def _fields(table: pa.Table, limits: Limits) -> tuple[UploadField, ...]:
    plain = tuple(map(_field, table.schema))
    content = (table.schema.metadata or {}).get(_CONTENT)
    if content is None:
        return plain
    declared = votable.parse(io.BytesIO(content), limits).fields()
    if [d.name for d in declared] != [p.name for p in plain]:
        raise UsageError("the columns of the Parquet file are not those of the VOTable in it")
    return tuple(map(_merged, plain, declared))


def _merged(plain: UploadField, declared: UploadField) -> UploadField:
    """Parquet tells the type, the VOTable all the rest."""
    same = plain.datatype == declared.datatype or (plain.is_text and declared.is_text)
    if same and plain.is_array == declared.is_array:
        return replace(declared, null=None)
    meta = ("unit", "ucd", "utype", "description")
    return replace(plain, **{name: getattr(declared, name) for name in meta})


def _field(field: pa.Field) -> UploadField:
    kind = field.type
    if unpack.is_text(kind) or (types.is_dictionary(kind) and unpack.is_text(kind.value_type)):
        return UploadField(field.name, "unicodeChar", "*")
    if types.is_timestamp(kind) or types.is_date(kind):
        return UploadField(field.name, "char", "*", "timestamp")
    if types.is_decimal(kind):
        return UploadField(field.name, "double")
    if (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)) and (
        kind.value_type in _DATATYPES
    ):
        size = str(kind.list_size) if types.is_fixed_size_list(kind) else "*"
        return UploadField(field.name, _DATATYPES[kind.value_type], size)
    if kind not in _DATATYPES:
        raise UsageError(f"column {field.name}: the Parquet type {kind} is not accepted")
    return UploadField(field.name, _DATATYPES[kind])


def _values(field: UploadField, column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us"), safe=False)
    values: list[Any] = column.to_pylist()
    if types.is_decimal(kind):
        return [None if v is None else float(v) for v in values]
    if field.xtype == "timestamp":
        return [None if v is None else str(v).replace(" ", "T") for v in values]
    return values
