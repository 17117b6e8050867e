"""Results as plain text: columns as wide as their widest value, numbers to the right."""

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from schema.types import Type
from vo_server.results import arrow
from vo_server.results.cells import between, joined, text_cells
from vo_server.results.result import Result
from vo_server.results.spool import spool

_GAP: Final = "  "
_CONTROL: Final = arrow.special("".join(map(chr, range(32))))


def write_plain(result: Result) -> Iterator[bytes]:
    """UTF-8; a line of names, a line of dashes, the rows, and a note if rows were cut."""
    types = [c.type for c in result.columns]
    names = [c.name for c in result.columns]
    with spool(result) as rows:
        widths = [len(name) for name in names]
        for batch in rows.fill(result):
            cells = _cells(types, batch)
            widths = [max(w, _widest(c)) for w, c in zip(widths, cells, strict=True)]
        head = [pa.array([name, "-" * width]) for name, width in zip(names, widths, strict=True)]
        yield _lines(head, types, widths)
        for batch in rows.batches():
            yield _lines(_cells(types, batch), types, widths)
    if result.overflow:
        yield f"The result was cut after {result.maxrec} rows (MAXREC).\n".encode()


def _cells(types: Sequence[Type], batch: pa.RecordBatch) -> list[pa.Array]:
    return [_line(pc.fill_null(text_cells(t, v), "")) for t, v in zip(types, batch.columns, strict=True)]


def _line(text: pa.Array) -> pa.Array:
    if arrow.has_any(text, _CONTROL):
        return pc.replace_substring_regex(text, r"[\x00-\x1f]", " ")
    return text


def _widest(text: pa.Array) -> int:
    return int(pc.max(pc.utf8_length(text)).as_py() or 0)


def _lines(cells: Sequence[pa.Array], types: Sequence[Type], widths: Sequence[int]) -> bytes:
    padded = []
    for cell, kind, width in zip(cells, types, widths, strict=True):
        is_number = kind.numeric is not None
        padded.append(pc.utf8_lpad(cell, width) if is_number else pc.utf8_rpad(cell, width))
    return joined(between("", _GAP, "\n", padded))
