"""The cells of TABLEDATA, as text (VOTable 1.4, section 5.1 and 6; NULLs: 4.7 and 5.5)."""

from collections.abc import Callable, Sequence
from typing import Any

from vo_server.errors import UsageError
from vo_server.upload.model import UploadField

Parser = Callable[[str], Any]

RANGES = {"unsignedByte": (0, 255), "short": (-(2**15), 2**15 - 1), "int": (-(2**31), 2**31 - 1)}
RANGES["long"] = (-(2**63), 2**63 - 1)

_TRUTHS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False, "?": None}


def columns(fields: Sequence[UploadField], rows: list[list[str]]) -> list[list[Any]]:
    """The values of each column. Raises UsageError that names row and column of what is no value."""
    if not rows:
        return [[] for _ in fields]
    return [_column(f, cells) for f, cells in zip(fields, zip(*rows, strict=True), strict=True)]


def _column(field: UploadField, cells: Sequence[str]) -> list[Any]:
    parse = _parser(field)
    values: list[Any] = []
    try:
        for cell in cells:
            values.append(parse(cell) if cell else None)
    except ValueError as error:
        shown = cells[len(values)]
        wanted = f"{field.datatype}[{field.arraysize}]" if field.is_array else field.datatype
        reason = f" ({error})" if isinstance(error, _OutOfRangeError) else ""
        raise UsageError(
            f"row {len(values) + 1}, column {field.name}: {shown[:60]!r} is no {wanted}{reason}"
        ) from error
    return values


class _OutOfRangeError(ValueError):
    """The number does not fit its type."""


def _parser(field: UploadField) -> Parser:
    if field.is_text:
        return str
    parse = _scalar(field)
    if field.datatype == "bit":
        return _bits if field.is_array else parse
    return _array(parse, field.length) if field.is_array else parse


def _scalar(field: UploadField) -> Parser:
    if field.datatype in RANGES:
        return _integer(*RANGES[field.datatype], None if field.null is None else _whole(field.null))
    return {"boolean": _boolean, "bit": _bit}.get(field.datatype, _floating)


def _integer(lowest: int, highest: int, null: int | None) -> Parser:
    def parse(text: str) -> int | None:
        value = _whole(text)
        if value == null:
            return None
        if not lowest <= value <= highest:
            raise _OutOfRangeError(f"it goes from {lowest} to {highest}")
        return value

    return parse


def _whole(text: str) -> int:
    """A decimal or, with 0x, hexadecimal integer."""
    if "_" in text or len(text) > 40:
        raise ValueError(text)
    return int(text, 16) if text.strip().lower().startswith("0x") else int(text)


def _floating(text: str) -> float:
    if "_" in text:
        raise ValueError(text)
    return float(text)


def _boolean(text: str) -> bool | None:
    key = text.strip().lower()
    if key not in _TRUTHS:
        raise ValueError(text)
    return _TRUTHS[key]


def _bit(text: str) -> int:
    (value,) = _bits(text)
    return value


def _bits(text: str) -> list[int]:
    digits = "".join(text.split())
    if digits.strip("01"):
        raise ValueError(text)
    return [int(d) for d in digits]


def _array(parse: Parser, length: int | None) -> Parser:
    def parse_all(text: str) -> list[Any]:
        items = [parse(item) for item in text.replace(",", " ").split()]
        if length is not None and len(items) != length:
            raise _OutOfRangeError(f"it has {len(items)} elements, not {length}")
        return items

    return parse_all
