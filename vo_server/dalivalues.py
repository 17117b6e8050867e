"""Values of parameters as DALI writes them (DALI 1.1, section 3.3): numbers, intervals, shapes on the sky.

Angles are degrees in the ICRS. Raised is UsageError, with the name of the parameter and what would be right.
"""

import re
from collections.abc import Callable
from math import cos, inf, isfinite, radians
from typing import Final

from vo_server.adql.stcs import polygon_fault
from vo_server.db import storable
from vo_server.errors import UsageError
from vo_server.eventlists.interval import Interval
from vo_server.soda.shapes import Circle, Polygon, Range, Shape

MOST_VERTICES: Final = 1000
"""Vertices of the largest polygon: each of them is compared with each position."""

_APART: Final = 1e-6
"""Degrees between vertices that count as two; pgSphere takes places 6e-8 degrees apart for one."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INFINITE: Final = {"-inf": -inf, "inf": inf, "+inf": inf}
_SHOWN: Final = 60


def circle(text: str, name: str = "CIRCLE") -> Circle:
    """`lon lat radius`, the radius up to 180 degrees."""
    values = _finite(name, text)
    if len(values) != 3:
        raise UsageError(f"{name} is longitude, latitude and radius in degrees, not {shown(text)}")
    lon, lat, radius = values
    _check_position(name, lon, lat)
    if not 0 <= radius <= 180:
        raise UsageError(f"{name}: a radius is 0 to 180 degrees, not {radius:g}")
    return Circle(lon, lat, radius)


def polygon(text: str, name: str = "POLYGON") -> Polygon:
    """`lon1 lat1 lon2 lat2 lon3 lat3 ...`, within a hemisphere and with sides that do not cross."""
    values = _finite(name, text)
    if len(values) < 6 or len(values) % 2:
        raise UsageError(
            f"{name} is longitude and latitude, in degrees, of three vertices or more; here are"
            f" {len(values)} numbers"
        )
    if len(values) > 2 * MOST_VERTICES:
        raise UsageError(f"{name} may have {MOST_VERTICES} vertices; it has {len(values) // 2}")
    corners = list(zip(values[::2], values[1::2], strict=True))
    for lon, lat in corners:
        _check_position(name, lon, lat)
    # Some close a polygon by its first vertex, which DALI does not, or repeat one.
    corners = [c for i, c in enumerate(corners) if not _same_place(c, corners[i - 1])]
    if len(set(corners)) < 3:
        raise UsageError(f"{name} has vertices in fewer than three places: it encloses nothing")
    vertices = tuple(value for corner in corners for value in corner)
    fault = polygon_fault(vertices)
    if fault:
        raise UsageError(f"{name}: {fault}")
    return Polygon(vertices)


def _same_place(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two positions are closer than _APART, also at the poles and on either side of longitude 0."""
    (lon, lat), (lon2, lat2) = one, other
    turn = abs(lon - lon2) % 360
    return abs(lat - lat2) < _APART and min(turn, 360 - turn) * cos(radians(lat)) < _APART


def _range(text: str, name: str) -> Range:
    values = _numbers(name, text)
    if len(values) != 4:
        raise UsageError(f"{name} is lon1 lon2 lat1 lat2 in degrees, not {shown(text)}")
    lon1, lon2, lat1, lat2 = values
    for lon, lat in ((lon1, lat1), (lon2, lat2)):
        _check_position(name, *(0.0 if abs(value) == inf else value for value in (lon, lat)))
    if lat1 > lat2 or inf in {lon1, lat1} or -inf in {lon2, lat2}:
        raise UsageError(f"{name}: {shown(text)} is no range, the lower limit comes first")
    return Range(lon1, lon2, lat1, lat2)


def position(text: str) -> Shape:
    """A value of POS: the name of a shape and its numbers (SODA 1.0, section 3.3.4)."""
    kind, _, rest = text.strip().partition(" ")
    read = SHAPES.get(kind.upper())
    if read is None:
        raise UsageError(
            f"POS begins with {', '.join(SHAPES)}, as in 'CIRCLE 83.6 22.0 1.5', not with {shown(kind)}"
        )
    return read(rest, f"POS={kind.upper()}")


SHAPES: Final[dict[str, Callable[[str, str], Shape]]] = {
    "CIRCLE": circle,
    "RANGE": _range,
    "POLYGON": polygon,
}
"""First word of POS -> how the rest is read."""


def interval(text: str, name: str) -> Interval:
    """Two numbers, of which the first may be -Inf and the second +Inf."""
    values = _numbers(name, text)
    if len(values) != 2:
        raise UsageError(
            f"{name} is an interval: two numbers, of which -Inf and +Inf are open ends, not {shown(text)}"
        )
    low, high = values
    if low > high or low == inf or high == -inf:
        raise UsageError(f"{name}: {shown(text)} is no interval, the lower limit comes first")
    return Interval(low, high)


def _finite(name: str, text: str) -> list[float]:
    values = _numbers(name, text)
    if not all(map(isfinite, values)):
        raise UsageError(f"{name}: only finite numbers make a shape, not {shown(text)}")
    return values


def _numbers(name: str, text: str) -> list[float]:
    return [read_number(word, name) for word in text.split()]


def read_number(word: str, name: str) -> float:
    """One number; -Inf and +Inf count as numbers, NaN does not."""
    known = _INFINITE.get(word.lower())
    if known is not None:
        return known
    if not word.isascii() or _NUMBER.fullmatch(word) is None or not isfinite(float(word)):
        raise UsageError(f"{name}: {shown(word)} is not a number, such as 1.5, -2e-19 or +Inf")
    return float(word)


def plain_text(text: str, name: str) -> str:
    """The text, if there can be one like it in the database."""
    if not storable(text):
        raise UsageError(f"{name} is a text without NUL characters, not {shown(text)}")
    return text


def _check_position(name: str, lon: float, lat: float) -> None:
    if not 0 <= lon <= 360:
        raise UsageError(f"{name}: a longitude is 0 to 360 degrees, not {lon:g}")
    if not -90 <= lat <= 90:
        raise UsageError(f"{name}: a latitude is -90 to 90 degrees, not {lat:g}")


def shown(text: str) -> str:
    """What was sent, as a message shows it: quoted, and not too long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
