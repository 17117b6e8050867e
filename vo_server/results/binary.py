"""Rows as the octets of VOTable's BINARY2 and BINARY (VOTable 1.4, sections 5.3 and 5.4).

A row of BINARY2 is its NULL flags (one bit a column, the first column in the highest bit of the first
octet) followed by all cells, big-endian; a variable-length cell is its number of elements as a 4-octet
integer and the elements. A NULL cell still holds a value of the right length: zero, NaN or no elements.
BINARY has no flags; numbers that mean NULL are declared instead (SCALAR_NULL).

A batch is built column by column: everything of fixed width, the flags and the element counts
included, goes into blocks of octets, and Arrow joins the blocks and the variable parts to rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pybase64
from numpy.typing import NDArray

from schema.types import Type
from vo_server.results import arrow
from vo_server.results.cells import ELEMENT_NULL, ascii_cells, text_cells

Columns = Sequence[tuple[Type, pa.Array]]
Cells = NDArray[Any]
"""Cells of fixed width: a number each, or a row of octets or numbers each."""

DTYPES: Final = {
    "boolean": "u1",
    "unsignedByte": "u1",
    "short": ">i2",
    "int": ">i4",
    "long": ">i8",
    "float": ">f4",
    "double": ">f8",
}

TEXTS: Final = {"char", "unicodeChar"}

SCALAR_NULL: Final = {name: ELEMENT_NULL[name] for name in ("short", "int", "long")}
"""What stands for NULL in BINARY. unsignedByte has no number to spare; it is written as short."""

_BOOLEANS: Final = np.frombuffer(b"FT?", np.uint8)


def binary2_rows(types: Sequence[Type], batch: pa.RecordBatch) -> memoryview:
    """The rows of a batch in BINARY2. Raises ValueError if an array is not of its column's length."""
    rows = _Rows(batch.num_rows)
    rows.add(_flags(batch))
    return _rows(rows, list(zip(types, batch.columns, strict=True)), {})


def binary_rows(types: Sequence[Type], batch: pa.RecordBatch) -> memoryview:
    """The rows of a batch in BINARY, otherwise as `binary2_rows`."""
    return _rows(_Rows(batch.num_rows), list(zip(types, batch.columns, strict=True)), SCALAR_NULL)


def base64_lines(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The chunks as one base64 text, a line each: padding comes only at its very end."""
    rest = b""
    for chunk in chunks:
        view = memoryview(chunk)
        missing = -len(rest) % 3
        head, view = rest + bytes(view[:missing]), view[missing:]
        if len(head) % 3:
            rest = head
            continue
        whole = len(view) - len(view) % 3
        rest = bytes(view[whole:])
        if head or whole:
            yield b"".join((pybase64.b64encode(head), pybase64.b64encode(view[:whole]), b"\n"))
    if rest:
        yield pybase64.b64encode(rest) + b"\n"


def is_variable(kind: Type) -> bool:
    """Whether cells may differ in their number of elements."""
    return kind.arraysize is not None and kind.arraysize.endswith("*")


def fixed_cells(kind: Type, values: pa.Array, null: float | None = None) -> Cells:
    """Big-endian scalars, or arrays of fixed length: (rows, elements). `null` stands for NULL in scalars.

    Raises ValueError if an array has another length.
    """
    dtype = np.dtype(DTYPES[kind.datatype])
    if kind.arraysize is None:
        if kind.datatype == "boolean":
            return _BOOLEANS[np.where(arrow.nulls(values), 2, arrow.numbers(values) != 0)]
        filler = null if null is not None else np.nan if dtype.kind == "f" else 0
        return arrow.numbers(values, filler).astype(dtype)
    size = prod(map(int, kind.arraysize.split("x")))
    null = ELEMENT_NULL[kind.datatype]
    items, counts = arrow.elements(values, null)
    there = ~arrow.nulls(values)
    if (counts[there] != size).any():
        raise ValueError(f"an array does not have {kind.arraysize} elements")
    found = np.full((len(values), size), null, dtype)
    found[there] = items.reshape(-1, size)
    return found


def variable_cells(kind: Type, values: pa.Array) -> tuple[NDArray[np.int32], pa.Array]:
    """Elements in each cell, and the octets of the cells."""
    if kind.datatype == "unicodeChar":
        return _utf16(pc.fill_null(values, ""))
    if kind.datatype == "char":
        text, sizes = arrow.as_octets(ascii_cells(text_cells(kind, values)))
        return sizes, text
    dtype = np.dtype(DTYPES[kind.datatype])
    items, counts = arrow.elements(values, ELEMENT_NULL[kind.datatype])
    return counts, arrow.chunked(items.astype(dtype), counts * dtype.itemsize)


@dataclass
class _Rows:
    """Rows being put together: blocks of fixed width and variable parts, in turn."""

    count: int
    parts: list[pa.Array] = field(default_factory=list)
    block: list[Cells] = field(default_factory=list)

    def add(self, cells: Cells) -> None:
        """Cells of fixed width."""
        self.block.append(cells)

    def add_variable(self, counts: NDArray[np.int32], cells: pa.Array) -> None:
        """Cells of any width, each behind its count."""
        self.add(counts.astype(">i4"))
        self.parts += [self._packed(), cells]
        self.block = []

    def joined(self) -> memoryview:
        """The octets of all rows."""
        if not self.parts:
            return self._octets().reshape(-1).data
        if self.block:
            self.parts.append(self._packed())
        rows = pc.binary_join_element_wise(*self.parts, pa.scalar(b"", pa.binary()))
        return arrow.octets(rows).data

    def _packed(self) -> pa.Array:
        octets = self._octets()
        return arrow.chunked(octets, np.full(self.count, octets.shape[1]))

    def _octets(self) -> NDArray[np.uint8]:
        """The cells of the block side by side."""
        widths = [c.dtype.itemsize * prod(c.shape[1:]) for c in self.block]
        octets = np.empty((self.count, sum(widths)), np.uint8)
        start = 0
        for cells, width in zip(self.block, widths, strict=True):
            # A view of the block in which the cells lie as far apart as the rows do.
            strides = (octets.shape[1], cells.dtype.itemsize)[: cells.ndim]
            np.ndarray(cells.shape, cells.dtype, octets, start, strides)[...] = cells
            start += width
        return octets


def _flags(batch: pa.RecordBatch) -> Cells:
    """A bit for each cell, set if it is NULL."""
    flags = np.zeros((batch.num_rows, (batch.num_columns + 7) // 8), np.uint8)
    for number, values in enumerate(batch.columns):
        if values.null_count:
            flags[:, number // 8] |= arrow.nulls(values).view(np.uint8) << (7 - number % 8)
    return flags


def _rows(rows: _Rows, columns: Columns, null: dict[str, float]) -> memoryview:
    for kind, values in columns:
        if is_variable(kind):
            rows.add_variable(*variable_cells(kind, values))
        else:
            rows.add(fixed_cells(kind, values, null.get(kind.datatype)))
    return rows.joined()


def _utf16(text: pa.Array) -> tuple[NDArray[np.int32], pa.Array]:
    """Text as unicodeChar: a character beyond the first 65,536 takes two units."""
    cells = [value.encode("utf-16-be") for value in text.to_pylist()]
    counts = np.array([len(cell) // 2 for cell in cells], np.int32)
    return counts, pa.array(cells, pa.binary())
