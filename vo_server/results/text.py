"""Results as CSV (RFC 4180) and TSV. Text formats cannot tell a cut or failed result in their body.

An error in mid-stream therefore breaks the transfer off, so that no client takes the part for the
whole.
"""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from schema.types import Type
from vo_server.results import arrow
from vo_server.results.cells import between, joined, text_cells
from vo_server.results.result import Result

_QUOTED: Final = arrow.special('",\r\n')
_BLANKS: Final = arrow.special("\t\r\n")


def write_csv(result: Result, header: bool = True) -> Iterator[bytes]:
    """UTF-8, CRLF at line ends, NULL as an empty value."""
    if header:
        names = pa.array([c.name for c in result.columns])
        yield (",".join(_quoted(names).to_pylist()) + "\r\n").encode()
    for batch in result.batches():
        cells = [_csv_cells(c.type, v) for c, v in zip(result.columns, batch.columns, strict=True)]
        yield joined(between("", ",", "\r\n", cells))


def write_tsv(result: Result) -> Iterator[bytes]:
    """UTF-8, a header line; tabs and line ends inside values become blanks."""
    names = pa.array([c.name for c in result.columns])
    yield ("\t".join(_without_tabs(names).to_pylist()) + "\n").encode()
    for batch in result.batches():
        cells = [_tsv_cells(c.type, v) for c, v in zip(result.columns, batch.columns, strict=True)]
        yield joined(between("", "\t", "\n", cells))


def _csv_cells(kind: Type, values: pa.Array) -> pa.Array:
    cells = text_cells(kind, values)
    return _quoted(cells) if pa.types.is_string(values.type) else cells


def _tsv_cells(kind: Type, values: pa.Array) -> pa.Array:
    cells = text_cells(kind, values)
    return _without_tabs(cells) if pa.types.is_string(values.type) else cells


def _quoted(text: pa.Array) -> pa.Array:
    """In quotes where it needs them (RFC 4180, rules 6 and 7)."""
    text = pc.fill_null(text, "")
    if not arrow.has_any(text, _QUOTED):
        return text
    wanted = pc.match_substring_regex(text, '[",\r\n]')
    return pc.if_else(
        wanted, pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', ""), text
    )


def _without_tabs(text: pa.Array) -> pa.Array:
    text = pc.fill_null(text, "")
    if not arrow.has_any(text, _BLANKS):
        return text
    return pc.replace_substring_regex(text, "[\t\r\n]", " ")
