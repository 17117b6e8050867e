"""Values as text, one column at a time, as VOTable's TABLEDATA writes them (and CSV after it).

Sources: VOTable 1.4 section 6, DALI 1.1 section 3.3 (xtypes: arrays are numbers parted by blanks,
timestamps carry no zone). NULL becomes None.
"""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from schema.types import Type

Formatter = Callable[[Sequence[Any]], list[str | None]]

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


def text_cells(column_type: Type, values: Sequence[Any]) -> list[str | None]:
    """One column as text; None stays None. Text is not escaped and keeps all its characters."""
    if column_type.xtype == "timestamp":
        return [None if v is None else timestamp(v) for v in values]
    if column_type.datatype == "char":
        return list(values)
    numbers = _NUMBERS[column_type.datatype]
    if column_type.arraysize is None:
        return numbers(values)
    return [None if v is None else " ".join(map(str, numbers(filled(column_type, v)))) for v in values]


def filled(column_type: Type, items: Sequence[Any]) -> Sequence[Any]:
    """An array with its missing elements replaced by `ELEMENT_NULL`."""
    if None not in items:
        return items
    null = ELEMENT_NULL[column_type.datatype]
    return [null if item is None else item for item in items]


def _integers(values: Sequence[int | None]) -> list[str | None]:
    return [None if v is None else str(v) for v in values]


def _doubles(values: Sequence[float | None]) -> list[str | None]:
    return [None if v is None else _SPECIAL.get(t := repr(v), t) for v in values]


def _floats(values: Sequence[float | None]) -> list[str | None]:
    # Through float32, so that 0.1 is written `0.1` and not as the double nearest to it.
    shortest = np.array(values, dtype=np.float32).astype("U32").tolist()
    return [None if v is None else _SPECIAL.get(t, t) for v, t in zip(values, shortest, strict=True)]


# VOTable has no NULL inside an array of integers but one that VALUES declares (1.4, section 4.7).
ELEMENT_NULL: dict[str, int | float] = {
    "short": -(2**15),
    "int": -(2**31),
    "long": -(2**63),
    "float": float("nan"),
    "double": float("nan"),
}

_SPECIAL = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}

_NUMBERS: dict[str, Formatter] = {
    "short": _integers,
    "int": _integers,
    "long": _integers,
    "float": _floats,
    "double": _doubles,
}
