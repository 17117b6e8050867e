"""Results as a FITS binary table (FITS 4.0, section 7.3).

The header comes first and needs the number of rows, the widest text, and a number that can stand for NULL.
So the rows go to a temporary file first, and nothing is sent before they are all there: a query that fails
on the way ends in an error document.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.io import fits
from numpy.typing import NDArray

from schema.types import Type
from vo_server.errors import UsageError
from vo_server.results import arrow
from vo_server.results.binary import DTYPES, TEXTS, Cells, fixed_cells, is_variable
from vo_server.results.cells import ELEMENT_NULL, ascii_cells, ascii_text, text_cells
from vo_server.results.field import ResultField
from vo_server.results.result import Result
from vo_server.results.spool import Spool, spool

BLOCK: Final = 2880
MOST_COLUMNS: Final = 999

_FORMS: Final = {
    **{"boolean": "L", "unsignedByte": "B", "short": "I", "int": "J", "long": "K"},
    **{"float": "E", "double": "D", "char": "A", "unicodeChar": "A"},
}
_WIDER: Final = {"unsignedByte": "short", "short": "int", "int": "long"}

_PADDING: Final = 64 << 20
"""Bytes of padding from which on a column of text is not made as wide as its widest value."""

_BOOLEANS: Final = np.frombuffer(b"FT\0", np.uint8)

_CONTROL: Final = arrow.special("".join(map(chr, [*range(32), 127])))
_DESCRIPTOR: Final = np.dtype(">i8")


def write_fits(result: Result) -> Iterator[bytes]:
    """An empty primary HDU and the table; text in ASCII.

    Raises what `result.batches` raises, and UsageError for a result that FITS cannot hold, both before the
    first octet.
    """
    if len(result.columns) > MOST_COLUMNS:
        raise UsageError(
            f"FITS holds {MOST_COLUMNS} columns; the result has {len(result.columns)}: use VOTable"
        )
    with spool(result) as rows:
        seen = [_Seen(c.name, c.type) for c in result.columns]
        for batch in rows.fill(result):
            for column, values in zip(seen, batch.columns, strict=True):
                column.look(values)
        columns = [column.decided(rows.count) for column in seen]
        yield _headers(result, columns, rows.count)
        size = 0
        for chunk in chain(_main(columns, rows), _heap(columns, rows)):
            size += len(chunk)
            yield chunk
        yield b"\0" * (-size % BLOCK)


@dataclass
class _Seen:
    """What the rows so far ask of a column."""

    name: str
    kind: Type
    has_nulls: bool = False
    smallest: int | None = None
    largest: int | None = None
    widest: int = 0
    total: int = 0

    def look(self, values: pa.Array) -> None:
        """Take note of more values."""
        if self.kind.datatype in TEXTS:
            sizes = pc.binary_length(_ascii(self.kind, values))
            self.widest = max(self.widest, pc.max(sizes).as_py() or 0)
            self.total += pc.sum(sizes).as_py() or 0
            return
        items = values
        if pa.types.is_list(values.type):
            items = values.flatten()
            sizes = pc.list_value_length(values)
            self.widest = max(self.widest, pc.max(sizes).as_py() or 0)
            self.total += pc.sum(sizes).as_py() or 0
            # A NULL array of fixed length is one of NULL elements.
            self.has_nulls |= bool(values.null_count) and not is_variable(self.kind)
        self.has_nulls |= bool(items.null_count)
        bounds = pc.min_max(items).as_py()
        if pa.types.is_integer(items.type) and bounds["min"] is not None:
            self.smallest = min(bounds["min"], bounds["min"] if self.smallest is None else self.smallest)
            self.largest = max(bounds["max"], bounds["max"] if self.largest is None else self.largest)

    def decided(self, rows: int) -> "_Column":
        """The column of the table. Raises UsageError if no number is left that can stand for NULL."""
        kind = self.kind
        if kind.datatype in TEXTS:
            padding = self.widest * rows - self.total
            in_heap = padding > _PADDING and padding > 3 * self.total
            return _Column(kind, kind.datatype, self.widest, in_heap, elements=self.total)
        count = prod(map(int, kind.arraysize.split("x"))) if kind.arraysize and not is_variable(kind) else 1
        count = self.widest if is_variable(kind) else count
        datatype, null = kind.datatype, None
        if self.has_nulls and datatype in {"unsignedByte", "short", "int", "long"}:
            datatype, null = self._null()
        return _Column(kind, datatype, count, is_variable(kind), null, self.total)

    def _null(self) -> tuple[str, int]:
        """A number that does not occur, and the type that holds it: a wider one if all others do."""
        datatype: str | None = self.kind.datatype
        while datatype is not None:
            limits = np.iinfo(DTYPES[datatype])
            for candidate in (limits.min, limits.max):
                if self.smallest is None or not self.smallest <= candidate <= (self.largest or 0):
                    return datatype, int(candidate)
            datatype = _WIDER.get(datatype)
        raise UsageError(
            f"Column {self.name} has NULLs beside the smallest and the largest integer:"
            " FITS has no number left for NULL; use VOTable"
        )


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table.

    `count` is the most elements of a cell, `in_heap` that they lie in the heap, `elements` how many there
    are in all rows.
    """

    kind: Type
    datatype: str
    count: int
    in_heap: bool
    null: int | None = None
    elements: int = 0

    @property
    def form(self) -> str:
        """TFORM."""
        letter = _FORMS[self.datatype]
        if self.in_heap:
            return f"1Q{letter}({self.count})"
        return f"{self.count}{letter}" if self.datatype in TEXTS or self.kind.arraysize else letter

    @property
    def width(self) -> int:
        """Octets in a row."""
        if self.in_heap:
            return 2 * _DESCRIPTOR.itemsize
        return self.count * self.item

    @property
    def item(self) -> int:
        """Octets of an element."""
        return 1 if self.datatype in TEXTS else np.dtype(DTYPES[self.datatype]).itemsize

    def counts(self, values: pa.Array) -> NDArray[np.int64]:
        """How many elements each cell has."""
        if self.datatype in TEXTS:
            return arrow.numbers(pc.binary_length(_ascii(self.kind, values))).astype(np.int64)
        return arrow.numbers(pc.list_value_length(values)).astype(np.int64)

    def cells(self, values: pa.Array) -> Cells:
        """Cells that do not lie in the heap."""
        if self.datatype in TEXTS:
            return _padded(_ascii(self.kind, values), self.count)
        if self.datatype == "boolean":
            return _BOOLEANS[np.where(arrow.nulls(values), 2, arrow.numbers(values) != 0)]
        if self.null is None:
            return fixed_cells(self.kind, values)
        return self._with_null(values)

    def heap(self, values: pa.Array) -> bytes:
        """The elements of cells that lie in the heap."""
        if self.datatype in TEXTS:
            return arrow.octets(_ascii(self.kind, values)).tobytes()
        null = self.null if self.null is not None else ELEMENT_NULL[self.datatype]
        dtype = np.dtype(DTYPES[self.datatype])
        items = values.flatten().cast(pa.from_numpy_dtype(dtype.newbyteorder("=")), safe=False)
        return arrow.numbers(items, null).astype(dtype).tobytes()

    def _with_null(self, values: pa.Array) -> Cells:
        """Integers, NULLs among them."""
        dtype = np.dtype(DTYPES[self.datatype])
        wide = pa.int64()
        if self.kind.arraysize is None:
            return arrow.numbers(values.cast(wide), self.null or 0).astype(dtype)
        found = np.full((len(values), self.count), self.null, dtype)
        there = ~arrow.nulls(values)
        found[there] = arrow.numbers(values.flatten().cast(wide), self.null or 0).reshape(-1, self.count)
        return found


def _headers(result: Result, columns: Sequence[_Column], rows: int) -> bytes:
    header = fits.Header()
    heap = sum(c.elements * c.item for c in columns if c.in_heap)
    for name, value in (
        *(("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", sum(c.width for c in columns))),
        *(
            ("NAXIS2", rows),
            ("PCOUNT", heap),
            ("GCOUNT", 1),
            ("TFIELDS", len(columns)),
            ("EXTNAME", "RESULT"),
        ),
    ):
        header[name] = value
    for number, (told, column) in enumerate(zip(result.columns, columns, strict=True), start=1):
        for name, entry in _entries(told, column).items():
            if entry is not None:
                header[f"{name}{number}"] = entry
    for info in (*result.infos, *result.data_infos):
        header["COMMENT"] = _card(f"{info.name}: {info.value} {info.content}".strip())
    if result.overflow:
        header["COMMENT"] = f"The result was cut after {result.maxrec} rows (MAXREC)."
    text: str = fits.PrimaryHDU().header.tostring() + header.tostring()
    return text.encode("ascii")


def _entries(told: ResultField, column: _Column) -> dict[str, str | int | None]:
    """The header entries of a column; those that FITS does not know are customary."""
    is_matrix = told.type.arraysize is not None and "x" in told.type.arraysize and not column.in_heap
    return {
        "TTYPE": _card(told.name),
        "TFORM": column.form,
        "TUNIT": _card(told.unit) if told.unit else None,
        "TNULL": column.null,
        "TDIM": f"({','.join((told.type.arraysize or '').split('x'))})" if is_matrix else None,
        "TUCD": _card(told.ucd) if told.ucd else None,
        "TUTYP": _card(told.utype) if told.utype else None,
        "TXTYP": _card(told.type.xtype) if told.type.xtype else None,
        "TCOMM": _card(told.description) if told.description else None,
    }


def _card(text: str) -> str:
    """Text as headers can hold it: printable ASCII."""
    return "".join(c if c.isprintable() else " " for c in ascii_text(text))


def _main(columns: Sequence[_Column], rows: Spool) -> Iterator[bytes]:
    """The rows; a cell in the heap is told by its number of elements and its place there."""
    width = sum(c.width for c in columns)
    used = 0
    for batch in rows.batches():
        octets = np.empty((batch.num_rows, width), np.uint8)
        place = 0
        for column, values in zip(columns, batch.columns, strict=True):
            if column.in_heap:
                counts = column.counts(values)
                ends = used + np.cumsum(counts) * column.item
                cells = np.stack([counts, ends - counts * column.item], axis=1).astype(">i8")
                used = int(ends[-1])
            else:
                cells = column.cells(values)
            found = np.ascontiguousarray(cells).view(np.uint8).reshape(batch.num_rows, column.width)
            octets[:, place : place + column.width] = found
            place += column.width
        yield octets.tobytes()


def _heap(columns: Sequence[_Column], rows: Spool) -> Iterator[bytes]:
    """The elements of all cells in the heap, a batch after the other, its columns in turn."""
    if any(c.in_heap for c in columns):
        for batch in rows.batches():
            for column, values in zip(columns, batch.columns, strict=True):
                if column.in_heap:
                    yield column.heap(values)


def _ascii(kind: Type, values: pa.Array) -> pa.Array:
    """Text in printable ASCII, NULL as empty text."""
    text = pc.fill_null(ascii_cells(text_cells(kind, values)), "")
    return (
        pc.replace_substring_regex(text, r"[\x00-\x1f\x7f]", " ") if arrow.has_any(text, _CONTROL) else text
    )


def _padded(text: pa.Array, width: int) -> NDArray[np.uint8]:
    """Text of one width, filled with zeros at its end."""
    lengths = arrow.numbers(pc.binary_length(text))
    found = np.zeros((len(text), width), np.uint8)
    found[np.arange(width) < lengths[:, None]] = arrow.octets(text)
    return found
