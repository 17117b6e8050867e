"""Results as CSV (RFC 4180) and TSV. Text formats cannot tell a cut or failed result in their body.

An error in mid-stream therefore breaks the transfer off, so that no client takes the part for the
whole.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from vo_server.results.cells import text_cells
from vo_server.results.result import Result, Row

_TSV_BLANKS = str.maketrans("\t\r\n", "   ")


def write_csv(result: Result, header: bool = True) -> Iterator[bytes]:
    """UTF-8, CRLF at line ends, NULL as an empty value."""
    if header:
        yield _csv_lines([[c.name for c in result.columns]])
    for batch in result.batches():
        yield _csv_lines(_text_rows(result, batch))


def write_tsv(result: Result) -> Iterator[bytes]:
    """UTF-8, a header line; tabs and line ends inside values become blanks."""
    yield _tsv_lines([[c.name for c in result.columns]])
    for batch in result.batches():
        yield _tsv_lines(_text_rows(result, batch))


def _text_rows(result: Result, batch: Sequence[Row]) -> Iterable[Sequence[str | None]]:
    columns = zip(*batch, strict=True)
    cells = [text_cells(c.type, values) for c, values in zip(result.columns, columns, strict=True)]
    return zip(*cells, strict=True)


def _csv_lines(rows: Iterable[Sequence[str | None]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def _tsv_lines(rows: Iterable[Sequence[str | None]]) -> bytes:
    return "".join("\t".join((c or "").translate(_TSV_BLANKS) for c in row) + "\n" for row in rows).encode()
