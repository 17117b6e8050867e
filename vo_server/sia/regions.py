"""Values of POS as conditions on ivoa.obscore, in ADQL (SIA 2.0, section 2.1.1).

A dataset is found if its region (s_region) meets the shape; if it has none, by where it points (s_ra, s_dec).
"""

from collections.abc import Callable, Iterator
from math import ceil, copysign, cos, inf, radians
from typing import Any, Final

from vo_server.adql.writing import number
from vo_server.dalivalues import position
from vo_server.soda.shapes import Circle, Polygon, Range

_FULL: Final = 360.0
_POLE: Final = 90.0
_WIDEST: Final = 15.0
"""Degrees of longitude that one polygon spans: pgSphere's time grows with the square of its vertices."""

_STEP: Final = 1.0
"""Degrees of longitude between two vertices on a parallel.

A great circle between points of latitude b that are d radians of longitude apart leaves the parallel by up
to d^2 / 8 sin b cos b (the sagitta for small d): here by 4 arcsec at most.
"""

_THINNEST: Final = 1e-4
"""Degrees that a side has at least: pgSphere knows no polygon without an area."""


def meets(text: str) -> str:
    """The condition for a value of POS. Raises UsageError."""
    shape = position(text)
    return _CONDITIONS[type(shape)](shape)


def _circle(circle: Circle) -> str:
    return _meets("CIRCLE", circle.lon, circle.lat, circle.radius)


def _polygon(polygon: Polygon) -> str:
    return _meets("POLYGON", *polygon.vertices)


def _range(wanted: Range) -> str:
    """A band about the sky exactly, by circles about the poles; a part of it by polygons within 5 arcsec.

    A region in one piece that meets both circles, whose union is the sky, meets their intersection.
    """
    west = 0.0 if wanted.lon1 == -inf else wanted.lon1
    east = _FULL if wanted.lon2 == inf else wanted.lon2
    south, north = max(wanted.lat1, -_POLE), min(wanted.lat2, _POLE)
    width = east - west + (_FULL if west > east else 0.0)
    if width >= _FULL:
        caps = _meets("CIRCLE", 0, _POLE, _POLE - south), _meets("CIRCLE", 0, -_POLE, _POLE + north)
        return f"({caps[0]} AND {caps[1]})"
    return f"({' OR '.join(_parts(west, width, south, north))})"


def _parts(west: float, width: float, south: float, north: float) -> Iterator[str]:
    for low, high in _hemispheres(south, north):
        inner = min(abs(low), abs(high))
        if inner >= _POLE - 2 * _THINNEST:
            yield _meets("CIRCLE", 0, copysign(_POLE, low), _POLE - inner)
            continue
        span = max(width, _THINNEST / cos(radians(inner)))
        pieces = ceil(span / _WIDEST)
        for i in range(pieces):
            yield _meets("POLYGON", *_box(west + span * i / pieces, span / pieces, low, high))


def _hemispheres(south: float, north: float) -> Iterator[tuple[float, float]]:
    """The parts of a range of latitudes on either side of the equator, none of them too thin."""
    south, north = _at_pole(south), _at_pole(north)
    for low, high in ((south, 0.0), (0.0, north)) if south < 0 < north else ((south, north),):
        if high > 0:
            yield min(low, high - _THINNEST), high
        else:
            yield low, max(high, low + _THINNEST)


def _at_pole(latitude: float) -> float:
    """The latitude, that of the pole if it is all but there."""
    return copysign(_POLE, latitude) if abs(latitude) > _POLE - _THINNEST else latitude


def _box(west: float, width: float, south: float, north: float) -> Iterator[float]:
    """The vertices between two meridians and two parallels of one hemisphere."""
    steps = ceil(width / _STEP)
    eastward = [(west + width * i / steps) % _FULL for i in range(steps + 1)]
    for latitude, longitudes in ((south, eastward), (north, eastward[::-1])):
        # The meridians meet at the poles, and the equator is a great circle.
        ends = longitudes[:1] if abs(latitude) == _POLE else longitudes[:: len(longitudes) - 1]
        for longitude in ends if latitude in {-_POLE, 0.0, _POLE} else longitudes:
            yield longitude
            yield latitude


def _meets(shape: str, *degrees: float) -> str:
    geometry = f"{shape}({', '.join(map(number, degrees))})"
    return (
        f"(1 = INTERSECTS(s_region, {geometry})"
        f" OR (s_region IS NULL AND 1 = CONTAINS(POINT(s_ra, s_dec), {geometry})))"
    )


_CONDITIONS: Final[dict[type, Callable[[Any], str]]] = {Circle: _circle, Polygon: _polygon, Range: _range}
