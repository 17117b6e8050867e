"""FITS headers as plain dictionaries (FITS 4.0 section 4), read without astropy's cost per keyword.

Archives hold headers by the hundred thousand; reading them is what an ingest waits for.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from ingest.facts import Scalar

BLOCK = 2880
_CARD = 80
_COMMENTARY = ("COMMENT", "HISTORY", "")
_END = b"END".ljust(_CARD)
_BITPIX = (8, 16, 32, 64, -32, -64)
_LARGEST = 2**60
"""bytes; files cannot be as large, and offsets beyond 2^63 cannot be asked for"""

_TEXT = re.compile(r" *'((?:[^']|'')*)' *(?:/(.*))?$")
_INTEGER = re.compile(r"[+-]?\d+$")
_GENERIC_COMMENT = re.compile(r"(label|name) (for|of) (field|column)\s*\d*", re.IGNORECASE)


class FitsError(ValueError):
    """What is wrong with a file as FITS."""


class Header(dict[str, Any]):
    """Values by keyword (the first of each); `comments` has their comments."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.comments: dict[str, str] = {}
        name = ""
        for start in range(0, len(raw), _CARD):
            card = raw[start : start + _CARD].ljust(_CARD).decode("ascii", "replace")
            if card.startswith("CONTINUE"):
                self._continue(name, card[8:])
            elif card[8:10] == "= ":
                name = card[:8].rstrip().upper()
                if name not in self and name not in _COMMENTARY:
                    self[name], self.comments[name] = _value(card[10:])

    def _continue(self, name: str, rest: str) -> None:
        """Append to a long string (FITS 4.0 section 4.2.1.2): `&` at its end announces more."""
        so_far, (more, comment) = self.get(name), _value(rest)
        if isinstance(so_far, str) and so_far.endswith("&") and isinstance(more, str):
            self[name] = so_far[:-1] + more
            self.comments[name] += comment


def _value(field: str) -> tuple[Scalar, str]:
    """Split the rest of a card into value and comment; the value is None if it is not valid."""
    quoted = _TEXT.match(field)
    if quoted is not None:
        return quoted[1].replace("''", "'").rstrip(), (quoted[2] or "").strip()
    plain, _, comment = field.partition("/")
    return _plain(plain.strip()), comment.strip()


def _plain(value: str) -> Scalar:
    if value in {"T", "F"}:
        return value == "T"
    if _INTEGER.match(value):
        return int(value)
    try:
        return float(value.upper().replace("D", "E"))
    except ValueError:
        return None


def keyword(header: Mapping[str, Any], name: str) -> Scalar:
    """Return the value of a keyword (strings stripped); None if it is absent, blank or no valid card."""
    value = header.get(name)
    if isinstance(value, str):
        return value.strip() or None
    return value if isinstance(value, bool | int | float) else None


def text(header: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the keywords that has a value, as text."""
    values = (keyword(header, name) for name in names)
    return next((str(value) for value in values if value is not None), None)


def number(header: Mapping[str, Any], name: str) -> float | None:
    """Return a keyword as a finite float, also where it was written as text; None if it is not one."""
    return as_number(keyword(header, name))


def as_number(value: Scalar) -> float | None:
    """Return a value as a finite float; None if it is not one."""
    try:
        result = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return result if math.isfinite(result) else None


def description(header: Header, name: str) -> str | None:
    """Return what the comment of a keyword tells; None for what programs write there by themselves."""
    comment = header.comments.get(name, "")
    return None if not comment or _GENERIC_COMMENT.fullmatch(comment) else comment


def headers(stream: BinaryIO) -> Iterator[tuple[Header, int, int]]:
    """Walk through a FITS file: each HDU's header, where its data begin, and their size in bytes.

    Stops where no extension follows. Raises FitsError if the file does not begin as FITS does or a
    header is cut short or does not say how long its data are.
    """
    offset, count = 0, 0
    while True:
        stream.seek(offset)
        block = stream.read(BLOCK)
        if not block.startswith(b"XTENSION" if count else b"SIMPLE  ="):
            if count:
                return
            raise FitsError("not a FITS file: it does not begin with SIMPLE; expected .fits or .fits.gz")
        cards = _to_end(stream, block, count)
        header, begin = Header(cards), offset + (len(cards) // BLOCK + 1) * BLOCK
        try:
            size = data_size(header)
        except ValueError as error:
            raise FitsError(f"not readable as FITS: no valid {error} in the header of HDU {count}") from error
        yield header, begin, size
        offset, count = begin + -(-size // BLOCK) * BLOCK, count + 1


def _to_end(stream: BinaryIO, block: bytes, count: int) -> bytes:
    """Return the cards up to END, the first block of which is read already."""
    raw = b""
    while True:
        if len(block) < BLOCK:
            raise FitsError(f"truncated in the header of HDU {count}; fetch the file again")
        for start in range(0, BLOCK, _CARD):
            if block[start : start + _CARD] == _END:
                return raw + block[:start]
        raw += block
        block = stream.read(BLOCK)


def data_size(header: Mapping[str, Any]) -> int:
    """Return the bytes of data without padding (FITS 4.0, equations 1 and 2).

    Raises ValueError with the name of a keyword that is missing, no whole number or negative.
    """
    naxis = whole(header, "NAXIS")
    if not naxis:
        return 0
    elements = math.prod(whole(header, f"NAXIS{i}") for i in range(1, naxis + 1))
    pixels = whole(header, "GCOUNT", 1) * (whole(header, "PCOUNT", 0) + elements)
    bits = as_number(header.get("BITPIX"))
    if bits is None or bits not in _BITPIX:
        raise ValueError("BITPIX")
    size = int(abs(bits)) // 8 * pixels
    if size > _LARGEST:
        raise ValueError("NAXISn")
    return size


def whole(header: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Return a keyword that counts something; raises ValueError with its name if it does not."""
    value = as_number(header.get(name, default))
    if value is None or value < 0 or value != int(value):
        raise ValueError(name)
    return int(value)
