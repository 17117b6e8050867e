"""Values as text, one column at a time, as VOTable's TABLEDATA writes them (and CSV after it).

Sources: VOTable 1.4 section 6, DALI 1.1 section 3.3 (xtypes: arrays are numbers parted by blanks,
timestamps carry no zone). NULL stays NULL.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schema.types import Type
from vo_server.results import arrow

_TO_ASCII = str.maketrans(
    {
        "\N{GREEK SMALL LETTER MU}": "u",
        "\N{MICRO SIGN}": "u",
        "\N{LATIN SMALL LETTER SHARP S}": "ss",
        "\N{LATIN SMALL LETTER AE}": "ae",
        "\N{LATIN CAPITAL LETTER AE}": "AE",
        "\N{LATIN SMALL LETTER O WITH STROKE}": "o",
        "\N{LATIN CAPITAL LETTER O WITH STROKE}": "O",
        "\N{LATIN SMALL LETTER L WITH STROKE}": "l",
        "\N{LATIN CAPITAL LETTER L WITH STROKE}": "L",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{DEGREE SIGN}": "deg",
        "\N{PLUS-MINUS SIGN}": "+/-",
        "\N{MINUS SIGN}": "-",
        "\N{HYPHEN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    }
)
"""What has an ASCII likeness that its Unicode decomposition does not give."""


def ascii_text(text: str) -> str:
    """`text` in the characters that datatype `char` may hold.

    Up to VOTable 1.5 `char` is ASCII, and readers insist: astropy refuses a whole BINARY2 table for
    one UTF-8 octet in it. Letters lose their accents, what has no ASCII likeness becomes `?`.
    """
    if text.isascii():
        return text
    spread = unicodedata.normalize("NFKD", text.translate(_TO_ASCII))
    return "".join(c for c in spread if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def timestamp(moment: datetime) -> str:
    """A DALI timestamp with as many decimals as needed: none, milliseconds or microseconds."""
    text = moment.isoformat()
    return text[:-3] if len(text) == 26 and text.endswith("000") else text


def text_cells(kind: Type, values: pa.Array) -> pa.Array:
    """One column as text. Text is not escaped and keeps all its characters."""
    if pa.types.is_list(values.type):
        return _joined_arrays(kind, values)
    return _scalars(kind, values)


def ascii_cells(values: pa.Array) -> pa.Array:
    """A column of text, each as `ascii_text`."""
    return values if arrow.is_ascii(values) else arrow.mapped(values, ascii_text)


def joined(parts: Iterable[pa.Array | str]) -> bytes:
    """The octets of all rows, each its cells and the text between them; NULL is empty text."""
    rows = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")
    return arrow.octets(rows).tobytes()


def between(first: str, divider: str, last: str, cells: Sequence[pa.Array]) -> Iterator[pa.Array | str]:
    """The parts of rows for `joined`."""
    before = first
    for cell in cells:
        yield before
        yield cell
        before = divider
    yield last


# VOTable has no NULL inside an array of integers but one that VALUES declares (1.4, section 4.7).
ELEMENT_NULL: dict[str, int | float] = {
    "short": -(2**15),
    "int": -(2**31),
    "long": -(2**63),
    "float": float("nan"),
    "double": float("nan"),
}

_EXPONENT: Final = 1e10
_NOT_FINITE: Final = (("nan", "NaN"), ("inf", "+Inf"), ("-inf", "-Inf"))


def _scalars(kind: Type, values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_timestamp(values.type):
        return _timestamps(values)
    if kind.datatype == "boolean":
        return pc.if_else(pc.not_equal(values, 0), "T", "F")
    if kind.datatype == "float":
        # So that 0.1 is written `0.1` and not as the double nearest to it.
        values = values.cast(pa.float32(), safe=False)
    if pa.types.is_floating(values.type):
        return _floats(values)
    return values.cast(pa.string())


def _floats(values: pa.Array) -> pa.Array:
    """The shortest text that reads back as the same number, and looks like a number with a point."""
    text = values.cast(pa.string())
    found = arrow.numbers(values, np.nan)
    # From _EXPONENT on there is an exponent.
    whole = (np.trunc(found) == found) & (np.abs(found) < _EXPONENT)
    if whole.any():
        text = pc.if_else(whole, pc.binary_join_element_wise(text, "0", "."), text)
    if not np.isfinite(found).all():
        for theirs, ours in _NOT_FINITE:
            text = pc.if_else(pc.equal(text, theirs), ours, text)
    return text


def _joined_arrays(kind: Type, values: pa.Array) -> pa.Array:
    items, counts = values.flatten(), arrow.numbers(pc.list_value_length(values))
    if items.null_count:
        items = pc.fill_null(items, pa.scalar(ELEMENT_NULL[kind.datatype], items.type))
    ends = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    missing = pa.array(arrow.nulls(values)) if values.null_count else None
    lists = pa.ListArray.from_arrays(pa.array(ends), _scalars(kind, items), mask=missing)
    return pc.binary_join(lists, " ")


_LENGTHS: Final = (19, 23, 26)
"""Of `2020-01-01T00:00:00` with no decimals, with three and with six."""


def _timestamps(values: pa.Array) -> pa.Array:
    """As `timestamp`."""
    if not len(values):
        return pa.array([], pa.string())
    moments = arrow.numbers(values.view(pa.int64()))
    text = pa.array(moments, pa.timestamp("us")).cast(pa.string())
    letters = arrow.octets(text).reshape(-1, 26).copy()
    letters[:, 10] = ord("T")
    lengths = np.where(moments % 1_000_000 == 0, 19, np.where(moments % 1000 == 0, 23, 26))
    kept = letters[np.arange(26) < lengths[:, None]]
    found = arrow.chunked(kept, lengths).cast(pa.string())
    return pc.if_else(values.is_null(), None, found) if values.null_count else found
