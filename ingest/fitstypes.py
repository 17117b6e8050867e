"""FITS column formats and numpy types -> the register of column types; names -> published names."""

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

from ingest.facts import EventArray, IndexColumn
from schema.model import Column
from schema.types import DOUBLE, TYPES, VARCHAR, Type

_FORMAT = re.compile(r"\s*(\d*)([LXBIJKAED])")

_SCALARS = {
    "L": "SMALLINT",
    "B": "SMALLINT",
    "I": "SMALLINT",
    "J": "INTEGER",
    "K": "BIGINT",
    "X": "BIGINT",
    "E": "REAL",
    "D": "DOUBLE PRECISION",
}
"""FITS 4.0, table 18; booleans and bit fields become integers, since ADQL has neither."""

_NUMPY = {
    "b1": "SMALLINT",
    "i1": "SMALLINT",
    "u1": "SMALLINT",
    "i2": "SMALLINT",
    "u2": "INTEGER",
    "i4": "INTEGER",
    "u4": "BIGINT",
    "i8": "BIGINT",
    "u8": "BIGINT",
    "f4": "REAL",
    "f8": "DOUBLE PRECISION",
}


_SYSTEM_COLUMNS = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
"""Names that no column in PostgreSQL may have (its manual, section 5.5)."""

_LONGEST_NAME = 60
"""PostgreSQL cuts names at 63 bytes; the rest is room for a number."""


def published_name(name: str, taken: Iterable[str]) -> str:
    """A column's name in lower case, made of letters, digits and underscores, unlike those taken."""
    base = re.sub(r"[^a-z0-9_]+", "_", name.strip().lower()).strip("_") or "column"
    base = f"c_{base}" if not base[0].isalpha() or base in _SYSTEM_COLUMNS else base
    base = base[:_LONGEST_NAME]
    names = set(taken)
    if base not in names:
        return base
    return next(f"{base}_{n}" for n in range(2, len(names) + 3) if f"{base}_{n}" not in names)


def vounit(text: str | None) -> str | None:
    """A unit in the spelling of VOUnits 1.0; as it stands where astropy does not know it."""
    if text is None or not text.strip():
        return None
    try:
        return str(u.Unit(text).to_string("vounit")) or None
    except ValueError:
        return text.strip()


def type_of_format(text: str) -> Type:
    """The type of a FITS column format such as `1D`, `20A` or `3E`; text for what has no number type."""
    match = _FORMAT.match(text.upper())
    if match is None or match[2] == "A":
        return VARCHAR
    count = int(match[1] or 1)
    scalar = _SCALARS[match[2]]
    return TYPES[scalar if count == 1 or match[2] == "X" else f"{scalar}[]"]


def type_of_array(values: NDArray[np.generic]) -> Type:
    """The type of a column of values, one row per element of the first axis."""
    scalar = _NUMPY.get(values.dtype.str[1:])
    if scalar is None:
        return VARCHAR
    return TYPES[scalar if values.ndim == 1 else f"{scalar}[]"]


def wider(a: Type, b: Type) -> Type:
    """The type that holds the values of both: the wider number, else text."""
    if a == b:
        return a
    if a.is_array != b.is_array:
        return VARCHAR
    one, other = (TYPES[t.name.removesuffix("[]")] for t in (a, b))
    if one.numeric is None or other.numeric is None:
        return VARCHAR
    widest = max((one, other), key=lambda t: t.numeric or 0)
    if "REAL" in {one.name, other.name} and {"INTEGER", "BIGINT"} & {one.name, other.name}:
        widest = DOUBLE  # a float of 4 bytes cannot hold every integer of 4
    return TYPES[f"{widest.name}[]" if a.is_array else widest.name]


def index_extras(columns: Iterable[IndexColumn], known: Iterable[str]) -> tuple[Column, ...]:
    """The columns that a release's obs-index has beyond the known ones, by their published names."""
    names = set(known)
    found = []
    for column in columns:
        name = published_name(column.name, ())
        if name in names:
            continue
        names.add(name)
        found.append(
            Column(
                name,
                type_of_format(column.format),
                description=f"Column {column.name.upper()} of the release's obs-index table.",
                unit=vounit(column.unit),
                source=f"obs-index column {column.name.upper()}",
            )
        )
    return tuple(found)


def event_extras(arrays: Iterable[EventArray], known: Iterable[str]) -> tuple[Column, ...]:
    """The columns of an EVENTS table beyond the known ones, in the order of `arrays`."""
    names = set(known)
    found = []
    for array in arrays:
        name = published_name(array.name, names)
        names.add(name)
        described = array.description or f"Column {array.name} of the release's EVENTS tables."
        found.append(
            Column(
                name,
                type_of_array(array.values),
                description=described,
                unit=vounit(array.unit),
                source=f"EVENTS column {array.name}",
            )
        )
    return tuple(found)


def merged(known: tuple[Column, ...], found: tuple[Column, ...]) -> tuple[Column, ...]:
    """Known extra columns and newly found ones; where both have a column, its type holds both."""
    by_name = {c.name: c for c in known}
    for column in found:
        old = by_name.get(column.name)
        by_name[column.name] = column if old is None else replace(old, type=wider(old.type, column.type))
    return tuple(by_name.values())
