"""Rows as the octets of VOTable's BINARY2 (VOTable 1.4, sections 5.3 and 5.4).

A row is its NULL flags (one bit a column, the first column in the highest bit of the first octet)
followed by all cells, big-endian; a variable-length cell is its number of elements as a 4-octet
integer and the elements. A NULL cell still holds a value of the right length: zero, NaN or no
elements.

A batch is built column by column: everything of fixed width, the flags and the element counts
included, goes into blocks of octets, and the blocks are interleaved with the variable parts once.
"""

import binascii
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schema.types import Type
from vo_server.results.cells import ascii_text, filled, timestamp
from vo_server.results.result import Row

Octets = NDArray[np.uint8]

_DTYPES = {"short": ">i2", "int": ">i4", "long": ">i8", "float": ">f4", "double": ">f8"}


def encode(types: Sequence[Type], rows: Sequence[Row]) -> bytes:
    """The rows as one run of octets.

    Raises OverflowError, TypeError or ValueError if a value is not of its column's type.
    """
    columns = list(zip(*rows, strict=True))
    nulls = [_nulls(column) for column in columns]
    # packbits fills from the highest bit and pads with zero bits, as the flags need it.
    fixed: list[Octets] = [np.packbits(nulls, axis=0).T]
    parts: list[list[bytes]] = []
    for column_type, column, null in zip(types, columns, nulls, strict=True):
        if _is_variable(column_type):
            cells = _variable(column_type, column)
            fixed.append(_counts(column_type, cells))
            parts += [_rows_of(fixed), cells]
            fixed = []
        else:
            fixed.append(_fixed(column_type, column, bool(null.any())))
    if not parts:
        return np.hstack(fixed).tobytes()
    if fixed:
        parts.append(_rows_of(fixed))
    return b"".join(chain.from_iterable(zip(*parts, strict=True)))


def base64_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks as one base64 text, a line for each chunk: padding comes only at its very end."""
    rest = b""
    for chunk in chunks:
        octets = rest + chunk
        whole = len(octets) - len(octets) % 3
        rest = octets[whole:]
        yield binascii.b2a_base64(octets[:whole])
    if rest:
        yield binascii.b2a_base64(rest)


def _nulls(values: Sequence[Any]) -> NDArray[np.bool_]:
    if None not in values:
        return np.zeros(len(values), dtype=bool)
    return np.array([v is None for v in values])


def _is_variable(column_type: Type) -> bool:
    return column_type.arraysize is not None and column_type.arraysize.endswith("*")


def _fixed(column_type: Type, values: Sequence[Any], has_null: bool) -> Octets:
    """Scalars and arrays of fixed length: (rows, octets per cell)."""
    dtype = np.dtype(_DTYPES[column_type.datatype])
    if has_null:
        null: Any = np.nan if dtype.kind == "f" else 0
        if column_type.arraysize is not None:
            null = [null] * int(column_type.arraysize)
        values = [null if v is None else v for v in values]
    octets: Octets = np.array(values, dtype=dtype).reshape(len(values), -1).view(np.uint8)
    return octets


def _variable(column_type: Type, values: Sequence[Any]) -> list[bytes]:
    """The elements of each cell, without their number."""
    if column_type.xtype == "timestamp":
        return [b"" if v is None else timestamp(v).encode() for v in values]
    if column_type.datatype == "char":
        return [b"" if v is None else (v if v.isascii() else ascii_text(v)).encode() for v in values]
    dtype = _DTYPES[column_type.datatype]
    return [b"" if v is None else np.array(filled(column_type, v), dtype=dtype).tobytes() for v in values]


def _counts(column_type: Type, cells: Sequence[bytes]) -> Octets:
    width = 1 if column_type.datatype == "char" else int(_DTYPES[column_type.datatype][2])
    counts = np.array([len(c) for c in cells], dtype=">i4") // width
    return counts.astype(">i4").reshape(-1, 1).view(np.uint8)


def _rows_of(blocks: list[Octets]) -> list[bytes]:
    """Blocks side by side, cut into the octets of each row."""
    block = np.hstack(blocks)
    cut: list[bytes] = block.view(f"V{block.shape[1]}").ravel().tolist()
    return cut
