"""The register of the parameters of a cutout, and the range that each has for a dataset.

Names, UCDs and units are those of SODA 1.0, section 3: by the three a client knows a parameter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import asin, atan, atan2, cos, degrees, isfinite, pi, radians, sin, sqrt, tan
from typing import Any, Final, NamedTuple

from schema.constants import EV_PER_TEV, HC
from vo_server.adql.stcs import parse_stcs, polygon_centroid

_SIDES: Final = 12
"""Sides of the polygon about a circle."""

_WIDEST: Final = 80.0
"""Radius in degrees of the largest circle that gets a polygon about it: that of a hemisphere has none."""

_REGIONS: Final = 1024
"""Regions whose ranges are kept: two parameters ask for each, and observations share pointings."""

Row = Mapping[str, Any]


class Range(NamedTuple):
    """MIN and MAX of a parameter's VALUES element, as text; a shape has a MAX only."""

    minimum: str | None
    maximum: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input parameter, with what a service descriptor says of it.

    `range_of` takes a row of ivoa.obscore by column names and returns None where the row tells no range.
    """

    name: str
    description: str
    ucd: str
    datatype: str
    arraysize: str
    unit: str | None = None
    xtype: str | None = None
    range_of: Callable[[Row], Range | None] = lambda row: None


def _band(row: Row) -> Range | None:
    return _interval(row["em_min"], row["em_max"])


def _energy(row: Row) -> Range | None:
    shortest, longest = row["em_min"], row["em_max"]
    if not shortest or not longest:
        return None
    return _interval(HC / longest / EV_PER_TEV, HC / shortest / EV_PER_TEV)


def _time(row: Row) -> Range | None:
    return _interval(row["t_min"], row["t_max"])


def _interval(low: float | None, high: float | None) -> Range | None:
    return None if low is None or high is None else Range(repr(float(low)), repr(float(high)))


def _circle(row: Row) -> Range | None:
    found = _enclosing(row["s_region"])
    return None if found is None else Range(None, _numbers(*found))


def _polygon(row: Row) -> Range | None:
    return _polygon_about(row["s_region"])


@lru_cache(maxsize=_REGIONS)
def _polygon_about(region: str | None) -> Range | None:
    """A region itself if it is a polygon; about a circle, the regular polygon that touches it."""
    if not region:
        return None
    shape, numbers = parse_stcs(region)
    if shape == "POLYGON":
        return Range(None, _numbers(*numbers))
    lon, lat, radius = _enclosing(region) or (0.0, 0.0, 180.0)
    if radius > _WIDEST:
        return None
    # Napier's rule for half a side: tan(radius) = tan(corner) cos(pi / sides).
    corner = atan(tan(radians(radius)) / cos(pi / _SIDES))
    # The position angle grows eastward; a polygon is written counter-clockwise as seen from within.
    sin_lat, cos_lat = sin(radians(lat)), cos(radians(lat))
    numbers = []
    for number in range(_SIDES):
        angle = 2 * pi * number / _SIDES
        # astropy's offset_by takes a hundred times as long for so few points.
        height = sin_lat * cos(corner) + cos_lat * sin(corner) * cos(angle)
        turn = atan2(sin(angle) * sin(corner) * cos_lat, cos(corner) - sin_lat * height)
        numbers += [(lon + degrees(turn)) % 360.0, degrees(asin(min(1.0, max(-1.0, height))))]
    return Range(None, _numbers(*numbers))


@lru_cache(maxsize=_REGIONS)
def _enclosing(region: str | None) -> tuple[float, float, float] | None:
    """Longitude, latitude and radius in degrees of a circle about an STC-S region."""
    if not region:
        return None
    shape, numbers = parse_stcs(region)
    if shape == "CIRCLE":
        lon, lat, radius = numbers
        return lon, lat, radius
    if shape != "POLYGON":
        return None
    lon, lat = polygon_centroid(tuple(numbers))
    corners = zip(numbers[::2], numbers[1::2], strict=True)
    return lon, lat, max(_separation(lon, lat, *corner) for corner in corners)


def _separation(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """The distance of two points, all in degrees (haversine formula)."""
    half = sin(radians(other_lat - lat) / 2) ** 2
    half += cos(radians(lat)) * cos(radians(other_lat)) * sin(radians(other_lon - lon) / 2) ** 2
    return degrees(2 * asin(sqrt(min(1.0, half))))


def _numbers(*values: float) -> str:
    return " ".join(f"{float(value):.10g}" for value in values if isfinite(value))


PARAMETERS: Final = (
    Parameter(
        "ID",
        "Publisher DID of the event list",
        ucd="meta.ref.url;meta.curation",
        datatype="char",
        arraysize="*",
    ),
    Parameter(
        "CIRCLE",
        "Circle that the events are to lie in: longitude, latitude and radius (ICRS)",
        ucd="pos.outline;obs",
        unit="deg",
        datatype="double",
        arraysize="3",
        xtype="circle",
        range_of=_circle,
    ),
    Parameter(
        "POLYGON",
        "Polygon that the events are to lie in: longitude and latitude of each vertex (ICRS)",
        ucd="pos.outline;obs",
        unit="deg",
        datatype="double",
        arraysize="*",
        xtype="polygon",
        range_of=_polygon,
    ),
    Parameter(
        "POS",
        "Region that the events are to lie in: 'CIRCLE lon lat radius', 'RANGE lon1 lon2 lat1 lat2' or"
        " 'POLYGON lon1 lat1 lon2 lat2 lon3 lat3 ...' in degrees (ICRS)",
        ucd="pos.outline;obs",
        datatype="char",
        arraysize="*",
    ),
    Parameter(
        "BAND",
        "Interval of vacuum wavelengths, hc / energy; -Inf and +Inf are open ends",
        ucd="em.wl;stat.interval",
        unit="m",
        datatype="double",
        arraysize="2",
        xtype="interval",
        range_of=_band,
    ),
    Parameter(
        "TIME",
        "Interval of time, as MJD in UTC; -Inf and +Inf are open ends",
        ucd="time.interval;obs.exposure",
        unit="d",
        datatype="double",
        arraysize="2",
        xtype="interval",
        range_of=_time,
    ),
    Parameter(
        "ENERGY",
        "Interval of reconstructed energies in TeV; -Inf and +Inf are open ends",
        ucd="em.energy;stat.interval",
        unit="TeV",
        datatype="double",
        arraysize="2",
        xtype="interval",
        range_of=_energy,
    ),
)
"""All input parameters. ENERGY is no parameter of SODA: it is BAND as gamma-ray astronomers say it."""


def ranges(row: Row) -> dict[str, Range]:
    """Parameter -> its range for a dataset, for those that have one.

    `row` is the row of ivoa.obscore (s_region as STC-S, t_min and t_max as MJD in UTC, em_min and em_max in
    m). For the service descriptor of DataLink 1.1 (section 4), as SODA 1.0 (section 4.3) wants it: MIN and
    MAX of an interval are scalars, and the MAX of a shape is one that encloses the data.
    """
    found = ((parameter.name, parameter.range_of(row)) for parameter in PARAMETERS)
    return {name: values for name, values in found if values is not None}
