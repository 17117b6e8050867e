"""The octets of BINARY and BINARY2 (VOTable 1.4, sections 5.3 and 5.4)."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

from vo_server.errors import UsageError
from vo_server.upload.model import Limits, UploadedTable, UploadField

Decoder = Callable[[bytes, int], tuple[Any, int]]
"""(octets, position) -> (value, next position); struct.error or ValueError if they end before."""

NUMBERS = {"unsignedByte": "B", "short": "h", "int": "i", "long": "q", "float": "f", "double": "d"}
DATATYPES = {*NUMBERS, "boolean", "bit", "char", "unicodeChar", "floatComplex", "doubleComplex"}

_LENGTH = struct.Struct(">i")
_BOOLEANS = {**dict.fromkeys(b"Tt1", True), **dict.fromkeys(b"Ff0", False), **dict.fromkeys(b"\0 ?")}


def binary(fields: Sequence[UploadField], octets: bytes, limits: Limits) -> UploadedTable:
    """A BINARY stream: NULL is what VALUES declares."""
    return _read(fields, octets, limits, flags=0)


def binary2(fields: Sequence[UploadField], octets: bytes, limits: Limits) -> UploadedTable:
    """A BINARY2 stream: each row begins with its NULL flags."""
    return _read(fields, octets, limits, flags=(len(fields) + 7) // 8)


def _read(fields: Sequence[UploadField], octets: bytes, limits: Limits, flags: int) -> UploadedTable:
    decoders = [_decoder(f) for f in fields]
    columns: list[list[Any]] = [[] for _ in fields]
    appends = [(decode, c.append) for decode, c in zip(decoders, columns, strict=True)]
    nulls: list[int] = []
    at, end = 0, len(octets)
    try:
        while at < end:
            if flags:
                nulls.append(int.from_bytes(octets[at : at + flags], "big"))
                at += flags
            for decode, append in appends:
                value, at = decode(octets, at)
                append(value)
            limits.check_rows(len(columns[0]), exact=False)
    except (struct.error, IndexError, ValueError) as error:
        row, column = (
            len(columns[-1]) + 1,
            next((f for f, c in zip(fields, columns, strict=True) if len(c) <= len(columns[-1])), fields[-1]),
        )
        raise UsageError(f"row {row}, column {column.name}: {_reason(error)}") from error
    _apply(nulls, flags, columns)
    return UploadedTable(tuple(fields), columns)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "the octets are no text in the declared encoding"
    if isinstance(error, (struct.error, IndexError)):
        return "the STREAM ends in the middle of the row"
    return str(error)


def _apply(nulls: list[int], flags: int, columns: list[list[Any]]) -> None:
    for row, bits in enumerate(nulls):
        if bits:
            for index, column in enumerate(columns):
                if bits >> (flags * 8 - 1 - index) & 1:
                    column[row] = None


def _decoder(field: UploadField) -> Decoder:
    if field.is_text:
        return _text(field)
    if field.datatype in {"boolean", "bit"}:
        return (_booleans if field.datatype == "boolean" else _bits)(field)
    null = None if field.null is None or field.datatype in {"float", "double"} else int(field.null, 0)
    if field.is_array:
        return _numbers(NUMBERS[field.datatype], field.length, null)
    number = struct.Struct(">" + NUMBERS[field.datatype])
    return _number(number, null)


def _number(number: struct.Struct, null: int | None) -> Decoder:
    unpack, size = number.unpack_from, number.size

    def decode(octets: bytes, at: int) -> tuple[Any, int]:
        (value,) = unpack(octets, at)
        return (None if value == null and null is not None else value), at + size

    return decode


def _count(octets: bytes, at: int, fixed: int | None, width: int) -> tuple[int, int]:
    """How many elements a cell has and where they begin; IndexError if they do not fit in."""
    count = fixed
    if count is None:
        (count,) = _LENGTH.unpack_from(octets, at)
        at += _LENGTH.size
    if count < 0:
        raise ValueError("a negative number of elements")
    if count * width > len(octets) - at:
        raise IndexError
    return count, at


def _numbers(code: str, fixed: int | None, null: int | None) -> Decoder:
    width = struct.calcsize(">" + code)

    def decode(octets: bytes, at: int) -> tuple[Any, int]:
        count, at = _count(octets, at, fixed, width)
        values = list(struct.unpack_from(f">{count}{code}", octets, at))
        if null is not None:
            values = [None if v == null else v for v in values]
        return values, at + count * width

    return decode


def _text(field: UploadField) -> Decoder:
    width, encoding = (1, "utf-8") if field.datatype == "char" else (2, "utf-16-be")
    fixed = field.length

    def decode(octets: bytes, at: int) -> tuple[Any, int]:
        count, at = _count(octets, at, fixed, width)
        end = at + count * width
        return octets[at:end].decode(encoding).partition("\0")[0], end

    return decode


def _booleans(field: UploadField) -> Decoder:
    fixed, is_array = field.length, field.is_array

    def decode(octets: bytes, at: int) -> tuple[Any, int]:
        count, at = _count(octets, at, fixed, 1)
        cells = octets[at : at + count]
        if any(c not in _BOOLEANS for c in cells):
            raise ValueError(f"{cells[:20]!r} is no boolean")
        values = [_BOOLEANS[c] for c in cells]
        return (values if is_array else values[0]), at + count

    return decode


def _bits(field: UploadField) -> Decoder:
    fixed, is_array = field.length, field.is_array

    def decode(octets: bytes, at: int) -> tuple[Any, int]:
        count, at = _count(octets, at, fixed, 0)
        width = (count + 7) // 8
        if width > len(octets) - at:
            raise IndexError
        values = [octets[at + i // 8] >> (7 - i % 8) & 1 for i in range(count)]
        return (values if is_array else int(octets[at] != 0)), at + width

    return decode
