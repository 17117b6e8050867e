"""An uploaded table in memory, whatever format it came in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from vo_server.errors import TooLargeError, UsageError

MAX_COLUMNS = 1500
"""Most columns of an uploaded table; PostgreSQL takes 1600, geometries need two or three each."""

_ARRAYSIZE = re.compile(r"(?:\d+x)*(?:\d+\*?|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest table that is accepted: rows, and bytes in its file."""

    rows: int
    bytes: int

    def check_rows(self, rows: int, exact: bool = True) -> None:
        """Raise TooLargeError if there are too many; with `exact` false there are `rows` or more."""
        if rows > self.rows:
            has = f"has {rows} rows" if exact else "has more rows"
            raise TooLargeError(f"the table {has}; this service accepts {self.rows} rows (uploadLimit)")


@dataclass(frozen=True, slots=True)
class UploadField:
    """A column as the user declared it, in the terms of VOTable's FIELD (1.4, section 4.1)."""

    name: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str = ""
    null: str | None = None

    def __post_init__(self) -> None:
        if self.arraysize is not None and not _ARRAYSIZE.fullmatch(self.arraysize):
            raise UsageError(f"column {self.name}: arraysize={self.arraysize!r} is not valid")
        if self.length == 0:
            raise UsageError(f"column {self.name}: arraysize={self.arraysize!r} leaves no room for a value")

    @property
    def is_text(self) -> bool:
        """True for character strings."""
        return self.datatype in {"char", "unicodeChar"}

    @property
    def is_variable(self) -> bool:
        """True if the number of elements differs from row to row."""
        return self.arraysize is not None and self.arraysize.endswith("*")

    @property
    def is_array(self) -> bool:
        """True for more than one value a cell; `arraysize="1"`, once used for scalars, counts as one."""
        return self.arraysize not in {None, "1"}

    @property
    def length(self) -> int | None:
        """Elements of each cell, None if it differs."""
        if self.is_variable:
            return None
        return prod(map(int, self.arraysize.split("x"))) if self.arraysize else 1


@dataclass(frozen=True, slots=True)
class UploadedTable:
    """Columns and their values: None, bool, int, float, str, datetime-like text, or lists of those."""

    fields: tuple[UploadField, ...]
    columns: Sequence[Sequence[Any]]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.columns[0]) if self.columns else 0
