"""How the columns of uploads are stored, how ADQL sees them, and how they are returned.

Stored as what ADQL can compute with: booleans and bits as 0 and 1, DALI geometries as pgSphere's types
beside the array that was sent, timestamps as such. A column that a query returns unchanged is declared
as it was uploaded.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from schema.ddl import quote
from schema.model import Column
from schema.types import (
    BIGINT,
    BIGINT_ARRAY,
    CIRCLE,
    DOUBLE,
    DOUBLE_ARRAY,
    INTEGER,
    INTEGER_ARRAY,
    POINT,
    POLYGON,
    REAL,
    REAL_ARRAY,
    REGION,
    SMALLINT,
    SMALLINT_ARRAY,
    TIMESTAMP,
    VARCHAR,
    Type,
)
from vo_server.adql.frames import rotated, rotation
from vo_server.adql.stcs import box_corners, parse_stcs, region_frame
from vo_server.errors import UsageError
from vo_server.upload.model import UploadField

Encoder = Callable[[Any], str]
"""A value that is not NULL -> its text for COPY."""

_SCALARS: Final = {
    "boolean": SMALLINT,
    "bit": SMALLINT,
    "unsignedByte": SMALLINT,
    "short": SMALLINT,
    "int": INTEGER,
    "long": BIGINT,
    "float": REAL,
    "double": DOUBLE,
}
_ARRAYS: Final = {
    SMALLINT: SMALLINT_ARRAY,
    INTEGER: INTEGER_ARRAY,
    BIGINT: BIGINT_ARRAY,
    REAL: REAL_ARRAY,
    DOUBLE: DOUBLE_ARRAY,
}
_STCS: Final = {"adql:region", "adql:circle", "adql:box", "adql:polygon", "stc", "stcs"}
_TIMESTAMPS: Final = {"timestamp", "adql:timestamp"}
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?Z?", re.ASCII)

_AS_STORED: Final = {"bit", "boolean", "unsignedByte"}
"""Datatypes of which arrays (and single bits) are returned as they are stored, as short: VOTable has no
NULL for an element of theirs."""


class Stored(NamedTuple):
    """A column in PostgreSQL: its name, type, and how values become text."""

    name: str
    postgres: str
    encode: Encoder


@dataclass(frozen=True, slots=True)
class Storage:
    """What becomes of an uploaded column: as ADQL sees it, as it is returned, as it is stored."""

    column: Column
    returned: Type
    stored: tuple[Stored, ...]


def storage(field: UploadField, name: str, number: int, values: Sequence[Any]) -> Storage:
    """The storage of a column under its published `name`; `number` makes the stored names."""
    own = f"c{number}"
    geometry = _GEOMETRIES.get(field.xtype or "")
    if geometry is not None and field.datatype in {"float", "double"} and field.is_array:
        return _geometry(field, name, own, geometry)
    if field.is_text:
        return _text(field, name, own, values)
    kind = _SCALARS[field.datatype]
    if field.is_array:
        stored = Stored(own, _ARRAYS[kind].postgres, _array)
        return _storage(field, name, _ARRAYS[kind], [stored])
    return _storage(field, name, kind, [Stored(own, kind.postgres, _number)])


def _text(field: UploadField, name: str, own: str, values: Sequence[Any]) -> Storage:
    if not all(v is None or v.isascii() for v in values):
        # Up to VOTable 1.5 char is ASCII.
        field = replace(field, datatype="unicodeChar")
    if field.arraysize is not None and "x" in field.arraysize:
        raise UsageError(f"column {field.name}: arrays of strings are not accepted")
    xtype = (field.xtype or "").lower()
    if xtype in _TIMESTAMPS:
        return _storage(field, name, TIMESTAMP, [Stored(own, TIMESTAMP.postgres, _timestamp)])
    if xtype in _STCS:
        circle, polygon, rest = f"{own}_circle", f"{own}_polygon", f"{own}_rest"
        stored = [
            Stored(own, "text", _string),
            Stored(circle, "scircle", _region_circle),
            Stored(polygon, "spoly", _region_polygon),
            Stored(rest, "scircle", _region_rest),
        ]
        return _storage(field, name, REGION, stored, shapes=(circle, polygon, rest))
    return _storage(field, name, VARCHAR, [Stored(own, "text", _string)])


def _geometry(field: UploadField, name: str, own: str, geometry: "_Geometry") -> Storage:
    shape = f"{own}_shape"
    stored = [
        Stored(own, DOUBLE_ARRAY.postgres, _array),
        Stored(shape, geometry.type.postgres, geometry.encode),
    ]
    row = "{row}."
    return _storage(field, name, geometry.type, stored, expression=row + quote(shape), array=own)


def _storage(field: UploadField, name: str, kind: Type, stored: list[Stored], **others: Any) -> Storage:
    known = {"expression": "{row}." + quote(stored[0].name), **others}
    column = Column(name, kind, field.description, field.unit, field.ucd, field.utype, **known)
    return Storage(column, _returned(field, kind), tuple(stored))


def _returned(field: UploadField, kind: Type) -> Type:
    """The type as it was declared, as far as results can be written so."""
    if kind is TIMESTAMP:
        return kind
    datatype = field.datatype
    if datatype == "bit" or (field.is_array and datatype in _AS_STORED):
        datatype = kind.datatype
    arraysize, xtype = field.arraysize, field.xtype
    if field.is_text and not field.is_variable:
        arraysize = f"{arraysize}*" if arraysize else "1*"
    return Type(kind.name, datatype, arraysize, xtype, kind.postgres, kind.numeric)


NULL: Final = r"\N"
"""NULL as COPY reads it."""

_ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _string(value: str) -> str:
    if "\0" in value:
        raise ValueError("text with a NUL character")
    return value.translate(_ESCAPES)


def _number(value: float) -> str:
    return repr(int(value)) if isinstance(value, bool) else repr(value)


def _array(values: Sequence[Any]) -> str:
    return "{" + ",".join("NULL" if v is None else _number(v) for v in _flat(values)) + "}"


def _flat(values: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            flat += _flat(value)
        else:
            flat.append(value)
    return flat


def _timestamp(value: str) -> str:
    text = value.strip()
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError("no timestamp: YYYY-MM-DDThh:mm:ss, in UTC or without a zone")
    return text.removesuffix("Z")


def _degrees(values: Sequence[Any], counts: Callable[[int], bool], shape: str) -> list[float]:
    if not counts(len(values)) or not all(v is not None and math.isfinite(v) for v in values):
        raise ValueError(f"no {shape}: it takes {_GEOMETRIES[shape].wanted}")
    degrees = [float(v) for v in values]
    latitudes = degrees[1:2] if shape == "circle" else degrees[1::2]
    if any(abs(v) > 90 for v in latitudes):
        raise ValueError(f"a {shape} with a latitude beyond 90 degrees")
    return degrees


def _point(values: Sequence[Any]) -> str:
    lon, lat = _degrees(values, lambda n: n == 2, "point")
    return f"({lon!r}d,{lat!r}d)"


def _circle(values: Sequence[Any]) -> str:
    lon, lat, radius = _degrees(values, lambda n: n == 3, "circle")
    if not 0 <= radius <= 90:
        raise ValueError("a circle with a radius that is not between 0 and 90 degrees")
    return f"<({lon!r}d,{lat!r}d),{radius!r}d>"


def _polygon(values: Sequence[Any]) -> str:
    degrees = _degrees(values, lambda n: n >= 6 and n % 2 == 0, "polygon")
    corners = zip(degrees[::2], degrees[1::2], strict=True)
    return "{" + ",".join(f"({lon!r}d,{lat!r}d)" for lon, lat in corners) + "}"


def _region_circle(text: str) -> str:
    """The circle that STC-S text is, else NULL."""
    shape, numbers = _region(text)
    return _circle(numbers) if shape == "CIRCLE" and numbers[2] <= 90 else NULL


def _region_polygon(text: str) -> str:
    """The polygon or box that STC-S text is, else NULL."""
    shape, numbers = _region(text)
    return _polygon(numbers) if shape == "POLYGON" else NULL


def _region_rest(text: str) -> str:
    """What a circle of more than 90 degrees leaves out, as vo.stcs_rest says it; else NULL."""
    shape, numbers = _region(text)
    if shape != "CIRCLE" or not 90 < numbers[2] <= 180:
        return NULL
    lon, lat, radius = numbers
    return _circle([(lon + 180) % 360, -lat, 180 - radius])


def _region(text: str) -> tuple[str, list[float]]:
    """Shape and numbers in the ICRS, of a box its corners; no shape for text beyond the subset."""
    try:
        shape, numbers = parse_stcs(text)
    except ValueError:
        return "", []
    if shape == "BOX":
        shape, numbers = "POLYGON", box_corners(*numbers)
    matrix = rotation(region_frame(text), "ICRS")
    if matrix is not None:
        for i in range(0, len(numbers) if shape == "POLYGON" else 2, 2):
            numbers[i : i + 2] = rotated(numbers[i], numbers[i + 1], matrix)
    return shape, numbers


class _Geometry(NamedTuple):
    type: Type
    encode: Encoder
    wanted: str


_GEOMETRIES: Final = {
    "point": _Geometry(POINT, _point, "2 numbers, longitude and latitude in degrees"),
    "circle": _Geometry(CIRCLE, _circle, "3 numbers, longitude, latitude and radius in degrees"),
    "polygon": _Geometry(POLYGON, _polygon, "6 numbers or more, longitudes and latitudes in degrees"),
}
"""The geometries of DALI 1.1 (section 3.3.5 to 3.3.7) by their xtype."""
