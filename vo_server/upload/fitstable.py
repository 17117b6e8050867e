"""FITS binary tables (FITS 4.0, section 7.3): the first one of the file."""

import io
import threading
import warnings
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from vo_server.errors import UsageError
from vo_server.upload.model import MAX_COLUMNS, Limits, UploadedTable, UploadField

DAMAGES = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    NameError,
    VerifyError,
)
"""What astropy raises on damaged files, mistakes of its own among them."""

_ONE_AT_A_TIME = threading.Lock()
"""Filters of warnings are the process's; two threads would undo each other's."""

_DATATYPES = {"b1": "boolean", "u1": "unsignedByte", "i1": "short", "i2": "short", "u2": "int", "i4": "int"}
_DATATYPES |= {"u4": "long", "i8": "long", "f4": "float", "f8": "double"}


def read(file: BinaryIO, limits: Limits) -> UploadedTable:
    """The first binary table. Raises UsageError and TooLargeError."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fits.open(file, memmap=False, lazy_load_hdus=True) as hdus:
                table = next((h for h in hdus if isinstance(h, fits.BinTableHDU)), None)
                if table is None:
                    raise UsageError("the FITS file has no binary table")
                return _table(table, limits)
        except DAMAGES as error:
            raise UsageError(f"the FITS file cannot be read: {error}") from error


def serialised(fields: tuple[UploadField, ...], octets: bytes, limits: Limits) -> UploadedTable:
    """The FITS file in a VOTable, whose FIELDs say what the columns are (VOTable 1.4, section 5.2)."""
    table = read(io.BytesIO(octets), limits)
    if len(table.fields) != len(fields):
        counts = f"{len(table.fields)} columns and the TABLE {len(fields)} FIELDs"
        raise UsageError(f"the FITS table in the VOTable has {counts}")
    return UploadedTable(fields, table.columns)


def _table(hdu: fits.BinTableHDU, limits: Limits) -> UploadedTable:
    rows, width = hdu.header["NAXIS2"], hdu.header["NAXIS1"]
    limits.check_rows(rows)
    if rows * width > limits.bytes:
        raise UsageError("the FITS header promises more octets than the file has")
    if hdu.columns.dtype.itemsize != width:
        formats = hdu.columns.dtype.itemsize
        raise UsageError(f"the FITS table has rows of NAXIS1={width} octets, its TFORMs take {formats}")
    if not 0 < len(hdu.columns) <= MAX_COLUMNS:
        raise UsageError(f"the FITS table has {len(hdu.columns)} columns; 1 to {MAX_COLUMNS} are accepted")
    fields, columns = [], []
    for number, column in enumerate(hdu.columns, start=1):
        values = np.asarray(hdu.data.field(number - 1))
        fields.append(_field(hdu, number, column, values))
        columns.append(_values(fields[-1], values, column.null))
    return UploadedTable(tuple(fields), columns)


def _field(hdu: fits.BinTableHDU, number: int, column: fits.Column, values: Any) -> UploadField:
    name = column.name or f"col{number}"
    sample = values
    variable = values.dtype == object
    if variable:
        sample = next((v for v in map(np.asarray, values) if v.size), np.zeros(1))
    code = sample.dtype.str[1:]
    shape = values.shape[1:]
    header = hdu.header
    known: dict[str, Any] = {
        "unit": column.unit or None,
        "ucd": header.get(f"TUCD{number}"),
        "description": str(header.get(f"TCOMM{number}") or header.comments[f"TTYPE{number}"] or ""),
    }
    if sample.dtype.kind in "US" and not shape:
        return UploadField(name, "char", "*", **known)
    if code not in _DATATYPES:
        raise UsageError(f"column {name}: the FITS format {column.format} is not accepted")
    # FITS counts the fastest dimension first, as VOTable does; numpy last.
    size = "*" if variable else "x".join(map(str, reversed(shape))) or None
    return UploadField(name, _DATATYPES[code], size, **known)


def _values(field: UploadField, values: Any, null: object) -> list[Any]:
    if values.dtype == object:
        return [np.asarray(v).ravel().tolist() for v in values]
    if field.is_text:
        return [str(v).rstrip(" \0") for v in values.tolist()]
    items: list[Any] = values.reshape(len(values), -1).tolist() if field.arraysize else values.tolist()
    if null is None or field.datatype in {"float", "double", "boolean"}:
        return items
    if field.arraysize:
        return [[None if v == null else v for v in item] for item in items]
    return [None if v == null else v for v in items]
