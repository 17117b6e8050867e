"""CSV (RFC 4180) and tab-separated text with a header line; types are those that fit all rows."""

import csv as stdcsv
import io
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from vo_server.errors import UsageError
from vo_server.upload.model import MAX_COLUMNS, Limits, UploadedTable, UploadField

_INTEGER: Final = r"^[+-]?(0|[1-9][0-9]{0,17})$"
_NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?([nN]a[nN]|[iI]nf)$"
_LEADING_ZERO: Final = r"^[+-]?0[0-9]+$"
_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?$"


def read(file: BinaryIO, limits: Limits) -> UploadedTable:
    """The table. An empty value is NULL, a quoted empty one an empty string.

    Numbers with leading zeros stay text, as identifiers have them. Raises UsageError and TooLargeError.
    """
    octets = file.read(limits.bytes + 1).removeprefix(b"\xef\xbb\xbf")
    titles, delimiter = _header(octets)
    names = [f"c{i}" for i in range(len(titles))]
    try:
        table = csv.read_csv(
            io.BytesIO(octets),
            csv.ReadOptions(
                use_threads=False, block_size=max(len(octets), 1), column_names=names, skip_rows_after_names=1
            ),
            csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise UsageError(f"the text is no table of comma-separated values: {error}") from error
    limits.check_rows(table.num_rows)
    found = [_typed(title, column) for title, column in zip(titles, table.columns, strict=True)]
    return UploadedTable(tuple(f for f, _ in found), [values for _, values in found])


def _header(octets: bytes) -> tuple[list[str], str]:
    """The names of the columns, and what parts them."""
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"the text is not UTF-8 (at byte {error.start})") from error
    line = text.lstrip("\r\n").partition("\n")[0]
    if not line.strip():
        raise UsageError("the first line must hold the names of the columns")
    delimiter = "\t" if "\t" in line and "," not in line else ","
    try:
        titles = [t.strip() for t in next(stdcsv.reader([line], delimiter=delimiter, strict=True))]
    except stdcsv.Error as error:
        raise UsageError(f"the first line does not hold the names of the columns: {error}") from error
    if len(titles) > MAX_COLUMNS:
        raise UsageError(f"the table has more than {MAX_COLUMNS} columns")
    return [title or f"col{i}" for i, title in enumerate(titles, start=1)], delimiter


def _typed(name: str, column: pa.ChunkedArray) -> tuple[UploadField, list[Any]]:
    if _all(column, _INTEGER):
        return UploadField(name, "long"), pc.cast(column, pa.int64()).to_pylist()
    if _all(column, _NUMBER) and not _any(column, _LEADING_ZERO):
        return UploadField(name, "double"), [None if v is None else float(v) for v in column.to_pylist()]
    if _all(column, _TIME):
        return UploadField(name, "char", "*", "timestamp"), column.to_pylist()
    datatype = "char" if all(v is None or v.isascii() for v in column.to_pylist()) else "unicodeChar"
    return UploadField(name, datatype, "*"), column.to_pylist()


def _all(column: pa.ChunkedArray, pattern: str) -> bool:
    """Whether there are values and all of them fit."""
    fits = pc.all(pc.match_substring_regex(column, pattern), min_count=1).as_py()
    return bool(fits)


def _any(column: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())
