"""DataRow messages as Arrow record batches: the Python side of decode.c."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg.postgres import types

_EPOCH: Final = 946_684_800_000_000
"""Microseconds from 1970, where Arrow counts from, to 2000, where PostgreSQL does."""

MOST_ROWS: Final = 1 << 20
"""Rows of a batch."""


class RowsError(Exception):
    """The rows do not hold what they were announced to hold."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of values: how Arrow holds them, their octets (0: text), and what is added to them."""

    arrow: pa.DataType
    width: int
    shift: int = 0


_KINDS: Final = {
    "int2": _Kind(pa.int16(), 2),
    "int4": _Kind(pa.int32(), 4),
    "int8": _Kind(pa.int64(), 8),
    "float4": _Kind(pa.float32(), 4),
    "float8": _Kind(pa.float64(), 8),
    "text": _Kind(pa.string(), 0),
    "varchar": _Kind(pa.string(), 0),
    "timestamp": _Kind(pa.timestamp("us"), 8, _EPOCH),
}
"""The types of PostgreSQL that results have; everything else is cast to one of them in the SQL."""

TYPES: Final[dict[int, tuple[_Kind, bool]]] = {
    **{types[name].oid: (kind, False) for name, kind in _KINDS.items()},
    **{types[name].array_oid: (kind, True) for name, kind in _KINDS.items()},
}
"""OID of a type -> its values, and whether a cell is an array of them."""


class _Column(ctypes.Structure):
    """`struct column` of decode.c."""

    _fields_ = (
        ("width", ctypes.c_int32),
        ("is_list", ctypes.c_int32),
        ("shift", ctypes.c_int64),
        ("nulls", ctypes.c_int64),
        ("items", ctypes.c_int64),
        ("item_nulls", ctypes.c_int64),
        ("octets", ctypes.c_int64),
        ("valid", ctypes.c_void_p),
        ("item_valid", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("item_ends", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
    )


def _library() -> ctypes.CDLL:
    found = find_spec("vo_server.rows._decode")
    if found is None or found.origin is None:
        raise ImportError("vo_server.rows._decode has not been compiled: install vo-server with pip")
    library = ctypes.CDLL(found.origin)
    library.measure.restype = ctypes.c_int64
    library.fill.restype = None
    return library


_LIBRARY: Final = _library()


class Decoder:
    """Turns rows whose columns have the given names and types into batches."""

    def __init__(self, names: Sequence[str], oids: Sequence[int]) -> None:
        unknown = [name for name, oid in zip(names, oids, strict=True) if oid not in TYPES]
        if unknown:
            raise RowsError(f"no way to read the types of {', '.join(unknown)}")
        self._kinds = [TYPES[oid] for oid in oids]
        self._columns = (_Column * len(oids))()
        self.schema = pa.schema(
            [
                pa.field(name, pa.list_(kind.arrow) if is_list else kind.arrow)
                for name, (kind, is_list) in zip(names, self._kinds, strict=True)
            ]
        )

    def decode(self, octets: memoryview, most: int = MOST_ROWS) -> tuple[pa.RecordBatch, int]:
        """The whole rows at the beginning of the octets, at most `most`, and how many octets they took.

        Raises RowsError if one of them is not as the columns are.
        """
        for column, (kind, is_list) in zip(self._columns, self._kinds, strict=True):
            ctypes.memset(ctypes.byref(column), 0, ctypes.sizeof(column))
            column.width, column.is_list, column.shift = kind.width, is_list, kind.shift
        used, start = ctypes.c_int64(), ctypes.c_void_p(np.frombuffer(octets, np.uint8).ctypes.data)
        count = ctypes.c_int32(len(self._kinds))
        rows = _LIBRARY.measure(
            start, ctypes.c_int64(len(octets)), ctypes.c_int64(most), self._columns, count, ctypes.byref(used)
        )
        if rows < 0:
            raise RowsError("a row is not as its columns are")
        room = [_Room(c, kind, rows) for c, (kind, _) in zip(self._columns, self._kinds, strict=True)]
        zeros = np.zeros((2, len(room)), np.int64)
        _LIBRARY.fill(
            start,
            ctypes.c_int64(rows),
            self._columns,
            count,
            ctypes.c_void_p(zeros[0].ctypes.data),
            ctypes.c_void_p(zeros[1].ctypes.data),
        )
        arrays = [r.array(field.type) for r, field in zip(room, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema), used.value


class _Room:
    """The memory of one column of a batch, by what has been counted."""

    def __init__(self, column: _Column, kind: _Kind, rows: int) -> None:
        self._rows, self._nulls = rows, column.nulls
        self._items, self._item_nulls = column.items, column.item_nulls
        values = column.items if column.is_list else rows
        self._values = np.empty(values * kind.width if kind.width else column.octets, np.uint8)
        self._valid = _bitmap(rows) if column.nulls else None
        self._item_valid = _bitmap(column.items) if column.item_nulls else None
        self._ends = np.zeros(rows + 1, np.int32) if column.is_list or not kind.width else None
        self._item_ends = np.zeros(values + 1, np.int32) if column.is_list and not kind.width else None
        column.values = _address(self._values)
        column.valid, column.item_valid = _address(self._valid), _address(self._item_valid)
        column.ends, column.item_ends = _address(self._ends), _address(self._item_ends)

    def array(self, kind: pa.DataType) -> pa.Array:
        """The column."""
        valid, values = _buffer(self._valid), pa.py_buffer(self._values)
        if not pa.types.is_list(kind):
            buffers = [valid, values] if self._ends is None else [valid, _buffer(self._ends), values]
            return pa.Array.from_buffers(kind, self._rows, buffers, self._nulls)
        middle = [] if self._item_ends is None else [_buffer(self._item_ends)]
        items = pa.Array.from_buffers(
            kind.value_type, self._items, [_buffer(self._item_valid), *middle, values], self._item_nulls
        )
        return pa.Array.from_buffers(kind, self._rows, [valid, _buffer(self._ends)], self._nulls, 0, [items])


def _bitmap(bits: int) -> NDArray[np.uint8]:
    return np.zeros((bits + 7) // 8, np.uint8)


def _address(array: NDArray[Any] | None) -> int | None:
    return None if array is None else array.ctypes.data


def _buffer(array: NDArray[Any] | None) -> pa.Buffer | None:
    return None if array is None else pa.py_buffer(array)
