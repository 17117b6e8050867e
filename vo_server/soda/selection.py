"""What a cutout is to hold: the values of the filtering parameters (SODA 1.0, section 3.3), read and checked.

Values are written as DALI 1.1 (section 3.3) has them. Raised is UsageError, with what would be right.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final

from vo_server.adql.stcs import polygon_fault
from vo_server.errors import UsageError
from vo_server.eventlists.interval import Interval
from vo_server.soda.parameters import EV_PER_TEV, HC_EV_M
from vo_server.soda.shapes import Circle, Polygon, Range, Shape

MOST_VERTICES: Final = 1000
"""Vertices of the largest polygon: each of them is compared with each event."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INFINITE: Final = {"-inf": -inf, "inf": inf, "+inf": inf}
_SHOWN: Final = 60


@dataclass(frozen=True)
class Selection:
    """All conditions together; a cutout holds the events that meet every one of them.

    `energy` is in TeV, `time` in MJD (UTC); None stands for no condition. `given` are the parameters as
    they were sent.
    """

    regions: tuple[Shape, ...] = ()
    energy: Interval | None = None
    time: Interval | None = None
    given: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Selection":
        """The selection that the filtering parameters among `values` describe."""
        given = tuple((name, values[name]) for name in FILTERS if name in values)
        energies = [INTERVALS[name](text) for name, text in given if name in INTERVALS]
        energy = None
        for found in energies:
            energy = found if energy is None else energy.common(found)
        return cls(
            regions=tuple(REGIONS[name](text) for name, text in given if name in REGIONS),
            energy=energy,
            time=_interval("TIME", values["TIME"]) if "TIME" in values else None,
            given=given,
        )


def _circle(text: str, name: str = "CIRCLE") -> Circle:
    values = _finite(name, text)
    if len(values) != 3:
        raise UsageError(f"{name} is longitude, latitude and radius in degrees, not {_shown(text)}")
    lon, lat, radius = values
    _check_position(name, lon, lat)
    if not 0 <= radius <= 180:
        raise UsageError(f"{name}: a radius is 0 to 180 degrees, not {radius:g}")
    return Circle(lon, lat, radius)


def _polygon(text: str, name: str = "POLYGON") -> Polygon:
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
    # Some close a polygon by its first vertex; DALI does not.
    if len(corners) > 3 and corners[0] == corners[-1]:
        corners.pop()
    if len(set(corners)) < 3:
        raise UsageError(f"{name} has vertices in fewer than three places: it encloses nothing")
    vertices = tuple(value for corner in corners for value in corner)
    fault = polygon_fault(vertices)
    if fault:
        raise UsageError(f"{name}: {fault}")
    return Polygon(vertices)


def _range(text: str, name: str) -> Range:
    values = _numbers(name, text)
    if len(values) != 4:
        raise UsageError(f"{name} RANGE is lon1 lon2 lat1 lat2 in degrees, not {_shown(text)}")
    lon1, lon2, lat1, lat2 = values
    for lon, lat in ((lon1, lat1), (lon2, lat2)):
        _check_position(name, *(0.0 if abs(value) == inf else value for value in (lon, lat)))
    if lat1 > lat2 or inf in {lon1, lat1} or -inf in {lon2, lat2}:
        raise UsageError(f"{name} RANGE {_shown(text)}: the lower limit comes first")
    return Range(lon1, lon2, lat1, lat2)


def _position(text: str) -> Shape:
    kind, _, rest = text.strip().partition(" ")
    read = SHAPES.get(kind.upper())
    if read is None:
        raise UsageError(
            f"POS begins with {', '.join(SHAPES)}, as in 'CIRCLE 83.6 22.0 1.5', not with {_shown(kind)}"
        )
    return read(rest, "POS")


def _energy(text: str) -> Interval:
    return _interval("ENERGY", text)


def _band(text: str) -> Interval:
    """Wavelengths in m as energies in TeV: E = hc / wavelength, so that the limits change places."""
    shortest, longest = _interval("BAND", text)
    return Interval(_photon(longest), _photon(shortest))


def _photon(wavelength: float) -> float:
    return HC_EV_M / EV_PER_TEV / wavelength if wavelength > 0 else inf


SHAPES: Final[dict[str, Callable[[str, str], Shape]]] = {
    "CIRCLE": _circle,
    "RANGE": _range,
    "POLYGON": _polygon,
}
"""First word of POS -> how the rest is read (SODA 1.0, section 3.3.4)."""

REGIONS: Final[dict[str, Callable[[str], Shape]]] = {
    "CIRCLE": _circle,
    "POLYGON": _polygon,
    "POS": _position,
}
INTERVALS: Final[dict[str, Callable[[str], Interval]]] = {"BAND": _band, "ENERGY": _energy}

FILTERS: Final = (*REGIONS, *INTERVALS, "TIME")
"""The filtering parameters."""


def _interval(name: str, text: str) -> Interval:
    values = _numbers(name, text)
    if len(values) != 2:
        raise UsageError(
            f"{name} is an interval: two numbers, of which -Inf and +Inf are open ends, not {_shown(text)}"
        )
    low, high = values
    if low > high or low == inf or high == -inf:
        raise UsageError(f"{name}: {_shown(text)} is no interval, the lower limit comes first")
    return Interval(low, high)


def _finite(name: str, text: str) -> list[float]:
    values = _numbers(name, text)
    if not all(map(isfinite, values)):
        raise UsageError(f"{name}: only finite numbers make a shape, not {_shown(text)}")
    return values


def _numbers(name: str, text: str) -> list[float]:
    return [_number(name, word) for word in text.split()]


def _number(name: str, word: str) -> float:
    known = _INFINITE.get(word.lower())
    if known is not None:
        return known
    if not word.isascii() or _NUMBER.fullmatch(word) is None or not isfinite(float(word)):
        raise UsageError(f"{name}: {_shown(word)} is not a number, such as 1.5, -2e-19 or +Inf")
    return float(word)


def _check_position(name: str, lon: float, lat: float) -> None:
    if not 0 <= lon <= 360:
        raise UsageError(f"{name}: a longitude is 0 to 360 degrees, not {lon:g}")
    if not -90 <= lat <= 90:
        raise UsageError(f"{name}: a latitude is -90 to 90 degrees, not {lat:g}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
